from __future__ import annotations

import pytest

import faceswap

NAMES = {
    "ConvertConfig",
    "ConvertReport",
    "FaceIndex",
    "FaceSet",
    "FaceswapError",
    "SwapModel",
    "__version__",
    "convert_clip",
    "extract_faces",
    "load_recipe",
    "train_model",
    "verify_clip",
}


def test_public_names_are_these() -> None:
    assert set(faceswap.__all__) == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_public_name_resolves_and_is_documented(name: str) -> None:
    assert getattr(faceswap, name).__doc__


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        faceswap.nope  # noqa: B018 - the access is the test
