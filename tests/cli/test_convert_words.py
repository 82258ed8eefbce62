"""What `faceswap convert` says."""

from __future__ import annotations

from pathlib import Path

from faceswap.cli.convert_words import _sidecars, stage_words


def test_stages_that_took_next_to_nothing_are_not_named() -> None:
    assert stage_words({"decode": 8.614, "safeguard": 0.0, "probe": 0.049, "crop": 0.05}) == "decode 8.6, crop 0.1"


def test_signatures_beside_clips_are_named() -> None:
    said = _sidecars([Path("out/a.mkv"), Path("out/a_raw.mov"), Path("out/a.otio"), Path("out/pictures")])
    assert said == f"signed in {Path('out/a.c2pa')}, which belongs beside the clip\n"
    assert _sidecars([Path("a.mp4")]) == ""
