"""Settings of one share or several by name: how they are written, and how they come back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from faceswap.config import read_toml, validated
from faceswap.convert.config import ConvertConfig
from faceswap.convert.face_settings import in_words
from faceswap.convert.grid import grid_of
from faceswap.errors import UsageError
from faceswap.masks import Sides
from faceswap.masks.opacity import Opacity


def config(**values: Any) -> ConvertConfig:
    return validated(ConvertConfig, values, "test")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (0.02, Sides.all(0.02)),
        ("0.02", Sides.all(0.02)),
        (0, Sides()),
        ("top=0.05,bottom=0", Sides(top=0.05)),
        ("0.02, top=0.05", Sides(0.05, 0.02, 0.02, 0.02)),
        ("left=-0.1+right=0.1", Sides(left=-0.1, right=0.1)),
        ({"top": 0.05, "all": 0.01}, Sides(0.05, 0.01, 0.01, 0.01)),
    ],
)
def test_erosion_is_one_share_or_one_for_each_side(written: object, meant: Sides) -> None:
    assert config(erode=written).erode == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (0.5, Opacity(0.5)),
        ("mouth=0.5,eyes=0.7", Opacity(1.0, (("mouth", 0.5), ("eyes", 0.7)))),
        ({"all": 0.9, "nose": 0}, Opacity(0.9, (("nose", 0.0),))),
    ],
)
def test_opacity_is_one_share_or_one_for_each_part(written: object, meant: Opacity) -> None:
    assert config(opacity=written).opacity == meant


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"erode": "above=0.1"}, "no 'above'; allowed: a number, or NAME=NUMBER with top, bottom, left, right"),
        ({"erode": "top=much"}, "'much' is no number"),
        ({"erode": 0.5}, "0.5 is not between -0.3 and 0.3"),
        ({"erode": "0.1,0.2"}, "all is given twice"),
        ({"erode": {}}, "it says nothing"),
        ({"erode": True}, "write a number, or a table"),
        ({"opacity": "ears=0.5"}, "no 'ears'"),
        ({"opacity": -0.1}, "-0.1 is not between 0 and 1"),
        ({"opacity": "nan"}, "nan is not between"),
    ],
)
def test_what_is_not_understood_is_named(values: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        config(**values)


@pytest.mark.parametrize("erode", [0.02, "top=0.05", "0.02,left=-0.1"])
@pytest.mark.parametrize("opacity", [0.5, "mouth=0.5,eyes=0.7", "0.9,mouth=0"])
def test_settings_come_back_from_json_and_from_the_words_of_a_grid(erode: object, opacity: str) -> None:
    made = config(erode=erode, opacity=opacity)
    assert config(**json.loads(json.dumps(made.model_dump(mode="json")))) == made
    assert config(erode=in_words(made.erode), opacity=in_words(made.opacity)) == made


def test_a_settings_file_may_use_tables(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text('erode = {top = 0.05}\n[[override]]\nshots = "1"\nopacity = {mouth = 0.5}\n')
    made = validated(ConvertConfig, read_toml(file), "s.toml")
    assert made.erode == Sides(top=0.05)
    assert made.override[0].values == {"opacity": Opacity(1.0, (("mouth", 0.5),))}
    assert made.override[0].words == "shots 1: opacity mouth=0.5"


def test_a_grid_compares_sides() -> None:
    titles = [each.title for each in grid_of(ConvertConfig(), ["erode=0,top=0.1,top=0.1+left=0.2"]).variants]
    assert titles == ["erode=0", "erode=top=0.1", "erode=top=0.1+left=0.2"]
