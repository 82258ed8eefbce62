"""Decoded planes of several frames on a device, and the way there and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceswap.errors import ShapeError
from faceswap.types import ColorInfo, Frame, PlaneLayout

Rect = tuple[int, int, int, int]
"""x0, y0, x1, y1, half-open, in samples of a plane."""


@dataclass(frozen=True, slots=True, eq=False)
class DevicePlanes:
    """The first three planes of N pictures of one format on a device."""

    planes: tuple[Tensor, Tensor, Tensor]
    """Y, U, V (or G, B, R); each (N, h, w) uint8 or uint16 code values with any strides, so that interleaved chroma fits too."""
    layout: PlaneLayout
    color: ColorInfo

    @property
    def device(self) -> torch.device:
        return self.planes[0].device

    def __len__(self) -> int:
        return self.planes[0].shape[0]

    def sizes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return (h, w) of the first plane and of the other two."""
        (_, height, width), (_, chroma_height, chroma_width) = self.planes[0].shape, self.planes[1].shape
        return (height, width), (chroma_height, chroma_width)

    @classmethod
    def of_interleaved(cls, luma: Tensor, chroma: Tensor, layout: PlaneLayout, color: ColorInfo) -> DevicePlanes:
        """Take planes as decoders on a GPU give them (NV12, P010), without a copy.

        P010 keeps its ten bits at the top of 16: say `bit_depth` 16 in `color`, and the codes mean the same.

        Args:
            luma: (N, h, w). chroma: (N, ch, cw, 2), U and V beside each other.

        Raises:
            ShapeError: other shapes.
        """
        height, width = layout.chroma_size((luma.shape[1], luma.shape[2]))
        if chroma.shape != (len(luma), height, width, 2):
            raise ShapeError(
                f"interleaved chroma of shape {tuple(chroma.shape)} does not fit luma of {tuple(luma.shape)}; "
                f"it must be {(len(luma), height, width, 2)}"
            )
        return cls((luma, chroma[..., 0], chroma[..., 1]), layout, color)


def is_alike(a: Frame, b: Frame) -> bool:
    """True when two frames can lie in one `DevicePlanes`."""
    shapes = ([(plane.shape, plane.dtype) for plane in frame.planes[:3]] for frame in (a, b))
    return a.color == b.color and a.layout == b.layout and next(shapes) == next(shapes)


class FrameUploader:
    """Brings frames to a device. On CUDA through pinned memory on a stream of its own, beside what is computed."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def upload(self, frames: Sequence[Frame]) -> DevicePlanes:
        """Return the planes of frames that are alike, as copies; what is launched next on the current stream may use them."""
        shapes = [plane.shape for plane in frames[0].planes[:3]]
        lengths = [height * width for height, width in shapes]
        kind = torch.from_numpy(np.empty(0, frames[0].planes[0].dtype)).dtype
        # One buffer for all planes of all frames: one transfer.
        host = torch.empty((len(frames), sum(lengths)), dtype=kind, pin_memory=self._stream is not None)
        view = host.numpy()
        for row, frame in zip(view, frames, strict=True):
            start = 0
            for plane, length in zip(frame.planes[:3], lengths, strict=True):
                row[start : start + length].reshape(plane.shape)[:] = plane
                start += length
        parts = self._transferred(host).split(lengths, dim=1)
        luma, u, v = (part.unflatten(1, tuple(shape)) for part, shape in zip(parts, shapes, strict=True))
        return DevicePlanes((luma, u, v), frames[0].layout, frames[0].color)

    def _transferred(self, host: Tensor) -> Tensor:
        if self._stream is None:
            return host.to(self._device)
        current = torch.cuda.current_stream(self._device)
        with torch.cuda.stream(self._stream):
            there = host.to(self._device, non_blocking=True)
        current.wait_stream(self._stream)
        there.record_stream(current)  # its memory was taken on the other stream
        return there


class Download:
    """Rectangles of planes on their way to the host; nobody waits before `arrays` is asked for."""

    def __init__(self, parts: Sequence[Tensor], stream: torch.cuda.Stream | None = None) -> None:
        """Start the transfer of (h, w) tensors of one dtype; they may be overwritten afterwards.

        Args:
            stream: on which they are copied; None = the current one.
        """
        self._shapes = [tuple(part.shape) for part in parts]
        flat = torch.cat([part.reshape(-1) for part in parts])
        self._event: torch.cuda.Event | None = None
        self._host = flat
        if flat.device.type == "cuda":
            current = torch.cuda.current_stream(flat.device)
            stream = stream or current
            stream.wait_stream(current)
            self._host = torch.empty(flat.shape, dtype=flat.dtype, pin_memory=True)
            self._event = torch.cuda.Event(blocking=True)
            with torch.cuda.stream(stream):
                self._host.copy_(flat, non_blocking=True)
                self._event.record(stream)
            flat.record_stream(stream)

    def arrays(self) -> list[NDArray]:
        """Return the rectangles, once they have arrived; from any thread."""
        if self._event is not None:
            self._event.synchronize()
        lengths = [height * width for height, width in self._shapes]
        parts = self._host.split(lengths)
        return [part.view(shape).numpy() for part, shape in zip(parts, self._shapes, strict=True)]


def to_device(array: NDArray, device: torch.device) -> Tensor:
    """Return a small host array on a device, without waiting for it to arrive."""
    host = torch.from_numpy(np.ascontiguousarray(array))
    return host.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else host.to(device)
