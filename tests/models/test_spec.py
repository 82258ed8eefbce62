from __future__ import annotations

import pytest
from pydantic import ValidationError

from faceswap.models.spec import CropSettings, NetworkSpec, SwapSpec
from faceswap.types import CropSpec


def test_crop_of_a_model_has_the_size_of_its_network() -> None:
    spec = SwapSpec(network=NetworkSpec(size=128), crop=CropSettings(coverage="head", margin=0.1), identities=("a",))
    assert spec.crop_spec == CropSpec(128, "head", 0.1, "five-1")


def test_spec_comes_back_from_json() -> None:
    spec = SwapSpec(network=NetworkSpec(options="ud"), crop=CropSettings(), identities=("anna", "bert"))
    assert SwapSpec.model_validate_json(spec.model_dump_json()) == spec


@pytest.mark.parametrize("change", [{"identities": ()}, {"identities": ("a",), "colour": 1}])
def test_spec_that_means_nothing_is_refused(change: dict) -> None:
    with pytest.raises(ValidationError):
        SwapSpec.model_validate({"network": {}, "crop": {}, **change})


def test_headers_of_earlier_versions_are_read() -> None:
    """As checkpoints held them before there were `amp` and `hd`."""
    dims = {"encoder_dim": 32, "bottleneck_dim": 128, "decoder_dim": 32, "mask_dim": 8}
    old = {"network": {"name": "df", "size": 64, "options": "d", **dims}, "crop": {}, "identities": ["anna", "bert"]}
    assert SwapSpec.model_validate(old) == SwapSpec(
        network=NetworkSpec(name="df", size=64, options="d", **dims), crop=CropSettings(), identities=("anna", "bert")
    )
