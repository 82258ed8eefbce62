"""The options that choose the networks, as a user meets them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clips import astronaut_picture, make_clip
from onnx_files import planted, scrfd_outputs, write

from faceswap.cli.main import main
from faceswap.faces.index import FaceIndex
from faceswap.schemes import INSIGHT106


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("FACESWAP_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    size = (192, 256)
    return make_clip(tmp_path / "clip.mp4", size=size, num_frames=4, picture=lambda _: astronaut_picture(size))


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["faceswap", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def test_landmarks_of_a_file_reach_the_face_index(monkeypatch: pytest.MonkeyPatch, clip: Path) -> None:
    angles = np.linspace(0, 2 * np.pi, 106, endpoint=False)
    circle = 0.5 * np.stack([np.cos(angles), np.sin(angles)], axis=1).reshape(1, 212)
    marks = write(clip.parent / "marks.onnx", planted({"values": circle}, (1, 3, 192, 192)))
    assert run(monkeypatch, "shots", str(clip), "-o", str(clip.parent / "out.mp4"), "--landmarks", marks) == 0
    (kept,) = (clip.parent / ".faceswap").glob("*.faces.db")
    index = FaceIndex.load(kept)
    assert index.detector.startswith("centerface-1+insight106-1-")
    assert {face.scheme for face in index.faces} == {INSIGHT106}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--detector", "nope"], "no detector 'nope'; there are: centerface, yunet"),
        (["--detector", "yunet"], "faceswap models fetch yunet"),
        (["--landmarks", "facemesh"], "faceswap models fetch facemesh"),
        (["--detector", "gone.onnx"], "gone.onnx: no such file"),
    ],
)
@pytest.mark.parametrize("command", ["shots", "extract"])
def test_networks_that_are_not_here_end_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    clip: Path,
    command: str,
    options: list[str],
    message: str,
) -> None:
    needed = ["-o", str(clip.parent / "set"), "--actor", "a"] if command == "extract" else []
    assert run(monkeypatch, command, str(clip), *needed, *options) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error


def test_detectors_of_boxes_ask_for_a_landmarker(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], clip: Path
) -> None:
    boxes = write(clip.parent / "boxes.onnx", planted(scrfd_outputs((64, 96), 8, 2, 3, 0, has_points=False)))
    assert run(monkeypatch, "shots", str(clip), "--detector", boxes) == 2
    assert "finds boxes only" in capsys.readouterr().err
