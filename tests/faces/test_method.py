from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clips import astronaut_picture, make_clip
from makers import detector
from onnx_files import planted, scrfd_outputs, write

from faceswap import geometry
from faceswap.errors import UsageError
from faceswap.faces.analyse import analyse
from faceswap.faces.base import overlap
from faceswap.faces.method import FaceMethod
from faceswap.faces.registry import make_landmarker, make_method
from faceswap.media.reader import VideoReader
from faceswap.schemes import INSIGHT106


def marks_in_a_circle(folder: Path) -> str:
    """A file of 106 points that places them on a circle of half the view's width, whatever it is shown."""
    angles = np.linspace(0, 2 * np.pi, 106, endpoint=False)
    circle = 0.5 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return write(folder / "marks.onnx", planted({"values": circle.reshape(1, 212)}, (1, 3, 192, 192)))


def test_the_name_tells_both_networks(tmp_path: Path) -> None:
    marks = marks_in_a_circle(tmp_path)
    method = make_method(landmarks=marks, threads=1)
    assert method.name == f"centerface-1+{make_landmarker(marks).name}"
    assert make_method(threads=1).name == "centerface-1"


def test_a_clip_is_analysed_with_the_landmarkers_points(tmp_path: Path) -> None:
    size = (192, 256)
    clip = make_clip(tmp_path / "clip.mp4", size=size, num_frames=4, picture=lambda _: astronaut_picture(size))
    method = FaceMethod(detector(), make_landmarker(marks_in_a_circle(tmp_path), threads=1))
    plain, index = analyse(VideoReader(clip), detector()), analyse(VideoReader(clip), method)
    assert index.detector == method.name
    assert len(index.faces) == len(plain.faces) == 4
    for before, after in zip(plain.faces, index.faces, strict=True):
        assert after.scheme == INSIGHT106
        assert after.landmarks.shape == (106, 2)
        assert overlap(before.box, after.box) > 0.5
        # The circle is as wide as half the view: 4.6 / 2 inter-ocular distances.
        width = np.ptp(after.landmarks[:, 0])
        assert before.frame_from_canonical is not None
        assert width == pytest.approx(2.3 * geometry.scale_of(before.frame_from_canonical), rel=0.1)


def test_boxes_alone_are_no_method(tmp_path: Path) -> None:
    boxes = write(tmp_path / "boxes.onnx", planted(scrfd_outputs((64, 96), 8, 2, 3, 0, has_points=False)))
    with pytest.raises(UsageError, match="finds boxes only"):
        make_method(boxes)
    assert make_method(boxes, marks_in_a_circle(tmp_path)).name.startswith("scrfd_boxes-1")
