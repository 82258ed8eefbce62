"""The mask of a swapped face, and what it leaves of the frame."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from makers import face_at, frame_table, noise_frame, tiny_model
from numpy.typing import NDArray
from onnx_files import planted, write

from faceswap.convert.casting import Role
from faceswap.convert.config import ConvertConfig
from faceswap.convert.engine import SwapEngine
from faceswap.convert.mask_files import files_used
from faceswap.convert.overrides import SettingsFor
from faceswap.convert.painted import PaintedMasks
from faceswap.convert.painted_files import find_painted
from faceswap.faces.index import FaceIndex
from faceswap.models.swap_model import SwapModel
from faceswap.progress import StageTimes
from faceswap.store import WeightsStore
from faceswap.types import Face, Frame, Shot

SIZE = (160, 200)
FACE = face_at(100, 60, 40)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SwapModel:
    return SwapModel.load(tiny_model(tmp_path_factory.mktemp("model")), device="cpu", precision="fp32")


def frames(count: int = 1) -> list[Frame]:
    return [replace(noise_frame("yuv444p", SIZE, seed=i // 3), index=i) for i in range(count)]


def engine(model: SwapModel, painted: PaintedMasks | None = None, **over: object) -> SwapEngine:
    plain = {"match": "none", "light": 0, "sharpness": 0, "grain": "off"}
    config = ConvertConfig.model_validate({**plain, **over})
    return SwapEngine([model], {0: Role(0, "anna")}, config, StageTimes(), painted)


def mask_of(engine: SwapEngine, face: Face = FACE) -> NDArray[np.float32]:
    (rendered,) = engine.process(frames(), [[face]], [0])
    mask = rendered.layers[0].patch.mask
    assert mask is not None
    return mask


def changed(engine: SwapEngine, face: Face = FACE) -> NDArray[np.bool_]:
    """Return which luma samples of a frame come out changed."""
    (rendered,) = engine.process(frames(), [[face]], [0])
    return rendered.frame.planes[0] != rendered.source.planes[0]


@pytest.mark.parametrize("over", [{}, {"keep": "eyes,mouth"}, {"feather": 0.2, "erode": 0.05}, {"feather": 0}])
def test_masks_are_in_range_and_end_before_the_patch_does(model: SwapModel, over: dict[str, object]) -> None:
    mask = mask_of(engine(model, **over))
    assert mask.shape == (1, 64, 64)
    assert mask.dtype == np.float32
    assert 0 <= mask.min() <= mask.max() <= 1
    assert max(mask[0, 0].max(), mask[0, -1].max(), mask[0, :, 0].max(), mask[0, :, -1].max()) == 0


def test_kept_parts_stay_the_actors_own(model: SwapModel) -> None:
    plain, kept = changed(engine(model)), changed(engine(model, keep="eyes,mouth"))
    eyes_and_mouth = [(60, 80), (60, 120), (107, 100)]
    assert all(plain[y - 2 : y + 2, x - 2 : x + 2].any() for y, x in eyes_and_mouth)
    assert not any(kept[y - 2 : y + 2, x - 2 : x + 2].any() for y, x in eyes_and_mouth)
    assert kept[80, 96:104].any()  # between them, the swapped face
    assert not (kept & ~plain).any()


@pytest.mark.parametrize("keep", ["eyes", "mouth", "brows", "nose"])
def test_each_part_takes_something_out_and_nothing_in(model: SwapModel, keep: str) -> None:
    plain, kept = mask_of(engine(model)), mask_of(engine(model, keep=keep))
    assert (kept <= plain + 1e-6).all()
    assert 0.01 < (plain - kept).sum() / plain.sum() < 0.5


def test_half_an_opacity_is_half_of_both_pictures(model: SwapModel) -> None:
    """Alpha is applied once: 0.5 stays 0.5."""
    whole = engine(model, occlusion="off").process(frames(), [[FACE]], [0])[0]
    half = engine(model, occlusion="off", opacity=0.5).process(frames(), [[FACE]], [0])[0]
    old, new, mixed = (each.planes[0].astype(float) for each in (whole.source, whole.frame, half.frame))
    inside = np.abs(new - old) > 20
    assert inside.sum() > 500
    assert np.abs(mixed - (old + new) / 2)[inside].max() <= 1
    np.testing.assert_allclose(half.layers[0].patch.mask, 0.5 * np.asarray(whole.layers[0].patch.mask), atol=1 / 512)


def test_opacity_does_not_change_what_is_matched(model: SwapModel) -> None:
    """Colours, light, sharpness and grain are those of a whole face, however little of it is seen."""
    given = [[FACE]] * 3
    looks = [
        engine(model, match="mkl", light=1, sharpness=1, opacity=opacity).process(frames(3), given, [0] * 3)[-1]
        for opacity in (1.0, 0.3)
    ]
    np.testing.assert_array_equal(*(each.layers[0].patch.pixels for each in looks))


def test_a_part_may_be_half_seen(model: SwapModel) -> None:
    plain, part = mask_of(engine(model)), mask_of(engine(model, opacity="mouth=0.5"))
    share = part[plain > 0.99] / plain[plain > 0.99]
    assert share.min() == pytest.approx(0.5, abs=0.01)
    assert np.median(share) == pytest.approx(1)


def test_sides_and_refining_reach_the_mask(model: SwapModel) -> None:
    plain = mask_of(engine(model))[0]
    top = mask_of(engine(model, erode="top=0.1"))[0]
    rows = [np.flatnonzero(mask[:, 32] > 0.5) for mask in (plain, top)]
    assert rows[1][0] == pytest.approx(rows[0][0] + 0.1 * 64, abs=1.5)
    assert rows[1][-1] == rows[0][-1]
    assert not np.array_equal(mask_of(engine(model, refine_mask=0.05))[0], plain)


def test_a_grown_mask_is_still_looked_through_for_things_before_it(model: SwapModel) -> None:
    given = covered_frames(32)
    found = masks_of(engine(model, erode=-0.05), given)
    plain = masks_of(engine(model, erode=-0.05, occlusion="off"), given)
    assert (plain[31] - found[31]).sum() > 0.05 * plain[31].sum()


def half_segmenter(path: Path) -> str:
    """A network of XSeg's kind that calls the left half of what it sees face."""
    mask = np.zeros((1, 32, 32, 1), dtype=np.float32)
    mask[:, :, :16] = 1
    return write(path, planted({"out_mask": mask}, (1, 32, 32, 3)))


def test_a_segmenter_is_known_by_its_bytes_whatever_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments made with another network of the same name are of no use."""
    monkeypatch.setenv("FACESWAP_HOME", str(tmp_path))
    store, facts = WeightsStore.of_user(), {"role": "segmenter", "kind": "xseg-1"}
    path = Path(half_segmenter(tmp_path / "half.onnx"))
    by_path = files_used(ConvertConfig(segmenter=str(path)))
    store.add("mine", path.read_bytes(), ".onnx", facts)
    config = ConvertConfig(segmenter="mine")
    assert files_used(config) == by_path
    store.remove("mine")
    store.add("mine", path.read_bytes() + b"\x72\x00", ".onnx", facts)
    assert files_used(config) != by_path


def test_a_tracks_own_segmenter_is_known_by_its_bytes_too(tmp_path: Path) -> None:
    path = Path(half_segmenter(tmp_path / "half.onnx"))
    config = ConvertConfig.model_validate({"override": [{"tracks": "1", "segmenter": str(path)}]})
    before = files_used(config)
    path.write_bytes(path.read_bytes() + b"\x72\x00")
    assert before.keys() == files_used(config).keys() == {"segmenter of override 1"}
    assert files_used(config) != before


def test_a_segmenter_may_be_one_tracks_own(model: SwapModel, tmp_path: Path) -> None:
    file = half_segmenter(tmp_path / "half.onnx")
    left, right = face_at(50, 60, 20), face_at(150, 60, 20, track=1)

    def masks(config: ConvertConfig, settings: SettingsFor | None = None) -> list[NDArray[np.float32] | None]:
        roles = {0: Role(0, "anna"), 1: Role(0, "anna")}
        made = SwapEngine([model], roles, config, StageTimes(), settings=settings)
        (rendered,) = made.process(frames(), [[left, right]], [0])
        return [layer.patch.mask for layer in rendered.layers]

    plain = masks(ConvertConfig(occlusion="off"))
    segmented = masks(ConvertConfig(occlusion="off", segmenter=file))
    index = FaceIndex("f", "d", frame_table(1), 1, 24, (), (), (Shot(0, 1, "start"),), (left, right))
    for top, override, expected in (
        (None, {"tracks": "1", "segmenter": file}, [plain[0], segmented[1]]),
        (file, {"tracks": "1", "segmenter": "none"}, [segmented[0], plain[1]]),
    ):
        config = ConvertConfig.model_validate({"occlusion": "off", "segmenter": top, "override": [override]})
        for mask, wanted in zip(masks(config, SettingsFor.of(config, index)), expected, strict=True):
            np.testing.assert_array_equal(mask, wanted)
    assert not np.array_equal(plain[0], segmented[0])


def test_segmenter_says_what_of_the_face_is_swapped(model: SwapModel, tmp_path: Path) -> None:
    plain = changed(engine(model))
    segmented = changed(engine(model, segmenter=half_segmenter(tmp_path / "half.onnx")))
    assert plain[70:90, 105:130].mean() > 0.5
    assert not segmented[:, 104:].any()
    assert segmented[70:90, 75:90].mean() > 0.5


def painted(path: Path, mask: NDArray[np.uint8]) -> PaintedMasks:
    assert cv2.imwrite(str(path), mask)
    return PaintedMasks(find_painted(path), None, (Shot(0, 100),), {})


def test_black_is_never_swapped_and_white_leaves_the_mask(model: SwapModel, tmp_path: Path) -> None:
    half = np.zeros(SIZE, dtype=np.uint8)
    half[:, :100] = 255
    plain = changed(engine(model))
    left = changed(engine(model, painted(tmp_path / "half.png", half)))
    assert plain[:, 103:].any()
    assert not left[:, 103:].any()
    np.testing.assert_array_equal(left[:, :96], plain[:, :96])
    nothing = painted(tmp_path / "none.png", np.zeros(SIZE, dtype=np.uint8))
    assert not changed(engine(model, nothing)).any()
    everything = painted(tmp_path / "all.png", np.full(SIZE, 255, dtype=np.uint8))
    np.testing.assert_allclose(mask_of(engine(model, everything)), mask_of(engine(model)), atol=1e-6)


def test_painted_masks_can_replace_all_others(model: SwapModel, tmp_path: Path) -> None:
    block = np.zeros(SIZE, dtype=np.uint8)
    block[20:40, 80:120] = 255  # over the brows, where the hull's soft edge is
    replaced = changed(engine(model, painted(tmp_path / "b.png", block), mask_use="replace"))
    assert replaced[24:36, 84:116].mean() > 0.8
    outside = replaced.copy()
    outside[17:43, 77:123] = False
    assert not outside.any()


def covered_frames(count: int) -> list[Frame]:
    """Return frames of one still picture, over which something dark lies from frame 26 on."""
    still = noise_frame("yuv444p", SIZE, seed=7)
    result = []
    for i in range(count):
        planes = [plane.copy() for plane in still.planes]
        if i >= 26:
            cv2.circle(planes[0], (85, 85), 10, 16, -1)
        result.append(replace(still, planes=tuple(planes), index=i))
    return result


def masks_of(engine: SwapEngine, given: list[Frame], batch: int = 8) -> list[NDArray[np.float32]]:
    found = []
    for start in range(0, len(given), batch):
        part = given[start : start + batch]
        faces = [[replace(FACE, frame=frame.index)] for frame in part]
        found += [r.layers[0].patch.mask for r in engine.process(part, faces, [0] * len(part))]
    return [mask for mask in found if mask is not None]


def test_what_comes_before_the_face_stays_in_front(model: SwapModel) -> None:
    given = covered_frames(32)
    found, plain = masks_of(engine(model), given), masks_of(engine(model, occlusion="off"), given)
    assert np.abs(found[25] - plain[25]).max() < 0.05
    assert (plain[31] - found[31]).sum() > 0.05 * plain[31].sum()


def test_masks_of_a_segment_do_not_depend_on_how_it_was_reached(model: SwapModel) -> None:
    """Rendered on from the segment before, or seen first after its last 24 frames were observed."""
    given = covered_frames(40)
    through, alone = engine(model), engine(model)
    through.begin_segment(0, 0)
    masks_of(through, given[:30])
    through.begin_segment(30, 0)
    before = given[6:30]
    alone.observe(before, [[replace(FACE, frame=f.index)] for f in before], [0] * len(before))
    alone.begin_segment(30, 0)
    for a, b in zip(masks_of(through, given[30:]), masks_of(alone, given[30:], batch=3), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-3)


def unsteady_faces(given: list[Frame]) -> list[list[Face]]:
    """Return the face of each frame with points that tremble, as detectors place them."""
    rng = np.random.default_rng(5)
    noise = [rng.normal(0, 0.5, FACE.landmarks.shape) for _ in given]
    return [
        [replace(FACE, frame=f.index, landmarks=FACE.landmarks + move)] for f, move in zip(given, noise, strict=True)
    ]


def test_masks_tremble_less_than_the_points_they_are_made_of(model: SwapModel) -> None:
    given = [replace(frames()[0], index=i) for i in range(40)]
    faces = unsteady_faces(given)
    area = {}
    for steady in (0, 0.6):
        used = engine(model, mask_steady=steady, occlusion="off")
        rendered = used.process(given, faces, [0] * len(given))
        area[steady] = np.array([np.asarray(each.layers[0].patch.mask).sum() for each in rendered])
    assert np.diff(area[0.6], 2).std() < 0.85 * np.diff(area[0], 2).std()
    assert area[0.6].mean() == pytest.approx(area[0].mean(), rel=0.01)


@pytest.mark.parametrize("over", [{}, {"match": "none", "sharpness": 0, "grain": "off", "occlusion": "off"}])
def test_steady_masks_of_a_segment_are_the_same_however_it_was_reached(
    model: SwapModel, over: dict[str, object]
) -> None:
    """To the bit: rendered on from the segment before, or begun after the frames before were seen only."""
    given = frames(44)
    faces = unsteady_faces(given)
    through, alone, afresh = (engine(model, **over) for _ in range(3))
    through.begin_segment(0, 0)
    through.process(given[:32], faces[:32], [0] * 32)
    through.begin_segment(32, 0)
    alone.observe(given[8:32], faces[8:32], [0] * 24)
    alone.begin_segment(32, 0)
    ends = [used.process(given[32:], faces[32:], [0] * 12) for used in (through, alone, afresh)]
    for a, b, _ in zip(*ends, strict=True):
        np.testing.assert_array_equal(np.asarray(a.layers[0].patch.mask), np.asarray(b.layers[0].patch.mask))
    first, _, without = (np.asarray(end[0].layers[0].patch.mask) for end in ends)
    assert not np.array_equal(first, without)  # it does follow from the frames before


def test_a_segment_begins_with_the_looks_of_the_frames_before_in_its_shot(model: SwapModel) -> None:
    """Colours need no memory here; things before the face do, and one of another shot is none."""
    given, sums = covered_frames(30), {}
    for shot in (0, 1):
        used = engine(model)
        used.begin_segment(0, 0)
        masks_of(used, given[:27])
        used.begin_segment(27, shot)
        sums[shot] = masks_of(used, given[27:])[-1].sum()
    plain = masks_of(engine(model, occlusion="off"), given[29:])[-1].sum()
    assert sums[0] < 0.95 * plain
    assert sums[1] > 0.98 * plain


def test_size_of_batches_does_not_change_the_masks(model: SwapModel) -> None:
    given = covered_frames(32)
    for a, b in zip(masks_of(engine(model), given, 8), masks_of(engine(model), given, 5), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-3)
