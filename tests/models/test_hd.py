from __future__ import annotations

import pytest
import torch
from makers import smooth_noise
from torch import Tensor, nn
from torch.nn import functional

from faceswap.errors import UsageError
from faceswap.models.layers import Downscale, Upscale
from faceswap.models.registry import build_network, count_parameters
from faceswap.models.smooth import SmoothDown, SmoothUp
from faceswap.models.spec import NetworkSpec

_LOW_PASS = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8


def halved(x: Tensor) -> Tensor:
    """Low-pass in both directions, then every other pixel; the border is not to be looked at."""
    kernel = torch.outer(_LOW_PASS, _LOW_PASS).expand(x.shape[1], 1, 4, 4)
    return functional.conv2d(x, kernel, groups=x.shape[1], stride=2, padding=1)


@torch.no_grad()
def test_down_is_a_low_pass_and_then_a_convolution_at_full_size() -> None:
    torch.manual_seed(0)
    layer, x = SmoothDown(2, 3), torch.rand(1, 2, 24, 24)
    expected = halved(layer.conv(x))
    torch.testing.assert_close(layer(x)[..., 2:-2, 2:-2], expected[..., 2:-2, 2:-2])


@torch.no_grad()
def test_up_is_linear_interpolation_and_then_a_convolution_at_full_size() -> None:
    torch.manual_seed(0)
    layer, x = SmoothUp(2, 3), torch.rand(1, 2, 16, 16)
    doubled = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(layer(x)[..., 4:-4, 4:-4], layer.conv(doubled)[..., 4:-4, 4:-4])


def test_another_identity_costs_two_tables_and_no_decoder() -> None:
    spec = NetworkSpec(name="hd", size=128)
    two, three = (count_parameters(build_network(spec, n)) for n in (2, 3))
    assert 0 < three - two < 20_000


@pytest.mark.parametrize(("size", "step"), [(68, 8), (100, 16), (264, 32)])
def test_size_that_cannot_be_halved_is_refused_with_the_step(size: int, step: int) -> None:
    with pytest.raises(UsageError, match=f"multiple of {step}"):
        build_network(NetworkSpec(name="hd", size=size), 2)


@torch.no_grad()
def test_smoothed_halving_and_doubling_move_with_the_picture() -> None:
    """By how much a shift before two halvings and doublings differs from a shift behind them."""

    def error(down: list[nn.Module], up: list[nn.Module]) -> float:
        chain = nn.Sequential(*down, *up)
        middle = slice(24, -24)
        plain, moved = chain(pictures), chain(pictures.roll(1, dims=-1))
        difference = (plain.roll(1, dims=-1) - moved)[..., middle, middle]
        return float(difference.std() / plain[..., middle, middle].std())

    torch.manual_seed(0)
    pictures = torch.stack([torch.from_numpy(smooth_noise((96, 96), i, blur=2)).permute(2, 0, 1) for i in range(2)])
    smoothed = error([SmoothDown(3, 8), SmoothDown(8, 8)], [SmoothUp(8, 8), SmoothUp(8, 3)])
    usual = error([Downscale(3, 8), Downscale(8, 8)], [Upscale(8, 8), Upscale(8, 3)])
    assert smoothed < 0.05
    assert usual > 4 * smoothed
