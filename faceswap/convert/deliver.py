"""What leaves a conversion: the finished clip and what a compositor needs to redo the blend.

Products are data and pure functions from a `Rendered` to a picture; who renders loops over the clip and hands each
product its pictures. The mark is put into every one of them by the writer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from faceswap.convert import blend
from faceswap.convert.config import ConvertConfig
from faceswap.convert.engine import Layer, Rendered
from faceswap.media.encode_plan import EncodePlan, EncodeSettings, plan_encode
from faceswap.media.layouts import layout_of
from faceswap.media.picture_texts import PictureTexts
from faceswap.media.probe import ClipInfo
from faceswap.media.sequence import SequenceTarget, SequenceWriter, sequence_stem, sequence_target
from faceswap.provenance.picture_mark import texts_of
from faceswap.types import ColorInfo, Frame, Patch

if TYPE_CHECKING:
    from faceswap.convert.plan import ConvertPlan

_DEPTH = 10
"""Bits of the compositing products: what the ProRes encoder takes."""
_STUDIO_RANGE = 1
_BT709 = 1


@dataclass(frozen=True, slots=True)
class VideoProduct:
    """A clip to be written beside (or instead of) the finished one."""

    name: str
    """ "clip", "overlay", "matte" or "raw"."""
    output: Path
    info: ClipInfo
    """Of the frames that `picture` gives."""
    encode: EncodePlan
    picture: Callable[[Rendered], Frame]
    copies_streams: bool
    """Audio, subtitles and the rest come along."""


@dataclass(frozen=True, slots=True)
class SequenceProduct:
    """The finished clip as pictures; EXR holds the matte and the raw network output too."""

    name: str
    """ "clip"."""
    target: SequenceTarget
    info: ClipInfo
    """Of the source."""
    texts: PictureTexts
    """The mark; in every picture."""

    @property
    def output(self) -> Path:
        """The folder that will hold the pictures."""
        return self.target.folder

    def open_writer(self, folder: Path) -> SequenceProductWriter:
        """Return a writer into a folder that is there; parts are joined by `media.sequence.assemble`."""
        return SequenceProductWriter(SequenceWriter(folder, self.target, self.info, self.texts), self.target.kind)


class SequenceProductWriter:
    """Writes rendered frames as pictures."""

    def __init__(self, writer: SequenceWriter, kind: str) -> None:
        self._writer, self._kind = writer, kind

    def write(self, rendered: Rendered) -> None:
        """Write one frame.

        Raises:
            ResourceError: disk full.
        """
        self._writer.write(rendered.frame, compositing_channels(rendered) if self._kind == "exr" else None)

    def close(self) -> None:
        """Make everything whole and write the table of frames."""
        self._writer.close()

    def abort(self) -> None:
        """Delete what was written."""
        self._writer.abort()


Product = VideoProduct | SequenceProduct


def products_of(plan: ConvertPlan, config: ConvertConfig) -> list[Product]:
    """Return everything with pictures in it that a conversion writes; the clip first unless it is not wanted.

    The timeline is not among them: `convert.timeline` writes it when these are there.
    """
    products: list[Product] = []
    if "clip" in config.deliver:
        target = sequence_target(plan.output, config.codec)
        if target is not None:
            products.append(SequenceProduct("clip", target, plan.info, texts_of(plan.mark)))
        else:
            products.append(VideoProduct("clip", plan.output, plan.info, plan.encode, finished, copies_streams=True))
    products += [compositing_product(name, plan.info, plan.output) for name in config.deliver if name in _COMPOSITING]
    return products


def compositing_product(name: str, info: ClipInfo, clip_output: Path) -> VideoProduct:
    """Return one of the products for a compositor.

    Args:
        name: "overlay", "matte" or "raw".
        info: of the source. clip_output: where the finished clip goes, or would go.
    """
    pix_fmt, settings, draw = _COMPOSITING[name]
    output = product_path(name, clip_output)
    drawn = _drawn_info(info, pix_fmt)

    def picture(rendered: Rendered) -> Frame:
        return draw(rendered, _blank(rendered.source, drawn))

    return VideoProduct(name, output, drawn, plan_encode(drawn, output, settings), picture, copies_streams=False)


def product_path(name: str, clip_output: Path) -> Path:
    """Return the path of a product beside the clip: `<stem>_overlay.mov` and so on, `<stem>.otio` for the timeline."""
    if name == "clip":
        return clip_output
    stem = sequence_stem(clip_output)
    return clip_output.with_name(f"{stem}.otio" if name == "otio" else f"{stem}_{name}.mov")


def product_paths(clip_output: Path, config: ConvertConfig) -> list[Path]:
    """Return every path that a conversion will write."""
    return [product_path(name, clip_output) for name in config.deliver]


def finished(rendered: Rendered) -> Frame:
    """Return the frame with its faces swapped."""
    return rendered.frame


def overlay(rendered: Rendered, blank: Frame) -> Frame:
    """Return the swapped faces over black, premultiplied, with their alpha: laid over the source they give the clip."""
    frame = blank
    for layer in rendered.layers:
        frame = blend.paste(frame, layer.patch)
    return _with_alpha(frame, [layer.patch for layer in rendered.layers])


def matte(rendered: Rendered, blank: Frame) -> Frame:
    """Return the alpha as gray: black to white over the whole range that the tags allow."""
    alpha = blend.coverage(blank.size, [layer.patch for layer in rendered.layers])
    black, white = _black_and_white(blank.color)
    luma = np.rint(black + alpha * (white - black)).astype(blank.planes[0].dtype)
    return replace(blank, planes=(luma, *blank.planes[1:]))


def raw(rendered: Rendered, blank: Frame) -> Frame:
    """Return the network's own pixels over their whole squares; straight alpha, the final mask."""
    frame = blank
    # The squares first, then each face again under its own mask: where squares overlap, the face that is seen wins.
    for layer in rendered.layers:
        frame = blend.paste(frame, _square(layer))
    if len(rendered.layers) > 1:
        for layer in rendered.layers:
            frame = blend.paste(frame, replace(layer.patch, pixels=layer.raw))
    return _with_alpha(frame, [layer.patch for layer in rendered.layers])


def compositing_channels(rendered: Rendered) -> dict[str, NDArray[np.float32]]:
    """Return the EXR channels beside the finished picture: A, the matte, and face.R, G, B, the raw network output."""
    alpha = blend.coverage(rendered.source.size, [layer.patch for layer in rendered.layers])
    return {"A": alpha} | {f"face.{name}": values for name, values in zip("RGB", raw_rgb(rendered), strict=True)}


def raw_rgb(rendered: Rendered) -> NDArray[np.float32]:
    """Return `raw` as (3, h, w) float32 RGB, black outside the squares."""
    picture = np.zeros((3, *rendered.source.size), dtype=np.float32)
    for layer in rendered.layers:
        picture = blend.lay_rgb(picture, _square(layer))
    if len(rendered.layers) > 1:
        for layer in rendered.layers:
            picture = blend.lay_rgb(picture, replace(layer.patch, pixels=layer.raw))
    return picture


_COMPOSITING: dict[str, tuple[str, EncodeSettings, Callable[[Rendered, Frame], Frame]]] = {
    "overlay": ("yuva444p10le", EncodeSettings("prores4444"), overlay),
    "matte": ("yuv422p10le", EncodeSettings("prores"), matte),
    "raw": ("yuva444p10le", EncodeSettings("prores4444"), raw),
}


def _square(layer: Layer) -> Patch:
    return replace(layer.patch, pixels=layer.raw, mask=np.ones((1, *layer.raw.shape[1:]), dtype=np.float32))


def _drawn_info(info: ClipInfo, pix_fmt: str) -> ClipInfo:
    """Return the source's facts for pictures of another format: same size, times, turn and tags, studio range."""
    is_rgb = info.layout.is_rgb
    color = replace(
        ColorInfo("bt709") if is_rgb else info.color,
        full_range=False,
        bit_depth=_DEPTH,
    )
    tags = replace(info.tags, range=_STUDIO_RANGE, matrix=_BT709 if is_rgb else info.tags.matrix)
    # HDR10 metadata describe the finished picture; the products have no place for them, and no need.
    return replace(info, layout=layout_of(pix_fmt)[0], color=color, tags=tags, light=None, notes=())


def _blank(source: Frame, info: ClipInfo) -> Frame:
    """Return a black, fully transparent frame at the source's time."""
    height, width = info.size
    shift_y, shift_x = info.layout.chroma_shift
    small = (-(-height // 2**shift_y), -(-width // 2**shift_x))
    black, _ = _black_and_white(info.color)
    neutral = 2 ** (info.color.bit_depth - 1)
    planes = [np.full(size, code, np.uint16) for size, code in ((info.size, black), (small, neutral), (small, neutral))]
    if info.layout.name.startswith("yuva"):
        planes.append(np.zeros(info.size, np.uint16))
    return Frame(tuple(planes), info.layout, info.color, source.time, source.index, source.duration)


def _black_and_white(color: ColorInfo) -> tuple[int, int]:
    step = 2 ** (color.bit_depth - 8)
    return 16 * step, 235 * step


def _with_alpha(frame: Frame, patches: Sequence[Patch]) -> Frame:
    top = 2**frame.color.bit_depth - 1
    alpha = np.rint(blend.coverage(frame.size, patches) * top).astype(frame.planes[0].dtype)
    return replace(frame, planes=(*frame.planes[:3], alpha))
