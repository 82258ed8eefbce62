from __future__ import annotations

from pathlib import Path

import pytest

from faceswap.config import Settings, parse_duration, read_toml, validated, with_overrides
from faceswap.errors import UsageError


class Inner(Settings):
    rate: float = 1.0


class Outer(Settings):
    batch: int = 4
    inner: Inner = Inner()


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("2h", 7200), ("1d", 86400), ("1h30m", 5400), ("0.5s", 0.5)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "90", "s", "10 m", "-5s", "5s!", "0s", "m10"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="write it like"):
        parse_duration(text)


def test_overrides_reach_into_tables_and_leave_the_original_alone() -> None:
    values = {"batch": 4, "inner": {"rate": 1.0}}
    changed = with_overrides(values, ["batch=8", "inner.rate = 0.5", "name=plain text", "on=true"])
    assert changed == {"batch": 8, "inner": {"rate": 0.5}, "name": "plain text", "on": True}
    assert values == {"batch": 4, "inner": {"rate": 1.0}}


@pytest.mark.parametrize("override", ["batch", "=3", "batch.deep=3"])
def test_malformed_overrides_are_refused(override: str) -> None:
    with pytest.raises(UsageError, match="--set"):
        with_overrides({"batch": 4}, [override])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"bach": 1}, "unknown key 'bach'; did you mean 'batch'"),
        ({"inner": {"rat": 1}}, "unknown key 'inner.rat'; did you mean 'rate'"),
        ({"zzz": 1}, "allowed: batch, inner"),
        ({"batch": "many"}, "batch = 'many'"),
    ],
)
def test_bad_settings_name_key_value_and_remedy(values: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        validated(Outer, values, "recipe x")


def test_bad_toml_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("a = = 1")
    with pytest.raises(UsageError, match="not valid TOML"):
        read_toml(tmp_path / "bad.toml")
