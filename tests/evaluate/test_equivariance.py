from __future__ import annotations

import numpy as np
import pytest
import torch
from makers import smooth_noise
from torch import Tensor
from torch.nn import functional

from faceswap.evaluate.equivariance import shift_error
from faceswap.types import SwapOutput


class _Model:
    """Gives what a function makes of the patches."""

    def __init__(self, function: object) -> None:
        self._function = function

    def swap(self, patches: Tensor, *, to: str) -> SwapOutput:
        return SwapOutput(self._function(patches))  # type: ignore[operator]


def on_grid(x: Tensor) -> Tensor:
    """Detail that stays on a grid of 8 px."""
    return functional.interpolate(functional.avg_pool2d(x, 8), scale_factor=8.0, mode="nearest")


def patches(blur: float) -> np.ndarray:
    return np.stack([smooth_noise((64, 64), seed, blur=blur).transpose(2, 0, 1) for seed in range(2)])


@pytest.mark.parametrize("blur", [1.0, 3.0])
@pytest.mark.parametrize(
    ("function", "least", "most"),
    [
        (lambda x: x, 0.0, 0.02),
        (lambda x: 0.3 * x + 0.4, 0.0, 0.02),
        (lambda x: 0.5 * x + 0.25 * x.square(), 0.0, 0.03),
        (lambda x: x * 0 + torch.linspace(0, 1, 64) + torch.linspace(0, 1, 64).sin().view(64, 1), 0.3, 1.2),
        (on_grid, 0.1, 1.2),
    ],
    ids=["same", "paler", "curve", "standing", "grid"],
)
def test_what_moves_with_its_input_has_no_error_and_what_stands_has(
    function: object, least: float, most: float, blur: float
) -> None:
    assert least <= shift_error(_Model(function), patches(blur), "anyone") <= most  # type: ignore[arg-type]
