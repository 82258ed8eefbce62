"""What `df`, `liae` and `amp` promise beyond the contract of all networks."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
from torch import Tensor

from faceswap.device import choose_compute
from faceswap.errors import UsageError
from faceswap.models.layers import cosine
from faceswap.models.network import SwapNetwork
from faceswap.models.registry import build_network, count_parameters
from faceswap.models.runners import MAX_DIFFERENCE
from faceswap.models.spec import CropSettings, NetworkSpec, SwapSpec
from faceswap.models.swap_model import SwapModel

CPU = choose_compute("cpu", "fp32")
LETTERS = ["".join(letters) for n in range(5) for letters in combinations("udtc", n)]


def small(name: str, options: str = "", **over: object) -> NetworkSpec:
    dims = {"encoder_dim": 8, "decoder_dim": 8, "bottleneck_dim": 32, "mask_dim": 4, "morph_dim": 32}
    return NetworkSpec.model_validate({"name": name, "size": 64, "options": options, **dims, **over})


def built(name: str, num_identities: int = 2, options: str = "", **over: object) -> SwapNetwork:
    torch.manual_seed(0)
    return build_network(small(name, options, **over), num_identities).eval()


def patches(count: int = 2) -> Tensor:
    return torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("options", LETTERS)
@pytest.mark.parametrize("name", ["df", "liae"])
@torch.inference_mode()
def test_every_choice_of_letters_gives_a_picture_of_the_right_size(name: str, options: str) -> None:
    face, mask = built(name, 3, options)(patches(), 2)
    assert face.shape == (2, 3, 64, 64)
    assert mask.shape == (2, 1, 64, 64)


@pytest.mark.parametrize("name", ["df", "liae"])
@pytest.mark.parametrize("letter", "udtc")
@torch.inference_mode()
def test_every_letter_changes_the_network(name: str, letter: str) -> None:
    assert not torch.allclose(built(name)(patches(), 0)[0], built(name, options=letter)(patches(), 0)[0])


def test_cosine_is_x_times_its_cosine() -> None:
    torch.testing.assert_close(
        cosine(torch.tensor([0.0, 1.0, -2.0]), 0.1), torch.tensor([0.0, 0.5403, 0.8323]), atol=1e-4, rtol=0
    )


def test_mask_dims_follow_the_decoder_unless_given() -> None:
    assert [NetworkSpec(decoder_dim=dim).mask_dim for dim in (64, 48, 32)] == [22, 16, 10]
    assert NetworkSpec(decoder_dim=64, mask_dim=32).mask_dim == 32


@torch.inference_mode()
def test_liae_makes_the_first_identity_from_the_shared_half_alone() -> None:
    network = built("liae", 3)
    before = [network(patches(), i)[0] for i in range(3)]
    for parameter in network.bottleneck.own[0].parameters():
        parameter.add_(0.5)
    changed = [not torch.equal(old, network(patches(), i)[0]) for i, old in enumerate(before)]
    assert changed == [False, True, False]


def test_liae_costs_a_bottleneck_for_another_identity_and_no_decoder() -> None:
    two, three = built("liae", 2), built("liae", 3)
    own = sum(p.numel() for p in two.bottleneck.own[0].parameters())
    assert count_parameters(three) - count_parameters(two) == own


@torch.inference_mode()
def test_morph_goes_from_the_last_identity_to_the_one_asked_for() -> None:
    network = built("amp", 3)
    code = network.encode(patches())
    ground, own = network.decode(code, 2)[0], network.decode(code, 0)[0]
    steps = [network.decode(code, 0, morph=morph)[0] for morph in (0.0, 0.25, 0.75, 1.0)]
    torch.testing.assert_close(steps[0], ground)
    torch.testing.assert_close(steps[-1], own)
    distances = [float((step - ground).abs().mean()) for step in steps]
    assert distances == sorted(distances)
    torch.testing.assert_close(network.decode(code, 2, morph=0.3)[0], ground)  # is the ground whatever the share


def test_while_training_every_face_gets_a_mixture_of_its_own() -> None:
    network = built("amp", morph_dim=1024)
    code = network.encode(patches(8)).detach()
    spread = network._spread(code)
    assert spread.min() >= 0
    assert spread.max() < 1
    shares = (spread < 0.5).float()
    torch.testing.assert_close(shares.mean(dim=1), torch.full((8,), 0.5), atol=0.06, rtol=0)
    different = (shares[:1] != shares[1:]).float().mean(dim=1)
    torch.testing.assert_close(different, torch.full((7,), 0.5), atol=0.08, rtol=0)
    network.train()
    assert torch.equal(network.decode(code, 0)[0], network.decode(code, 0)[0])  # no generator is asked


def model_of(name: str) -> SwapModel:
    spec = SwapSpec(network=small(name), crop=CropSettings(), identities=("anna", "bert"))
    return SwapModel(spec, built(name), CPU, "0" * 64)


def test_models_of_amp_can_be_asked_for_less() -> None:
    model = model_of("amp")
    less, all_of_it = (model.swap(patches(), to="anna", morph=morph).pixels for morph in (0.5, 1.0))
    assert not torch.equal(less, all_of_it)
    assert torch.equal(all_of_it, model.swap(patches(), to="anna").pixels)


@pytest.mark.parametrize("runner", ["torch-fp32", "onnxruntime-fp32"])
def test_every_runner_follows_the_morph(runner: str) -> None:
    model = model_of("amp")
    shares = (0.25, 1.0, 0.25)  # a runner that keeps what it prepared keeps it for the very same options
    wanted = [model.swap(patches(), to="anna", morph=morph).pixels for morph in shares]
    model.use_runner(runner)
    found = [model.swap(patches(), to="anna", morph=morph).pixels for morph in shares]
    tolerance = MAX_DIFFERENCE["fp32"]
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, atol=tolerance, rtol=0)
    assert float((found[0] - found[1]).abs().max()) > tolerance


@pytest.mark.parametrize(("name", "morph", "words"), [("df", 0.5, "has no morph"), ("amp", 1.5, "allowed")])
def test_morph_that_is_not_possible_is_refused(name: str, morph: float, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        model_of(name).swap(patches(), to="anna", morph=morph)


def test_df_keeps_the_names_that_checkpoints_have() -> None:
    names = {name.rpartition(".")[0] for name in built("df", options="d").state_dict()}
    decoder = {f"up.{i}.conv" for i in range(3)} | {f"residual.{i}.conv{k}" for i in range(3) for k in (1, 2)}
    decoder |= {f"mask_up.{i}.conv" for i in range(4)} | {"to_face", "to_mask"}
    assert names == (
        {f"encoder.down.{i}.conv" for i in range(4)}
        | {"bottleneck.shrink", "bottleneck.grow", "bottleneck.up.conv"}
        | {f"decoders.{i}.{name}" for i in range(2) for name in decoder}
    )
