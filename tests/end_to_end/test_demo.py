"""The demo in a short form: every stage of the product on generated footage."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from faceswap import FaceIndex, SwapModel, verify_clip
from faceswap.demo.run import DemoReport, run_demo
from faceswap.media.reader import open_clip
from faceswap.provenance.consent import ConsentRecord
from faceswap.types import Frame

NUM_FRAMES = 20


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoReport:
    return run_demo(tmp_path_factory.mktemp("demo") / "out", budget="4s", device="cpu", num_frames=NUM_FRAMES)


def test_demo_leaves_what_it_promises(demo: DemoReport) -> None:
    names = {path.name for path in demo.folder.iterdir() if not path.name.startswith(".")}
    assert names == {
        "target.mp4",
        "source.mp4",
        "swapped.mp4",
        "side_by_side.mp4",
        "contact_sheet.png",
        "figures.json",
        "consent.json",
        "facesets",
        "model",
    }


def test_demo_trains_two_identities(demo: DemoReport) -> None:
    assert SwapModel.load(demo.folder / "model", device="cpu").identities == ("android", "astronaut")


def test_swapped_clip_has_the_target_clips_times(demo: DemoReport) -> None:
    before, after = (open_clip(demo.folder / name) for name in ("target.mp4", "swapped.mp4"))
    assert [frame.time.seconds for frame in after] == [frame.time.seconds for frame in before]


def test_swap_changes_the_face_and_not_the_background(demo: DemoReport) -> None:
    index = FaceIndex.load(next((demo.folder / ".faceswap").glob("*.db")))
    changes_inside, changes_outside = [], []
    for before, after in zip(*(open_clip(demo.folder / n) for n in ("target.mp4", "swapped.mp4")), strict=True):
        change = _luma_change(before, after)
        x0, y0, x1, y1 = index.faces_at(before.index)[0].box.round().astype(int)
        changes_inside.append(change[y0:y1, x0:x1].mean())
        # The swap reaches beyond the box by less than half of it.
        height, width = y1 - y0, x1 - x0
        change[max(0, y0 - height // 2) : y1 + height // 2, max(0, x0 - width // 2) : x1 + width // 2] = 0
        changes_outside.append(change[change > 0].mean())
    assert np.mean(changes_inside) > 3 * np.mean(changes_outside)


def _luma_change(before: Frame, after: Frame) -> np.ndarray:
    return np.abs(before.planes[0].astype(float) - after.planes[0])


def test_demo_output_is_marked_in_both_layers(demo: DemoReport) -> None:
    report = verify_clip(demo.folder / "swapped.mp4")
    assert report.container is not None
    assert report.container == report.sei
    assert report.verdict == "intact"
    consent = ConsentRecord.from_bytes((demo.folder / "consent.json").read_bytes(), "consent.json")
    assert consent.basis == "public_domain"
    assert report.mark is not None
    assert report.mark.consents == (consent.sha256,)


@pytest.mark.parametrize("name", ["side_by_side.mp4", "contact_sheet.png"])
def test_what_shows_the_swap_is_marked_too(demo: DemoReport, name: str) -> None:
    report = verify_clip(demo.folder / name)
    assert (report.verdict, report.mark) == ("intact", verify_clip(demo.folder / "swapped.mp4").mark)
    assert report.manifest is not None
    assert report.manifest.parent == "swapped.mp4"


def test_demo_report_names_the_next_command(demo: DemoReport) -> None:
    assert "faceswap convert" in demo.to_text()
    assert json.loads((demo.folder / "figures.json").read_text()) == demo.figures


def test_side_by_side_has_sound_and_double_width(demo: DemoReport) -> None:
    import av

    with av.open(str(demo.folder / "side_by_side.mp4")) as container:
        assert container.streams.video[0].width == 1280
        assert container.streams.audio[0].duration


def test_second_demo_in_the_same_folder_reuses_what_is_there(demo: DemoReport) -> None:
    before = Path(demo.folder / "target.mp4").stat().st_mtime_ns
    run_demo(demo.folder, budget="4s", device="cpu", num_frames=NUM_FRAMES)
    assert Path(demo.folder / "target.mp4").stat().st_mtime_ns == before
