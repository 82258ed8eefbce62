"""What every registered swap network promises (`faceswap.models.network.SwapNetwork`)."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load, save

from faceswap.errors import UsageError
from faceswap.models.network import SwapNetwork
from faceswap.models.registry import NETWORKS, build_network
from faceswap.models.spec import NetworkSpec

NUM_IDENTITIES = 2


def small_spec(name: str, options: str = "") -> NetworkSpec:
    dims = {"encoder_dim": 8, "decoder_dim": 8, "bottleneck_dim": 32, "mask_dim": 4, "morph_dim": 32}
    return NetworkSpec.model_validate({"name": name, "size": 64, "options": options, **dims})


@pytest.fixture(scope="module", params=sorted(NETWORKS))
def network(request: pytest.FixtureRequest) -> SwapNetwork:
    torch.manual_seed(0)
    return build_network(small_spec(request.param), NUM_IDENTITIES).eval()


@pytest.fixture(scope="module")
def patches() -> torch.Tensor:
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
@torch.inference_mode()
def code(network: SwapNetwork, patches: torch.Tensor) -> torch.Tensor:
    return network.encode(patches)


@torch.inference_mode()
def test_output_has_the_documented_shapes_and_ranges(network: SwapNetwork, code: torch.Tensor) -> None:
    face, mask = network.decode(code, 0)
    assert face.shape == (2, 3, 64, 64)
    assert mask.shape == (2, 1, 64, 64)
    for output in (face, mask):
        assert 0 <= output.min() <= output.max() <= 1


@torch.inference_mode()
def test_each_identity_has_a_face_of_its_own(network: SwapNetwork, code: torch.Tensor) -> None:
    faces = [network.decode(code, identity)[0] for identity in range(NUM_IDENTITIES)]
    assert not torch.equal(*faces)
    with pytest.raises(IndexError):
        network.decode(code, NUM_IDENTITIES)


@torch.inference_mode()
def test_pictures_of_a_batch_do_not_see_each_other(
    network: SwapNetwork, patches: torch.Tensor, code: torch.Tensor
) -> None:
    torch.testing.assert_close(network.encode(patches[1:]), code[1:], atol=1e-4, rtol=1e-3)


@torch.inference_mode()
def test_forward_is_encode_then_decode(network: SwapNetwork, patches: torch.Tensor, code: torch.Tensor) -> None:
    for direct, by_steps in zip(network(patches, 1), network.decode(code, 1), strict=True):
        torch.testing.assert_close(direct, by_steps)


@torch.inference_mode()
def test_saved_weights_give_the_same_output(network: SwapNetwork, patches: torch.Tensor) -> None:
    before = network(patches, 1)
    weights = load(save({name: value.contiguous() for name, value in network.state_dict().items()}))
    for parameter in network.parameters():
        parameter.zero_()
    network.load_state_dict(weights)
    for old, new in zip(before, network(patches, 1), strict=True):
        assert torch.equal(old, new)


def test_every_weight_gets_a_gradient(network: SwapNetwork, patches: torch.Tensor) -> None:
    network.zero_grad()
    code = network.encode(patches)
    sum(output.mean() for i in range(NUM_IDENTITIES) for output in network.decode(code, i)).backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []
    network.zero_grad()


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_unknown_option_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="option"):
        build_network(small_spec(name, "z"), 1)
