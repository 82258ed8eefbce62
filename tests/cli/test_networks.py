"""The options that choose the networks, as a user meets them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clips import astronaut_picture, make_clip
from onnx_files import planted, scrfd_outputs, write

from faceswap.cli.main import main
from faceswap.faces.cache import open_index
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


def landmarker(folder: Path) -> str:
    """A network that sees a circle of 106 points in each face."""
    angles = np.linspace(0, 2 * np.pi, 106, endpoint=False)
    circle = 0.5 * np.stack([np.cos(angles), np.sin(angles)], axis=1).reshape(1, 212)
    return write(folder / "marks.onnx", planted({"values": circle}, (1, 3, 192, 192)))


def test_landmarks_of_a_file_reach_the_face_index(monkeypatch: pytest.MonkeyPatch, clip: Path) -> None:
    marks = landmarker(clip.parent)
    assert run(monkeypatch, "shots", str(clip), "-o", str(clip.parent / "out.mp4"), "--landmarks", marks) == 0
    (kept,) = (clip.parent / ".faceswap").glob("*.faces.db")
    index = FaceIndex.load(kept)
    assert index.detector.startswith("centerface-1+insight106-1-")
    assert {face.scheme for face in index.faces} == {INSIGHT106}


def test_index_commands_take_the_index_that_is_there_or_the_networks_they_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], clip: Path
) -> None:
    marks = landmarker(clip.parent)
    assert run(monkeypatch, "index", "show", str(clip), "--landmarks", marks) == 0
    (kept,) = (clip.parent / ".faceswap").glob("*.faces.db")
    before = kept.read_bytes()
    for command in (["index", "show"], ["shots"], ["index", "drop", "--track", "0", "--frames", "1"]):
        assert run(monkeypatch, *command, str(clip)) == 0
        assert kept.read_bytes() == before
    assert "found by centerface-1+insight106-1-" in capsys.readouterr().err
    assert run(monkeypatch, "index", "show", str(clip), "--detector", "centerface") == 0
    output = capsys.readouterr()
    assert "found by centerface-1\n" in output.err
    assert "drop the face in the frames 1-1" in output.out
    assert FaceIndex.load(kept).detector == "centerface-1"
    assert 1 not in {face.frame for face in open_index(kept).faces}


def test_index_commands_open_the_index_that_convert_uses(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], clip: Path
) -> None:
    same = [str(clip), "-o", str(clip.parent / "out.mp4"), "--refine", "2"]
    assert run(monkeypatch, "shots", *same) == 0
    (kept,) = (clip.parent / ".faceswap").glob("*.faces.db")
    before = kept.stat().st_mtime_ns
    assert run(monkeypatch, "index", "drop", *same, "--track", "0", "--frames", "1") == 0
    assert run(monkeypatch, "index", "show", *same) == 0
    assert "edit 1: drop the face" in capsys.readouterr().out
    assert kept.stat().st_mtime_ns == before  # not analysed again in another way
    assert FaceIndex.load(kept).detector == "centerface-1+refine2"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--detector", "nope"], "no detector 'nope'; there are: centerface, yunet"),
        (["--detector", "yunet"], "faceswap models fetch yunet"),
        (["--landmarks", "facemesh"], "faceswap models fetch facemesh"),
        (["--detector", "gone.onnx"], "gone.onnx: no such file"),
    ],
)
@pytest.mark.parametrize("command", ["shots", "extract", "index show"])
def test_networks_that_are_not_here_end_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    clip: Path,
    command: str,
    options: list[str],
    message: str,
) -> None:
    needed = ["-o", str(clip.parent / "set"), "--actor", "a"] if command == "extract" else []
    assert run(monkeypatch, *command.split(), str(clip), *needed, *options) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error


def test_detectors_of_boxes_ask_for_a_landmarker(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], clip: Path
) -> None:
    boxes = write(clip.parent / "boxes.onnx", planted(scrfd_outputs((64, 96), 8, 2, 3, 0, has_points=False)))
    assert run(monkeypatch, "shots", str(clip), "--detector", boxes) == 2
    assert "finds boxes only" in capsys.readouterr().err
