"""Previews: the pixels of a conversion without one, grids, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from clips import astronaut_picture, gradient_picture, make_clip, woven
from makers import detector, tiny_model
from numpy.typing import NDArray
from people import make_two_person_clip

from faceswap.config import validated
from faceswap.convert import segments
from faceswap.convert.config import ConvertConfig
from faceswap.convert.grid import grid_of
from faceswap.convert.pipeline import convert_clip
from faceswap.convert.plan import ConvertPlan
from faceswap.convert.preview import PreviewReport, PreviewWish, preview_clip
from faceswap.errors import NoFaceError, UsageError
from faceswap.faces.analyse import kept_index
from faceswap.media.pictures import write_picture
from faceswap.media.reader import VideoReader
from faceswap.models.swap_model import SwapModel
from faceswap.provenance.verify import verify_clip

SIZE = (160, 200)
SWAPPED = ("swapped",)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SwapModel:
    return SwapModel.load(tiny_model(tmp_path_factory.mktemp("model")), device="cpu", precision="fp32")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "in.mkv"
    return make_clip(path, size=SIZE, num_frames=40, picture=lambda i: astronaut_picture(SIZE, 20 * np.sin(i / 15)))


def settings(**values: Any) -> ConvertConfig:
    return validated(ConvertConfig, values, "test")


def read(path: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path))
    assert picture is not None
    return picture


def keep_index(clip: Path) -> None:
    kept_index(VideoReader(clip), detector(), clip.with_name("out.mkv"), min_face_px=24)


def preview(
    clip: Path, model: SwapModel, *frames: str, config: ConvertConfig | None = None, **wish: Any
) -> tuple[NDArray[np.uint8], PreviewReport]:
    """Return the picture and the report of a preview beside the clip."""
    wanted = PreviewWish(frames, **{"show": SWAPPED, **wish})
    report = preview_clip(clip, model, wish=wanted, config=config, detector=detector())
    assert report.output == clip.with_name(f"{clip.stem}_preview.png")
    return read(report.output), report


def require_like_converted(clip: Path, model: SwapModel, config: ConvertConfig, *frames: int) -> None:
    """Fail unless previews of frames are what `convert` writes as pictures before the watermark, bit for bit."""
    pictures = clip.with_name("frames")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ConvertPlan, "watermark_id", None)
        convert_clip(clip, model, pictures, config=config.model_copy(update={"codec": "png"}), detector=detector())
    for frame in frames:
        shown, report = preview(clip, model, str(frame), config=config)
        assert report.is_exact
        np.testing.assert_array_equal(shown, read(pictures / f"{frame:06d}.png"))


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"keep": "mouth", "override": [{"start": 20, "end": 30, "match": "none", "feather": 0.2, "keep": "none"}]},
        {"start": "10", "trim": True},
        {"match": "none", "occlusion": "off", "sharpness": 0, "grain": "off"},
        {"match_over": "shot", "override": [{"start": 20, "match": "histogram"}]},
    ],
)
def test_a_preview_shows_the_pixels_of_a_conversion(
    clip: Path, model: SwapModel, monkeypatch: pytest.MonkeyPatch, values: dict[str, Any]
) -> None:
    """In segments of 16 frames, so that colours and masks rest on the frames before a segment."""
    monkeypatch.setattr(segments, "MAX_FRAMES", 16)
    monkeypatch.setattr(segments, "_MIN_FRAMES", 8)
    require_like_converted(clip, model, settings(**values), 10, 29, 39)


def test_fields_and_turned_pictures_are_those_of_a_conversion(model: SwapModel, tmp_path: Path) -> None:
    make_clip(
        tmp_path / "woven.mkv",
        size=SIZE,
        num_frames=6,
        field_order="tff",
        codec="ffv1",
        picture=woven(lambda k: astronaut_picture(SIZE, 3.0 * k - 10), "tff"),
    )
    require_like_converted(tmp_path / "woven.mkv", model, settings(), 4)


def test_two_people_are_shown_one_below_the_other(model: SwapModel, tmp_path: Path) -> None:
    clip = make_two_person_clip(tmp_path / "in.mkv")
    keep_index(clip)
    picture, report = preview(clip, model, "5", view="face", config=settings(faces="all"), show=("original", "swapped"))
    assert report.frames[0].faces == ({"track": 0, "to": "anna"}, {"track": 1, "to": "anna"})
    cell = 384 + 4
    assert picture.shape == (2 * (cell + 22 + 4), 2 * cell + 4, 3)


def test_each_cell_of_a_grid_is_the_preview_with_that_setting(clip: Path, model: SwapModel) -> None:
    keep_index(clip)
    height, width = SIZE
    sheet, report = preview(clip, model, "30", grid=("match=mkl,none", "feather=0.04,0.2"), view="frame")
    assert report.variants == (
        "match=mkl  feather=0.04",
        "match=mkl  feather=0.2",
        "match=none  feather=0.04",
        "match=none  feather=0.2",
    )
    cells = []
    for number, (match, feather) in enumerate((m, f) for m in ("mkl", "none") for f in (0.04, 0.2)):
        y, x = 4 + number // 2 * (height + 26) + 22, 4 + number % 2 * (width + 4)
        cells.append(sheet[y : y + height, x : x + width])
        alone, _ = preview(clip, model, "30", config=settings(match=match, feather=feather))
        np.testing.assert_array_equal(cells[-1], alone)
    assert len({cell.tobytes() for cell in cells}) == 4


def test_values_of_a_grid_win_over_overrides(clip: Path, model: SwapModel) -> None:
    keep_index(clip)
    config = settings(override=[{"shots": "1", "match": "none"}])
    plain, _ = preview(clip, model, "30", config=settings())
    shown, _ = preview(clip, model, "30", config=config, grid=("match=mkl",), view="frame")
    overridden, _ = preview(clip, model, "30", config=config)
    np.testing.assert_array_equal(shown, plain)
    assert (overridden != plain).any()


def test_the_network_is_asked_once_for_all_cells(clip: Path, model: SwapModel, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_index(clip)
    calls = []
    real = SwapModel.swap
    monkeypatch.setattr(
        SwapModel, "swap", lambda self, batch, **how: calls.append(len(batch)) or real(self, batch, **how)
    )
    preview(clip, model, "30")
    alone, calls[:] = list(calls), []
    preview(clip, model, "30", grid=("match", "feather"))
    assert calls == alone == [8, 8, 8, 8]


def test_mask_and_raw_are_shown(clip: Path, model: SwapModel) -> None:
    keep_index(clip)
    mask, _ = preview(clip, model, "3", show=("mask",))
    raw, _ = preview(clip, model, "3", show=("raw",))
    shown, _ = preview(clip, model, "3", show=("original", "swapped", "mask", "raw"))
    assert (mask == mask[..., :1]).all()
    assert mask.min() == 0
    assert mask.max() > 100  # the untrained network is not sure
    assert (raw[mask[..., 0] > 0] > 0).any(axis=1).all()
    assert shown.shape == (SIZE[0] + 22 + 2 * 4, 4 * (SIZE[1] + 4) + 4, 3)


def test_without_an_index_only_a_stretch_is_analysed(clip: Path, model: SwapModel) -> None:
    near, report = preview(clip, model, "1.2s", config=settings(grain="off"))
    assert not report.has_reused_index
    assert report.frames[0].frame == 30
    assert any("no face index" in note for note in report.notes)
    assert not clip.with_name(".faceswap").exists()
    keep_index(clip)
    exact, report = preview(clip, model, "30", config=settings(grain="off"))
    assert report.has_reused_index
    difference = np.abs(near.astype(int) - exact)
    assert difference.mean() < 0.5  # the whole frame; colours of the face follow a shorter past
    (source,) = [frame for frame in VideoReader(clip) if frame.index == 30]
    assert source.size == exact.shape[:2]
    original, _ = preview(clip, model, "30", show=("original",))
    assert np.abs(original.astype(int) - exact).mean() > 3 * difference.mean()


def test_quick_previews_look_at_few_frames(clip: Path, model: SwapModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Colours and strength of the grain follow a shorter past; the samples of the grain are its own."""
    keep_index(clip)
    exact, exact_smooth = (preview(clip, model, "38", config=settings(grain=way))[0] for way in ("match", "off"))
    sizes: list[int] = []
    real = SwapModel.swap
    monkeypatch.setattr(
        SwapModel, "swap", lambda self, batch, **how: sizes.append(len(batch)) or real(self, batch, **how)
    )
    quick, report = preview(clip, model, "38", is_quick=True)
    assert (report.has_reused_index, report.is_exact) == (True, False)
    assert sum(sizes) == 24 + 1
    quick_smooth, _ = preview(clip, model, "38", config=settings(grain="off"), is_quick=True)
    assert np.abs(quick_smooth.astype(int) - exact_smooth).mean() < 0.1
    grains = [float((a.astype(int) - b).std()) for a, b in ((exact, exact_smooth), (quick, quick_smooth))]
    assert grains[1] == pytest.approx(grains[0], rel=0.25)
    sizes.clear()
    preview(clip, model, "38", config=settings(match="none", occlusion="off", sharpness=0, grain="off", mask_steady=0))
    assert sizes == [8]


def test_moments_are_written_like_those_of_convert(clip: Path, model: SwapModel) -> None:
    shown = {}
    for text in ("20", "0.8s", "00:00:00:20", "pts:800", "0:00.8"):
        picture, report = preview(clip, model, text, show=("original",))
        shown[text] = picture.tobytes()
        assert report.frames[0].frame == 20
    keep_index(clip)
    shown["kept"] = preview(clip, model, "20", show=("original",))[0].tobytes()
    assert len(set(shown.values())) == 1


def test_frames_of_a_variable_rate_are_counted_exactly_only_with_an_index(model: SwapModel, tmp_path: Path) -> None:
    milliseconds = [*range(0, 400, 40), *range(400, 4000, 400)]
    clip = make_clip(
        tmp_path / "in.mkv",
        size=SIZE,
        times=[90 * t for t in milliseconds],
        picture=lambda i: astronaut_picture(SIZE, 2.0 * i),
    )
    _, report = preview(clip, model, "4")
    assert any("--frame 4 was counted by the clip's average rate" in note for note in report.notes)
    keep_index(clip)
    by_number, report = preview(clip, model, "4")
    by_time, _ = preview(clip, model, "0.16s")
    assert report.frames[0].frame == 4
    np.testing.assert_array_equal(by_number, by_time)


@pytest.mark.parametrize("is_kept", [False, True])
@pytest.mark.parametrize("text", ["40", "99", "2:00", "pts:5000"])
def test_moments_outside_the_clip_are_refused(clip: Path, model: SwapModel, text: str, is_kept: bool) -> None:
    if is_kept:
        keep_index(clip)
    with pytest.raises(UsageError, match=r"lies outside the clip|behind its last frame"):
        preview(clip, model, text)


def test_numbers_of_the_whole_clip_need_its_index(clip: Path, model: SwapModel) -> None:
    cases = (settings(track="0"), settings(shots="1"), settings(override=[{"shots": "1", "feather": 0.2}]))
    for config in cases:
        with pytest.raises(UsageError, match=r"`faceswap shots .*in.mkv` makes it once"):
            preview(clip, model, "5", config=config)
    keep_index(clip)
    for config in cases:
        assert preview(clip, model, "5", config=config)[1].frames[0].faces == ({"track": 0, "to": "anna"},)


def test_frames_without_a_face_are_said(model: SwapModel, tmp_path: Path) -> None:
    def picture(frame: int) -> np.ndarray:
        return astronaut_picture(SIZE, frame) if frame < 12 else gradient_picture(SIZE, frame)

    clip = make_clip(tmp_path / "in.mkv", size=SIZE, num_frames=20, picture=picture)
    for is_kept in (False, True):
        if is_kept:
            keep_index(clip)
        _, report = preview(clip, model, "3", "17")
        assert [len(row.faces) for row in report.frames] == [1, 0]
        assert any("no face to swap in frame 17" in note for note in report.notes)
        with pytest.raises(NoFaceError, match="no face to swap in frame 17"):
            preview(clip, model, "17")


def test_a_preview_is_marked_and_replaces_only_previews(clip: Path, model: SwapModel) -> None:
    output = clip.with_name("in_preview.png")
    write_picture(output, gradient_picture((32, 32), 0))
    with pytest.raises(UsageError, match="exists and is no preview"):
        preview(clip, model, "3")
    output.unlink()
    for _ in range(2):
        _, report = preview(clip, model, "3")
    found = verify_clip(output)
    assert found.agrees
    assert all(mark is not None and mark.model_sha256 == report.model_sha256 for mark in found.layers.values())
    for name, message in (("a.jpg", "ends in .png"), ("no/a.png", "does not exist")):
        with pytest.raises(UsageError, match=message):
            preview_clip(clip, model, clip.with_name("x") / ".." / name, wish=PreviewWish(("3",)))


def test_axes_take_values_or_all_words() -> None:
    config = ConvertConfig()
    assert [v.title for v in grid_of(config, ["grain"]).variants] == ["grain=match", "grain=off"]
    assert [v.title for v in grid_of(config, ["keep=none,eyes+mouth"]).variants] == ["keep=none", "keep=eyes+mouth"]
    both = grid_of(config, ["grain,occlusion"])
    assert (len(both.variants), both.num_columns) == (4, 2)
    assert grid_of(config, []).variants[0].config == config


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["feater=1"], "did you mean 'feather'"),
        (["codec"], "allowed: match"),
        (["match=mkl,no"], "match = 'no'"),
        (["feather=0.1,wide"], "feather = 'wide'"),
        (["segmenter"], "gives no values"),
        (["match="], "gives no values"),
        (["match", "match"], "two different ones"),
        (["match,occlusion,keep"], "two different ones"),
        (["feather=" + ",".join(f"0.{i:02d}" for i in range(50))], "at most 48"),
    ],
)
def test_grids_that_cannot_be_are_refused(texts: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        grid_of(ConvertConfig(), texts)
