from __future__ import annotations

import pytest

from faceswap.config import validated
from faceswap.convert.config import ConvertConfig
from faceswap.errors import UsageError
from faceswap.media.encode_plan import EncodeSettings


def test_encode_settings_are_passed_on() -> None:
    config = ConvertConfig(codec="libx265", crf=20, preset="slow", pix_fmt="yuv420p10le")
    assert config.encode == EncodeSettings("libx265", 20, "slow", "yuv420p10le")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"fase": "all"}, "unknown key 'fase'; did you mean 'faces'"),
        ({"faces": "some"}, "faces = 'some'"),
        ({"erode": 0.5}, "erode = 0.5"),
        ({"crf": -1}, "crf = -1"),
        ({"batch": 0}, "batch = 0"),
    ],
)
def test_impossible_settings_are_named(values: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        validated(ConvertConfig, values, "convert")
