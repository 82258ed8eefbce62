from __future__ import annotations

import pytest
import torch

from faceswap.models.registry import NETWORKS, build_network, count_parameters
from faceswap.models.spec import NetworkSpec
from faceswap.models.work import work_of


def dfl(name: str, size: int, options: str, ae: int = 256, **dims: int) -> NetworkSpec:
    return NetworkSpec.model_validate(
        {"name": name, "size": size, "options": options, "bottleneck_dim": ae, "decoder_dim": 64, **dims}
    )


@pytest.mark.parametrize(
    ("spec", "parameters", "pair", "swap"),
    [
        # What DeepFaceLab's own networks have, in millions and GFLOP, counted from its definitions.
        (dfl("liae", 128, "ud"), 82, 108, 18),
        (dfl("liae", 224, "udt", 512, mask_dim=32), 180, 371, 62),
        (dfl("df", 256, "ud"), 83, 365, 61),
        (dfl("liae", 256, "ud"), 145, 433, 72),
        (dfl("liae", 512, "ud"), 397, 1733, 286),
    ],
    ids=lambda value: f"{value.name}-{value.size}" if isinstance(value, NetworkSpec) else None,
)
def test_networks_are_as_large_as_deepfacelabs(spec: NetworkSpec, parameters: int, pair: int, swap: int) -> None:
    work = work_of(spec)
    assert work.parameters / 1e6 == pytest.approx(parameters, rel=0.01)
    assert work.step_flop / 1e9 == pytest.approx(pair, rel=0.01)
    assert work.swap_flop / 1e9 == pytest.approx(swap, rel=0.01)


def test_doubling_by_pixel_shuffle_saves_what_it_should() -> None:
    plain, doubled = (work_of(dfl("df", 256, options)).swap_flop for options in ("u", "ud"))
    assert plain / doubled == pytest.approx(3.6, rel=0.02)


def test_largest_size_can_be_counted() -> None:
    assert work_of(dfl("liae", 640, "udt")).step_flop > 1e12


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_count_is_that_of_the_network_that_is_built(name: str) -> None:
    dims = {"encoder_dim": 8, "decoder_dim": 8, "bottleneck_dim": 32, "morph_dim": 32}
    spec = NetworkSpec.model_validate({"name": name, "size": 64, **dims})
    assert work_of(spec, 3).parameters == count_parameters(build_network(spec, 3))


def test_counting_leaves_the_random_numbers_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    work_of(dfl("hd", 64, ""))
    assert torch.equal(before, torch.get_rng_state())


def test_it_says_what_a_person_wants_to_know() -> None:
    assert str(work_of(dfl("df", 256, "ud"))) == (
        "82.8 M parameters, 61 GFLOP a swap, 366.1 GFLOP a training step with one face of each"
    )
