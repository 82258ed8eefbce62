from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clips import gradient_picture, make_clip

from faceswap.media.reader import open_clip
from faceswap.media.shots import CutDetector

STAGE = Path(__file__).resolve().parents[3] / "shared" / "data" / "clips" / "stage_microphone_cut.mp4"


def cuts(path: Path) -> list[int]:
    detector = CutDetector()
    return [frame.index for frame in open_clip(path) if detector.is_cut(frame)]


def test_cut_is_found_at_its_frame(tmp_path: Path) -> None:
    def picture(index: int) -> np.ndarray:
        calm = gradient_picture((120, 160), index)
        return calm if index < 7 else 255 - calm

    assert cuts(make_clip(tmp_path / "cut.mp4", picture=picture)) == [0, 7]


def test_fast_even_motion_is_no_cut(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "pan.mp4", picture=lambda i: gradient_picture((120, 160), 4 * i))
    assert cuts(clip) == [0]


@pytest.mark.shared
@pytest.mark.skipif(not STAGE.is_file(), reason="the stage recording is not beside the checkout")
def test_cuts_of_a_dark_stage_recording_are_found() -> None:
    assert cuts(STAGE) == [0, 20, 82, 211]
