from __future__ import annotations

import pytest
import torch
from torch import nn

from faceswap.models.layers import (
    Bottleneck,
    Downscale,
    Encoder,
    PixelNorm,
    Residual,
    Upscale,
    initialise,
)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [(Downscale(4, 6), (2, 6, 4, 4)), (Upscale(4, 6), (2, 6, 16, 16)), (Residual(4), (2, 4, 8, 8))],
    ids=["downscale", "upscale", "residual"],
)
def test_blocks_have_the_documented_shapes(layer: nn.Module, shape: tuple[int, ...]) -> None:
    assert layer(torch.rand(2, 4, 8, 8)).shape == shape


def test_encoder_says_how_many_features_it_gives() -> None:
    encoder = Encoder(64, 4)
    assert encoder(torch.rand(2, 3, 64, 64)).shape == (2, encoder.out_features)


def test_bottleneck_doubles_its_side() -> None:
    assert Bottleneck(20, 8, 6, 4)(torch.rand(2, 20)).shape == (2, 6, 8, 8)


def test_pixel_norm_gives_unit_mean_square() -> None:
    normed = PixelNorm()(torch.randn(3, 50) * 7)
    torch.testing.assert_close(normed.square().mean(dim=1), torch.ones(3), atol=1e-4, rtol=0)


def test_initialised_upscale_starts_without_checkerboard() -> None:
    layer = nn.Sequential(Upscale(3, 2))
    initialise(layer)
    blocks = layer(torch.rand(1, 3, 5, 5)).unfold(2, 2, 2).unfold(3, 2, 2).flatten(-2)
    torch.testing.assert_close(blocks, blocks[..., :1].expand_as(blocks))
