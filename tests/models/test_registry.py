from __future__ import annotations

import pytest
import torch

from faceswap.errors import UsageError
from faceswap.models.registry import build_network, count_parameters
from faceswap.models.spec import NetworkSpec


def small(**over: object) -> NetworkSpec:
    values = {"name": "df", "size": 64, "encoder_dim": 8, "decoder_dim": 8, "bottleneck_dim": 32, "mask_dim": 4}
    return NetworkSpec.model_validate({**values, **over})


def test_unknown_option_is_named() -> None:
    with pytest.raises(UsageError, match="'x'"):
        build_network(small(options="dx"), 2)


@pytest.mark.parametrize(("size", "options", "step"), [(72, "", 16), (80, "d", 32)])
def test_size_that_does_not_divide_is_refused_with_the_step(size: int, options: str, step: int) -> None:
    with pytest.raises(UsageError, match=f"multiple of {step}"):
        build_network(small(size=size, options=options), 2)


@pytest.mark.parametrize(("size", "options"), [(80, ""), (96, "d"), (64, "ud"), (64, "u")])
def test_output_has_the_size_of_the_input(size: int, options: str) -> None:
    network = build_network(small(size=size, options=options), 1)
    face, mask = network(torch.rand(1, 3, size, size), 0)
    assert face.shape == (1, 3, size, size)
    assert mask.shape == (1, 1, size, size)


def test_unknown_network_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="df, liae, amp, hd, original"):
        build_network(small(name="saehd"), 2)


def test_every_identity_adds_one_decoder() -> None:
    one, two, three = (count_parameters(build_network(small(), n)) for n in (1, 2, 3))
    assert three - two == two - one > 0
