"""The products for a compositor: laid over the source again, they give the clip."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import make_clip
from makers import encode_clip, noise_frame, smooth_noise
from numpy.typing import NDArray

from faceswap import color, geometry, masks
from faceswap.config import validated
from faceswap.convert import blend
from faceswap.convert.config import ConvertConfig
from faceswap.convert.deliver import raw_rgb
from faceswap.convert.names import product_paths
from faceswap.convert.products import VideoProduct, compositing_product
from faceswap.convert.rendered import Layer, Rendered
from faceswap.convert.seal import Seal
from faceswap.errors import UsageError
from faceswap.media.probe import ClipInfo, probe
from faceswap.media.reader import VideoReader
from faceswap.types import Frame, Patch

SIZE = (96, 128)
UNMARKED = Seal(None, "face", None, 0.0)


def layer(x: float, y: float, *, seed: int = 0, side: int = 48, scale: float = 1.0, angle: float = 0.2) -> Layer:
    """Return a layer of soft noise around (x, y) px, `scale` frame px a patch px."""
    raw, matched = (np.moveaxis(smooth_noise((side, side), seed + i, blur=6), -1, 0) for i in (1, 2))
    yy, xx = np.mgrid[0:side, 0:side] + 0.5 - side / 2
    mask = (np.hypot(xx, yy) < side * 0.3).astype(np.float32)[None]
    mask = masks.shape_edge(mask, erode=0.0, feather=6.0)
    frame_from_patch = geometry.compose(
        geometry.from_similarity(geometry.Similarity(np.log(scale), angle, x, y)),
        geometry.translation(-side / 2, -side / 2),
    )
    return Layer(0, raw, Patch(matched, mask, geometry.invert(frame_from_patch)))


def rendered(pix_fmt: str = "yuv420p", layers: tuple[Layer, ...] | None = None) -> Rendered:
    source = noise_frame(pix_fmt, SIZE)
    layers = (layer(60, 45),) if layers is None else layers
    frame = source
    for each in layers:
        frame = blend.paste(frame, each.patch)
    return Rendered(source, frame, layers)


def info_of(frame: Frame, tmp_path: Path) -> ClipInfo:
    info = probe(make_clip(tmp_path / "like.mkv", size=SIZE, codec="ffv1", num_frames=1, color_tags=(1, 1, 1, 1)))
    return replace(info, layout=frame.layout, color=frame.color)


def product(name: str, given: Rendered, tmp_path: Path) -> VideoProduct:
    return compositing_product(name, info_of(given.source, tmp_path), tmp_path / "out.mov", UNMARKED)


def over(source: NDArray, premultiplied: NDArray, alpha: NDArray, zero: float, depth: float) -> NDArray:
    """Composite as a suite does; `premultiplied` has its zero at 4 x the 8-bit code, like all 10-bit material."""
    return zero + (source - zero) * (1 - alpha) + (premultiplied / depth - zero)


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv444p10le"])
def test_overlay_over_the_source_gives_the_clip(tmp_path: Path, pix_fmt: str) -> None:
    given = rendered(pix_fmt, (layer(60, 45), layer(80, 50, seed=5)))
    picture = product("overlay", given, tmp_path).picture(given)
    step = 2 ** (given.source.color.bit_depth - 8)
    alpha = picture.planes[3] / 1023
    luma = over(given.source.planes[0].astype(float), picture.planes[0], alpha, 16 * step, 4 / step)
    # Two pastes are rounded once each, the overlay and its alpha once more each.
    assert np.abs(luma - given.frame.planes[0]).max() <= (1.6 if step == 1 else 3)
    shift = given.source.layout.chroma_shift
    for i in (1, 2):
        small, small_alpha = (at_chroma_sites(plane, shift) for plane in (picture.planes[i], picture.planes[3]))
        chroma = over(given.source.planes[i].astype(float), small, small_alpha / 1023, 128 * step, 4 / step)
        error = np.abs(chroma - given.frame.planes[i]) / step
        # Subsampled chroma is filtered a little differently on the two ways.
        assert error.max() <= (1.6 if shift == (0, 0) else 3)
        assert error.mean() <= 0.2


def at_chroma_sites(plane: NDArray, shift: tuple[int, int]) -> NDArray:
    """Return a full-size plane at the chroma samples: on every other column, between the lines."""
    result = plane.astype(float)
    if shift[1]:
        result = (np.roll(result, 1, axis=1) + 2 * result + np.roll(result, -1, axis=1))[:, ::2] / 4
    return (result[::2] + result[1::2]) / 2 if shift[0] else result


def test_overlay_is_black_and_clear_where_nothing_was_swapped(tmp_path: Path) -> None:
    given = rendered(layers=())
    picture = product("overlay", given, tmp_path).picture(given)
    assert [int(plane.min()) for plane in picture.planes] == [64, 512, 512, 0]
    assert [int(plane.max()) for plane in picture.planes] == [64, 512, 512, 0]


def test_alpha_is_where_the_clip_changed(tmp_path: Path) -> None:
    given = rendered("yuv444p")
    alpha = product("overlay", given, tmp_path).picture(given).planes[3]
    changed = given.frame.planes[0] != given.source.planes[0]
    assert changed.any()
    assert (alpha[changed] > 0).all()


def test_matte_is_the_alpha_as_gray(tmp_path: Path) -> None:
    given = rendered()
    gray = product("matte", given, tmp_path).picture(given)
    alpha = product("overlay", given, tmp_path).picture(given).planes[3] / 1023
    np.testing.assert_allclose((gray.planes[0] - 64.0) / 876, alpha, atol=1.2 / 876)
    assert gray.planes[0].max() == 940
    assert all((plane == 512).all() for plane in gray.planes[1:])


def test_raw_holds_the_networks_pixels_and_the_final_mask(tmp_path: Path) -> None:
    square = layer(64, 48, angle=0.0)
    given = rendered("yuv444p", (square,))
    picture = product("raw", given, tmp_path).picture(given)
    codes = np.stack([plane[24:72, 40:88] for plane in picture.planes[:3]]).astype(np.float32)
    rgb = color.transform(codes, color.rgb_from_codes(picture.color))
    np.testing.assert_allclose(rgb[:, 2:-2, 2:-2], square.raw[:, 2:-2, 2:-2], atol=2e-3)
    np.testing.assert_allclose(picture.planes[3][24:72, 40:88] / 1023, square.patch.mask[0], atol=1e-3)  # type: ignore[index]
    assert picture.planes[0][:20].max() == 64
    np.testing.assert_allclose(raw_rgb(given)[:, 26:70, 42:86], square.raw[:, 2:-2, 2:-2], atol=1e-3)


def test_where_raw_squares_overlap_the_face_that_is_seen_wins(tmp_path: Path) -> None:
    first, second = layer(50, 48, seed=1, angle=0.0), layer(76, 48, seed=9, angle=0.0)
    both = product("raw", rendered("yuv444p", (first, second)), tmp_path)
    alone = both.picture(rendered("yuv444p", (first,)))
    together = both.picture(rendered("yuv444p", (first, second)))
    # The middle of the first face lies in the second square, outside its mask.
    np.testing.assert_array_equal(together.planes[0][44:52, 54:56], alone.planes[0][44:52, 54:56])


@pytest.mark.parametrize("name", ["overlay", "matte", "raw"])
def test_products_keep_size_times_turn_and_tags(tmp_path: Path, name: str) -> None:
    source = make_clip(
        tmp_path / "in.mp4",
        size=SIZE,
        times=[0, 3003, 9001, 9100],
        rotation=90,
        pixel_aspect=Fraction(4, 3),
        color_tags=(9, 18, 9, 1),
        pix_fmt="yuv420p10le",
        audio_tracks=1,
    )
    reader = VideoReader(source)
    made = compositing_product(name, reader.info, tmp_path / "out.mp4", UNMARKED)
    assert made.output == tmp_path / f"out_{name}.mov"
    pictures = [made.picture(Rendered(frame, frame, (layer(60, 45),))) for frame in reader]
    encode_clip(made.output, made.info, made.encode, pictures)
    after = VideoReader(made.output)
    for fact in ("size", "display_matrix", "pixel_aspect", "tags", "time_base"):
        assert getattr(after.info, fact) == getattr(reader.info, fact), fact
    assert [frame.time for frame in after] == [frame.time for frame in reader]
    assert ("yuva" in after.info.layout.name) == (name != "matte")


def test_rgb_sources_get_products_in_bt709(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mkv", size=SIZE, pix_fmt="bgr0", codec="ffv1", num_frames=1)
    info = probe(clip)
    made = compositing_product("overlay", info, tmp_path / "out.mov", UNMARKED)
    assert (made.info.color.matrix, made.info.tags.matrix, made.info.color.bit_depth) == ("bt709", 1, 10)


def test_deliverables_are_chosen_by_a_comma_list() -> None:
    config = validated(ConvertConfig, {"deliver": "clip, overlay,overlay,otio"}, "convert")
    assert config.deliver == ("clip", "overlay", "otio")
    names = [path.name for path in product_paths(Path("a/out.mp4"), config.deliver)]
    assert names == ["out.mp4", "out_overlay.mov", "out.otio", "out.edl", "out.xml", "out.fcpxml"]


@pytest.mark.parametrize("text", ["clip,mask", "", "otio"])
def test_impossible_deliverables_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        validated(ConvertConfig, {"deliver": text}, "convert")
