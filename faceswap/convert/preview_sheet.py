"""The picture that a preview shows: frames or enlarged faces, side by side, titled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap import geometry, resample
from faceswap.convert.deliver import compositing_channels
from faceswap.convert.fields import channels_by_field
from faceswap.convert.grid import Grid
from faceswap.convert.rendered import Layer, Rendered
from faceswap.faces.views import upright_from_frame
from faceswap.media.contact_sheet import contact_sheet, stacked
from faceswap.media.probe import ClipInfo
from faceswap.media.rgb import rgb_codes, rgb_values, upright

Kind = Literal["original", "swapped", "mask", "raw"]
View = Literal["frame", "face"]
_FACE_SIDES = (384, 768)
"""px: the least side of an enlarged face, and the largest that one is shown at its own size."""
_ROOM = 1.05
"""Side of what is shown of a face, in sides of the square that the network fills."""


@dataclass(frozen=True, slots=True)
class SheetPlan:
    """What a sheet shows of each frame."""

    grid: Grid
    show: tuple[Kind, ...]
    view: View
    info: ClipInfo
    """Of the clip."""


def sheet_of(plan: SheetPlan, frames: Mapping[str, Sequence[Rendered]]) -> NDArray[np.uint8]:
    """Return the sheet.

    Args:
        frames: by title ("frame 57"), each as every variant of the grid renders it.

    Returns:
        (H, W, 3) uint8 RGB, in the clip's own transfer curve. Where one picture is all there is to see it comes without
        frame or title, as `convert --codec png` writes it.
    """
    blocks = [block for title, rendered in frames.items() for block in _blocks(plan, title, rendered)]
    if len(blocks) == 1 and len(blocks[0].pictures) == 1:
        return blocks[0].pictures[0]
    return stacked([contact_sheet(b.pictures, b.titles, columns=b.num_columns) for b in blocks])


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    pictures: list[NDArray[np.uint8]]
    titles: list[str]
    num_columns: int


Cut = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


def _blocks(plan: SheetPlan, title: str, rendered: Sequence[Rendered]) -> list[_Block]:
    """Return the blocks of one frame: the frame, or each of its faces."""
    layers = {layer.track: layer for layer in rendered[0].layers} if plan.view == "face" else {}
    if not layers:
        return [_block(plan, title, rendered, lambda picture: picture)]
    return [
        _block(plan, f"{title}, track {track}", rendered, _around(layer, rendered[0], plan.info))
        for track, layer in layers.items()
    ]


def _block(plan: SheetPlan, title: str, rendered: Sequence[Rendered], cut: Cut) -> _Block:
    """Return rows of cells: the original first in each, then what is shown of each variant."""
    grid, has_original = plan.grid, "original" in plan.show
    kinds = [kind for kind in plan.show if kind != "original"]
    original = cut(_picture("original", rendered[0], plan.info)) if has_original else None
    pictures: list[NDArray[np.uint8]] = []
    titles: list[str] = []
    for number, (variant, of_variant) in enumerate(zip(grid.variants, rendered, strict=True)):
        if original is not None and number % grid.num_columns == 0:
            pictures.append(original)
            titles.append(f"{title} original")
        for kind in kinds:
            pictures.append(cut(_picture(kind, of_variant, plan.info)))
            word = f"{variant.title} {'' if kind == 'swapped' else kind}".strip() if variant.title else kind
            titles.append(word if has_original else f"{title} {word}")
    return _Block(pictures, titles, grid.num_columns * len(kinds) + has_original)


def _picture(kind: Kind, rendered: Rendered, info: ClipInfo) -> NDArray[np.uint8]:
    """Return one whole picture as a player shows it, (h, w, 3) uint8 RGB."""
    if kind in ("original", "swapped"):
        frame = rendered.source if kind == "original" else rendered.frame
        values = rgb_values(frame, is_interlaced=info.field_order is not None)
    else:
        channels = channels_by_field(rendered, compositing_channels)
        names = ("A", "A", "A") if kind == "mask" else ("face.R", "face.G", "face.B")
        values = np.stack([channels[name] for name in names])
    return rgb_codes(upright(values, info.upright_from_stored), 8)


def _around(layer: Layer, rendered: Rendered, info: ClipInfo) -> Cut:
    """Return what cuts a square around a face out of an upright picture and enlarges it."""
    matrix, size = upright_from_frame(rendered.source.size, info.upright_from_stored)
    square = geometry.corners_of((layer.raw.shape[1], layer.raw.shape[2]))
    corners = geometry.apply(geometry.compose(matrix, geometry.invert(layer.patch.patch_from_frame)), square)
    low, high = corners.min(axis=0), corners.max(axis=0)
    side = min(_ROOM * float((high - low).max()), float(min(size)))
    shown = int(np.clip(round(side), *_FACE_SIDES))
    extent = np.array(size[::-1], dtype=np.float64)
    corner = np.clip((low + high) / 2 - side / 2, 0, extent - side)
    to_cell = geometry.compose(geometry.scaling(shown / side), geometry.translation(*-corner))

    def cut(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        planes = [
            resample.warp(plane.astype(np.float32), to_cell, (shown, shown), is_smooth=True)
            for plane in cv2.split(picture)
        ]
        return np.clip(np.rint(np.stack(planes, axis=2)), 0, 255).astype(np.uint8)

    return cut
