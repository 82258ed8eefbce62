"""Pasting the faces of a batch into the planes on a device, in their order, and fetching what was touched."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from faceswap.convert.device.grain import DeviceNoise
from faceswap.convert.device.kernels import Kernels
from faceswap.convert.device.places import PasteTable, paste_table
from faceswap.convert.device.planes import DevicePlanes, Download, Rect
from faceswap.convert.device.rendered import DeviceLayer, Touched

_NOTHING: Rect = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True, eq=False)
class Pasted:
    """A layer and where it goes."""

    picture: int
    """Number in the planes."""
    layer: DeviceLayer
    bound: Rect
    """Outside which its mask is 0, px of the patch."""


def composite(
    planes: DevicePlanes, faces: Sequence[Pasted], kernels: Kernels, noise: DeviceNoise
) -> dict[int, tuple[Rect, ...]]:
    """Paste faces into planes in place, those of a picture one over the other in their order.

    Returns:
        For each picture that was touched, where in each of its planes.
    """
    touched: dict[int, list[Rect]] = defaultdict(lambda: [_NOTHING] * 2)
    for together in _rounds(faces):
        table = paste_table(
            [face.layer.patch_from_frame for face in together],
            [face.picture for face in together],
            together[0].layer.pixels.shape[-1],
            [face.bound for face in together],
            planes.sizes(),
            planes.layout,
            planes.color,
            planes.device,
        )
        pixels, masks = (torch.stack([getattr(face.layer, name) for face in together]) for name in ("pixels", "mask"))
        grains = [face.layer.grain for face in together]
        kernels.paste(planes, table, pixels, masks, noise.over(grains, planes, table))
        _note(touched, together, table)
    return {picture: (luma, chroma, chroma) for picture, (luma, chroma) in touched.items() if luma != _NOTHING}


def _rounds(faces: Sequence[Pasted]) -> Iterator[list[Pasted]]:
    """Yield what can be pasted in one launch: at most one face of a picture, patches of one size; most often that is all."""
    waiting: Mapping[int, list[Pasted]] = defaultdict(list)
    for face in faces:
        waiting[face.picture].append(face)
    while queues := [queue for queue in waiting.values() if queue]:
        size = queues[0][0].layer.pixels.shape
        yield [queue.pop(0) for queue in queues if queue[0].layer.pixels.shape == size]


def _note(touched: dict[int, list[Rect]], faces: Sequence[Pasted], table: PasteTable) -> None:
    for number, face in enumerate(faces):
        rects = touched[face.picture]
        for plane in (0, 1):
            rects[plane] = _union(rects[plane], table.rect(number, plane))


def _union(a: Rect, b: Rect) -> Rect:
    if _NOTHING in (a, b):
        return a if b == _NOTHING else b
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def fetch(
    planes: DevicePlanes, touched: Mapping[int, tuple[Rect, ...]], stream: torch.cuda.Stream | None = None
) -> dict[int, Touched]:
    """Start the transfer of what was touched of each picture, all of it in one, on `stream` (None = the current one)."""
    parts = [
        plane[picture, y0:y1, x0:x1]
        for picture, rects in touched.items()
        for plane, (x0, y0, x1, y1) in zip(planes.planes, rects, strict=True)
    ]
    if not parts:
        return {}
    download = Download(parts, stream)
    return {picture: Touched(download, 3 * i, rects) for i, (picture, rects) in enumerate(touched.items())}
