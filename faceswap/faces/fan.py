"""FAN (Bulat & Tzimiropoulos 2017), the network of the package `face-alignment`: 68 points from heat maps.

Only the network's layers are taken from the package, and its weights from our own store: the package's own entry point
downloads weights, brings a detector along, and compiles the network on the way.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceswap.errors import FaceswapError, UnsupportedInputError
from faceswap.faces.views import square_view
from faceswap.schemes import IBUG68

FAN_VERSION = "fan-1"
_NUM_POINTS = 68
_SIDE, _BELOW_EYES = 5.4, -0.03
"""200/195 times the sum of the detector's box sides, 12 % of its height above its centre, in inter-ocular distances."""


class Fan:
    """A `Landmarker`.

    Args:
        network: takes (B, 3, 256, 256) float32 RGB [0, 1] on its device; gives (B, 68, 64, 64) heat maps, or a list whose
            last item they are.
    """

    scheme = IBUG68
    size = 256

    def __init__(self, network: Callable[[Any], Any], name: str, *, device: Any = "cpu") -> None:
        self.name = name
        self.patch_from_canonical = square_view(self.size, _SIDE, _BELOW_EYES)
        self._network = network
        self._device = device

    def landmarks(self, patches: NDArray[np.uint8]) -> list[tuple[NDArray[np.float64], float]]:
        """See `Landmarker.landmarks`; how sure it is = the mean height of the heat maps at their peaks."""
        import torch

        values = np.ascontiguousarray(patches.transpose(0, 3, 1, 2)).astype(np.float32) / 255
        with torch.inference_mode():
            maps = self._network(torch.from_numpy(values).to(self._device))
            maps = maps[-1] if isinstance(maps, list | tuple) else maps
        return [decoded(of_face, self.size) for of_face in maps.float().cpu().numpy()]


def decoded(maps: NDArray[np.float32], size: int) -> tuple[NDArray[np.float64], float]:
    """Return (68, 2) points in px of a square picture, and the mean peak.

    A point lies in the peak's cell, a quarter of a cell from its centre towards the higher neighbour.

    Args:
        maps: (68, h, w). size: side of the picture, px.
    """
    height, width = maps.shape[1:]
    each = np.arange(_NUM_POINTS)
    rows, columns = np.unravel_index(maps.reshape(_NUM_POINTS, -1).argmax(axis=1), (height, width))
    around = np.pad(maps, ((0, 0), (1, 1), (1, 1)), mode="edge")  # cell (r, c) of `maps` = (r + 1, c + 1) here
    to_right = around[each, rows + 1, columns + 2] - around[each, rows + 1, columns]
    down = around[each, rows + 2, columns + 1] - around[each, rows, columns + 1]
    x = (columns + 0.5 + 0.25 * np.sign(to_right)) * (size / width)
    y = (rows + 0.5 + 0.25 * np.sign(down)) * (size / height)
    peaks = maps[each, rows, columns]
    return np.stack([x, y], axis=1).astype(np.float64), float(np.clip(peaks.mean(), 0, 1))


def load_fan(data: bytes, what: str, *, device: str) -> Fan:
    """Return the landmarker for the bytes of FAN's weights (checked by the caller).

    Raises:
        FaceswapError: the package is not installed. UnsupportedInputError: other weights.
    """
    import torch

    from faceswap.device import choose_compute

    try:
        from face_alignment.models import FAN
    except ImportError as error:
        raise FaceswapError(
            'the landmarker "fan" needs the package face-alignment: pip install "faceswap[align]"'
        ) from error
    place = choose_compute(device, "fp32").device
    network = FAN(4)
    try:
        network.load_state_dict(torch.load(io.BytesIO(data), map_location="cpu", weights_only=True))
    except Exception as error:  # torch's and pickle's errors share no base
        raise UnsupportedInputError(f"{what} does not hold the weights of FAN with 4 stages: {error}") from error
    return Fan(network.to(place).eval(), FAN_VERSION, device=place)
