"""The options of convert and preview."""

from __future__ import annotations

from faceswap.cli.convert_options import (
    EncodingOptions,
    ExtentOptions,
    FootageOptions,
    PeopleOptions,
    PictureOptions,
    settings_of,
)
from faceswap.cli.mark_options import MarkOptions
from faceswap.convert.config import ConvertConfig


def test_options_that_are_left_out_leave_the_settings_file_alone() -> None:
    groups = (PictureOptions(), EncodingOptions(), FootageOptions(), ExtentOptions(), MarkOptions())
    given = settings_of(PeopleOptions(), *groups)
    assert given.keys() <= ConvertConfig.model_fields.keys()
    assert set(given.values()) == {None}
