"""What `faceswap convert` says."""

from __future__ import annotations

from faceswap.cli.convert_words import stage_words


def test_stages_that_took_next_to_nothing_are_not_named() -> None:
    assert stage_words({"decode": 8.614, "safeguard": 0.0, "probe": 0.049, "crop": 0.05}) == "decode 8.6, crop 0.1"
