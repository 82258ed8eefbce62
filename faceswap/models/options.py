"""The letters behind the names of DeepFaceLab's architectures, as `df` and `liae` take them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch.nn import functional

from faceswap.errors import UsageError
from faceswap.models.layers import Activation, cosine
from faceswap.models.spec import NetworkSpec

LETTERS = {
    "u": "pixel norm after the encoder: likeness is learnt more evenly",
    "d": "the decoder works at half the size and doubles by pixel shuffle: 3.6 times less work",
    "t": "deeper: a fifth downscale with residual blocks, a fourth upscale in the decoder",
    "c": "x·cos x instead of leaky ReLUs",
}


@dataclass(frozen=True, slots=True)
class Options:
    """The letters of a network, as keywords of its parts."""

    encoder: dict[str, Any]
    bottleneck: dict[str, Any]
    decoder: dict[str, Any]
    side: int
    """px of the smallest picture in the network, from which the decoder grows."""

    @classmethod
    def of(cls, spec: NetworkSpec) -> Options:
        """Return the options of a `df` or `liae`.

        Raises:
            UsageError: an unknown letter, or a size that cannot be halved often enough.
        """
        unknown = "".join(sorted(set(spec.options) - set(LETTERS)))
        if unknown:
            raise UsageError(
                f"unknown network option {unknown!r} in {spec.options!r}; {spec.name} knows {', '.join(LETTERS)}"
            )
        has_norm, is_doubled, is_deep, has_cosine = (letter in spec.options for letter in LETTERS)
        require_multiple(spec, 32 if is_doubled or is_deep else 16)
        activate: Activation = cosine if has_cosine else functional.leaky_relu
        common = {"is_deep": is_deep, "activate": activate}
        return cls(
            encoder={"has_pixel_norm": has_norm, **common},
            bottleneck=common,
            decoder={"is_doubled": is_doubled, **common},
            side=spec.size // (32 if is_doubled else 16),
        )


def require_multiple(spec: NetworkSpec, step: int) -> None:
    """Raise UsageError when the size is no multiple of `step` px."""
    if spec.size % step:
        words = f"{spec.name} with options {spec.options!r}" if spec.options else spec.name
        raise UsageError(f"network size {spec.size} is not possible for {words}; use a multiple of {step}")


def require_no_options(spec: NetworkSpec) -> None:
    """Raise UsageError when a network without options is given some."""
    if spec.options:
        raise UsageError(f"the network {spec.name!r} has no options ({spec.options!r} was given); df and liae have")
