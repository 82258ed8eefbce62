"""The footage's grain over pasted faces, made on the device: `Grain.codes` for a batch.

What the grain is like is measured on the host (`grain_seen.look`), in a small window of the decoded frame: that asks nothing of
the device. Only the noise, which is as large as the face, is made where it is needed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from faceswap import color
from faceswap.convert import grain as reference
from faceswap.convert.device.paste import Noise
from faceswap.convert.device.places import PasteTable
from faceswap.convert.device.planes import DevicePlanes, to_device
from faceswap.convert.grain import Grain
from faceswap.types import ColorInfo


class DeviceNoise:
    """Keeps the tiles of noise on the device."""

    def __init__(self, device: torch.device) -> None:
        self._tiles = torch.from_numpy(np.stack(reference.tiles())).to(device)

    def over(self, grains: Sequence[Grain | None], planes: DevicePlanes, table: PasteTable) -> Noise:
        """Return the noise for the faces of a table."""
        luma, u, v = (self.codes(grains, plane, table.extent(min(plane, 1)), planes.color) for plane in range(3))
        # In RGB the three planes have the same noise.
        return (luma, luma, luma) if planes.layout.is_rgb else (luma, u, v)

    def codes(
        self, grains: Sequence[Grain | None], plane: int, size: tuple[int, int], info: ColorInfo
    ) -> Tensor | None:
        """Return (B, h, w) float32 noise in code values of a plane; None = there is none for any face.

        Args:
            grains: of each face, measured in footage of the same chroma sampling. size: (h, w).
        """
        parts = [
            (face, number, strength, start)
            for face, grain in enumerate(grains)
            if grain is not None
            for number, strength, start in grain.parts(plane)
        ]
        if not parts or not all(size):
            return None
        device = self._tiles.device
        faces, numbers, strengths, starts = (np.array(each) for each in zip(*parts, strict=True))
        starts_there = to_device(starts, device)
        y, x = (
            (starts_there[:, axis, None] + torch.arange(n, device=device)) % self._tiles.shape[-1]
            for axis, n in enumerate(size)
        )
        tiles = self._tiles[to_device(numbers, device)[:, None, None], y[:, :, None], x[:, None]]
        tiles = tiles * to_device(strengths.astype(np.float32), device)[:, None, None]
        total = torch.zeros((len(grains), *size), dtype=torch.float32, device=device)
        total.index_add_(0, to_device(faces, device), tiles)
        return total * float(color.code_scale(info).linear[0, 0])
