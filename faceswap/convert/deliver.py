"""Pictures that leave a conversion beside the finished one: what a compositor needs to redo the blend.

Pure functions from a `Rendered`; `products` says which files they go to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from faceswap.color import code_scale
from faceswap.convert import blend
from faceswap.convert.rendered import Layer, Rendered
from faceswap.media.encode_plan import EncodeSettings
from faceswap.media.h273 import BT709, STUDIO_RANGE
from faceswap.media.layouts import layout_of
from faceswap.media.probe import ClipInfo
from faceswap.types import ColorInfo, Frame, Patch

_DEPTH = 10
"""Bits of the compositing products: what the ProRes encoder takes."""


def overlay(rendered: Rendered, blank: Frame) -> Frame:
    """Return the swapped faces over black, premultiplied, with their alpha: laid over the source they give the clip."""
    frame = blank
    for layer in rendered.layers:
        frame = blend.paste(frame, layer.patch, layer.grain)
    return _with_alpha(frame, [layer.patch for layer in rendered.layers])


def matte(rendered: Rendered, blank: Frame) -> Frame:
    """Return the alpha as gray: black to white over the whole range that the tags allow."""
    alpha = blend.alpha_of(blank.size, [layer.patch for layer in rendered.layers])
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
    alpha = blend.alpha_of(rendered.source.size, [layer.patch for layer in rendered.layers])
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


@dataclass(frozen=True, slots=True)
class Drawing:
    """How one of the products for a compositor is made."""

    pix_fmt: str
    settings: EncodeSettings
    draw: Callable[[Rendered, Frame], Frame]
    """(rendered, blank frame of this format) -> picture."""


DRAWINGS: Mapping[str, Drawing] = {
    "overlay": Drawing("yuva444p10le", EncodeSettings("prores4444"), overlay),
    "matte": Drawing("yuv422p10le", EncodeSettings("prores"), matte),
    "raw": Drawing("yuva444p10le", EncodeSettings("prores4444"), raw),
}


def _square(layer: Layer) -> Patch:
    return replace(layer.patch, pixels=layer.raw, mask=np.ones((1, *layer.raw.shape[1:]), dtype=np.float32))


def drawn_info(info: ClipInfo, pix_fmt: str) -> ClipInfo:
    """Return the source's facts for pictures of another format: same size, times, turn and tags, studio range."""
    is_rgb = info.layout.is_rgb
    color = replace(
        ColorInfo("bt709") if is_rgb else info.color,
        full_range=False,
        bit_depth=_DEPTH,
    )
    tags = replace(info.tags, range=STUDIO_RANGE, matrix=BT709 if is_rgb else info.tags.matrix)
    # HDR10 metadata describe the finished picture; the products have no place for them, and no need.
    return replace(info, layout=layout_of(pix_fmt)[0], color=color, tags=tags, light=None, notes=())


def blank_frame(source: Frame, info: ClipInfo) -> Frame:
    """Return a black, fully transparent frame of the source's size and time.

    Args:
        source: a frame or a field of one. info: of the pictures that are made of it.
    """
    small = info.layout.chroma_size(source.size)
    black, _ = _black_and_white(info.color)
    neutral = 2 ** (info.color.bit_depth - 1)
    planes = [
        np.full(size, code, np.uint16) for size, code in ((source.size, black), (small, neutral), (small, neutral))
    ]
    if info.layout.has_alpha:
        planes.append(np.zeros(source.size, np.uint16))
    return Frame(tuple(planes), info.layout, info.color, source.time, source.index, source.duration)


def _black_and_white(color: ColorInfo) -> tuple[int, int]:
    """Return the luma codes of black and white."""
    scale = code_scale(color)
    return round(scale.offset[0]), round(scale.offset[0] + scale.linear[0, 0])


def _with_alpha(frame: Frame, patches: Sequence[Patch]) -> Frame:
    top = 2**frame.color.bit_depth - 1
    alpha = np.rint(blend.alpha_of(frame.size, patches) * top).astype(frame.planes[0].dtype)
    return replace(frame, planes=(*frame.planes[:3], alpha))
