"""The content safeguard, with planted scores: which frames it sees, what it refuses, what repeats cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import astronaut_picture, gradient_picture, make_clip
from makers import detector, tiny_model
from onnx_files import planted

from faceswap.convert import safeguard
from faceswap.convert.config import ConvertConfig
from faceswap.convert.pipeline import convert_clip
from faceswap.convert.preview import PreviewWish, preview_clip
from faceswap.convert.report import ConvertReport
from faceswap.convert.safeguard import Safeguard
from faceswap.errors import ProvenanceError, UnsupportedInputError
from faceswap.faces.explicit import EXPLICIT, NudeNet, is_explicit
from faceswap.media.reader import VideoReader
from faceswap.models.swap_model import SwapModel
from faceswap.types import Frame

SIZE = (120, 160)
NUM_FRAMES, CUT = 100, 40
"""Four seconds; frames before the cut show nobody."""


@dataclass
class Planted:
    """Stands in for the network: says what it is told of each frame, and remembers what it was shown."""

    explicit: frozenset[int] = frozenset()
    name: str = "planted-1"
    shown: list[int] = field(default_factory=list)

    def scores(self, frame: Frame, orientation: Any) -> Mapping[str, float]:
        self.shown.append(frame.index)
        return {"female breast": 0.9 if frame.index in self.explicit else 0.1}


def picture(frame: int) -> np.ndarray:
    return astronaut_picture(SIZE, 0.2 * frame) if frame >= CUT else gradient_picture(SIZE, frame)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SwapModel:
    return SwapModel.load(tiny_model(tmp_path_factory.mktemp("model")), device="cpu", precision="fp32")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "in.mkv", size=SIZE, num_frames=NUM_FRAMES, picture=picture, codec="ffv1")


def convert(clip: Path, model: SwapModel, seen: Planted, **settings: Any) -> ConvertReport:
    config = ConvertConfig(codec="ffv1", figures=False, **settings)
    output = clip.with_name("out.mkv")
    return convert_clip(clip, model, output, config=config, detector=detector(), safeguard=seen, overwrite=True)


def test_each_second_and_the_start_of_each_track_is_seen_once(clip: Path, model: SwapModel) -> None:
    seen = Planted()
    report = convert(clip, model, seen)
    assert sorted(seen.shown) == [0, 25, CUT, 50, 75]
    assert "nothing explicit" in report.safeguard
    again = Planted()
    assert convert(clip, model, again).safeguard == report.safeguard
    assert again.shown == []
    assert sorted(clip.parent.glob(".faceswap/*.safeguard.json"))


def test_explicit_footage_is_refused_before_anything_is_rendered(clip: Path, model: SwapModel) -> None:
    seen = Planted(frozenset(range(45, 60)))
    with pytest.raises(ProvenanceError, match=r"frame 50 \(shot 2\).*--shots") as caught:
        convert(clip, model, seen)
    assert caught.value.exit_code == 5
    assert not clip.with_name("out.mkv").exists()
    assert not list(clip.parent.glob(".faceswap/*.work/seg-*"))
    # Refused again from what is kept, without a look.
    again = Planted(seen.explicit)
    with pytest.raises(ProvenanceError):
        convert(clip, model, again)
    assert again.shown == []


def test_previews_of_explicit_frames_are_refused(clip: Path, model: SwapModel) -> None:
    def look(frame: int) -> Path:
        seen = Planted(frozenset({60}))
        wish = PreviewWish((str(frame),))
        return preview_clip(clip, model, wish=wish, detector=detector(), safeguard=seen).output

    convert(clip, model, Planted())  # leaves an index, so that frames are known by their numbers
    assert look(70).is_file()
    with pytest.raises(ProvenanceError, match="frame 60"):
        look(60)


def test_one_frame_alone_is_taken_for_a_mistake(clip: Path, model: SwapModel) -> None:
    assert "nothing explicit" in convert(clip, model, Planted(frozenset({50}))).safeguard


def test_shots_without_a_swap_may_show_anything(clip: Path, model: SwapModel) -> None:
    report = convert(clip, model, Planted(frozenset(range(CUT))))
    assert "nothing explicit" in report.safeguard


def test_a_kept_look_of_another_network_or_clip_is_not_believed(clip: Path, model: SwapModel) -> None:
    convert(clip, model, Planted())
    other = Planted(name="planted-2")
    convert(clip, model, other)
    assert other.shown
    (kept,) = clip.parent.glob(".faceswap/*.safeguard.json")
    kept.write_text("{]")
    damaged = Planted()
    convert(clip, model, damaged)
    assert damaged.shown


def test_without_the_package_the_report_says_so(clip: Path, model: SwapModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safeguard, "installed_network", lambda: None)
    config = ConvertConfig(codec="ffv1", figures=False)
    report = convert_clip(clip, model, clip.with_name("out.mkv"), config=config, detector=detector())
    assert "not installed" in report.safeguard


def test_an_installed_network_is_used_without_being_asked_for(
    clip: Path, model: SwapModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "320n.onnx"
    path.write_bytes(network({"male genitals": 0.8}))
    monkeypatch.setattr(safeguard, "installed_network", lambda: path)
    config = ConvertConfig(codec="ffv1", figures=False)
    with pytest.raises(ProvenanceError, match="explicit"):
        convert_clip(clip, model, clip.with_name("out.mkv"), config=config, detector=detector())


def network(scores: Mapping[str, float]) -> bytes:
    """Return an ONNX file that sees these parts in every picture, each in a place of its own."""
    output = np.zeros((1, 22, 2100), np.float32)
    for place, (part, score) in enumerate(scores.items()):
        output[0, 4 + EXPLICIT[part], 7 * place] = score
    return planted({"output0": output}, (1, 3, 320, 320))


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ({"female breast": 0.55}, False),
        ({"female breast": 0.65}, True),
        ({"anus": 0.55, "buttocks": 0.1}, True),
        ({}, False),
    ],
)
def test_scores_are_read_off_the_network(clip: Path, scores: dict[str, float], expected: bool) -> None:
    frame = next(iter(VideoReader(clip)))
    seen = NudeNet(network(scores)).scores(frame, None)
    assert seen == pytest.approx({**dict.fromkeys(EXPLICIT, 0.0), **scores}, abs=1e-4)
    assert is_explicit(seen) is expected


def test_another_network_is_refused(clip: Path) -> None:
    other = NudeNet(planted({"output0": np.zeros((1, 7, 100), np.float32)}))
    with pytest.raises(UnsupportedInputError, match="320n"):
        other.scores(next(iter(VideoReader(clip))), None)


def test_what_was_seen_is_kept_beside_the_index(tmp_path: Path) -> None:
    guard = Safeguard.open(Planted(), tmp_path / "x.faces.db", "f")
    assert guard.seen == {}
    assert guard.path.name == "x.safeguard.json"


@pytest.mark.parametrize(("headless", "count"), [("4.10", 1), ("5.0", 0)])
def test_two_opencvs_of_different_versions_are_named(
    monkeypatch: pytest.MonkeyPatch, headless: str, count: int
) -> None:
    versions = {"opencv-python": "5.0", "opencv-python-headless": headless}
    monkeypatch.setattr(safeguard, "version", versions.__getitem__)
    assert len(safeguard.opencv_note()) == count
