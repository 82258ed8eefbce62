"""Rendered frames that are still on their way from the device; who asks for the picture waits for it, nobody else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from typing import overload

import torch
from torch import Tensor

from faceswap.convert.device.planes import Download, Rect
from faceswap.convert.grain import Grain
from faceswap.convert.rendered import Layer, Rendered
from faceswap.types import Frame, Matrix, Patch


@dataclass(frozen=True, slots=True, eq=False)
class DeviceLayer:
    """One swapped face on the device: what `engine.Layer` says, without a copy to the host."""

    track: int
    raw: Tensor
    """(3, S, S)"""
    pixels: Tensor
    """(3, S, S)"""
    mask: Tensor
    """(1, S, S)"""
    patch_from_frame: Matrix
    grain: Grain | None

    def fetched(self) -> Layer:
        """Return it on the host."""
        raw, pixels, mask = (each.cpu().numpy() for each in (self.raw, self.pixels, self.mask))
        return Layer(self.track, raw, Patch(pixels, mask, self.patch_from_frame), self.grain)


class DeviceLayers(Sequence[Layer]):
    """The layers of a frame; they leave the device when somebody looks at them, which a plain conversion never does."""

    def __init__(self, layers: Sequence[DeviceLayer]) -> None:
        self._layers = layers

    @cached_property
    def _fetched(self) -> tuple[Layer, ...]:
        with torch.inference_mode():
            return tuple(layer.fetched() for layer in self._layers)

    def __len__(self) -> int:
        return len(self._layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self._fetched)

    @overload
    def __getitem__(self, index: int) -> Layer: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Layer]: ...

    def __getitem__(self, index: int | slice) -> Layer | Sequence[Layer]:
        return self._fetched[index]


@dataclass(frozen=True, slots=True)
class Touched:
    """Which rectangles of a frame's planes are in a download."""

    download: Download
    first: int
    """Number of its first rectangle there."""
    rects: tuple[Rect, ...]
    """Of the first planes, in their order."""


class DeviceRendered(Rendered):
    """A `Rendered` whose frame is put together when it is first asked for."""

    def __init__(self, source: Frame, touched: Touched, layers: DeviceLayers) -> None:
        for name, value in (
            ("source", source),
            ("layers", layers),
            ("_picture", cache(partial(_laid, source, touched))),
        ):
            object.__setattr__(self, name, value)  # as frozen dataclasses do it

    @property
    def frame(self) -> Frame:  # type: ignore[override]
        """The source with what was changed."""
        return self._picture()  # type: ignore[attr-defined, no-any-return]


def _laid(source: Frame, touched: Touched) -> Frame:
    """Return a frame with what was touched of it; samples outside are the very bytes of the source."""
    planes = list(source.planes)
    parts = touched.download.arrays()[touched.first :]
    for i, ((x0, y0, x1, y1), part) in enumerate(zip(touched.rects, parts, strict=False)):
        planes[i] = planes[i].copy()
        planes[i][y0:y1, x0:x1] = part
    return replace(source, planes=tuple(planes))
