"""Who is who without any other network: a decoder rebuilds its own person's faces better than anyone else's.

Measured on a model of two people (64 px, 758 steps): their own faces correlate with what their decoder makes of them by
0.97, in other light, noise, blur or partly covered by 0.75 and more; 17 strangers by 0.05 to 0.6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from faceswap import masks
from faceswap.models.network import SwapNetwork
from faceswap.schemes import SCHEMES
from faceswap.types import FIVE, CropSpec

MEASURE = "gradients-1"
"""Name and version of the measure; figures of another one are not used."""
_SIDE = 64
"""px at which faces are compared: fine detail says more about sharpness than about who it is."""
_USUAL_OTHERS = 0.45
"""How well decoders rebuild strangers, where a model does not say it."""
_USUAL_OWN = (0.7, 0.95)
"""How well they rebuild their own person, at least and at most, where a model does not say it."""
_LEAST_GAP = 0.15
"""Between own and others' faces, below which a decoder cannot tell them apart."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """What a decoder's correlations (`rebuild_scores`) mean."""

    own: float
    """Median of its own person's faces."""
    others: float
    """Median of the faces of whoever else it rebuilds best."""

    @property
    def is_telling(self) -> bool:
        """False when the decoder rebuilds others nearly as well: it is not trained far enough."""
        return self.own - self.others >= _LEAST_GAP

    def of(self, correlation: float) -> float:
        """Return how much like its person a face is: about 0 = like anybody else, 1 = as its own faces."""
        return (correlation - self.others) / max(self.own - self.others, _LEAST_GAP)

    @classmethod
    def guessed(cls, best: float) -> Likeness:
        """Return what is usual, for a model that does not say it.

        Args:
            best: the highest correlation in the clip; the person is assumed to be there if it is high enough.
        """
        return cls(min(max(best, _USUAL_OWN[0]), _USUAL_OWN[1]), _USUAL_OTHERS)


@torch.inference_mode()
def rebuild_scores(network: SwapNetwork, patches: Tensor, crop: CropSpec) -> Tensor:
    """Return how well each identity's decoder rebuilds each face: correlation of brightness gradients, [-1, 1].

    Light, colour and contrast do not count, nor what is outside of the face.

    Args:
        patches: (B, 3, S, S) RGB [0, 1], on the network's device and of its type. crop: theirs.

    Returns:
        (B, N) float32 on the CPU.
    """
    code = network.encode(patches)
    return correlations(patches, [network.decode(code, i)[0] for i in range(network.num_identities)], crop)


def correlations(patches: Tensor, rebuilt: Sequence[Tensor], crop: CropSpec) -> Tensor:
    """Return how well each of several pictures shows the same face as each patch: (B, N) in [-1, 1], float32 on the CPU.

    Args:
        patches: (B, 3, S, S) RGB. rebuilt: N of them, on the same device. crop: theirs.
    """
    weight = _face_weight(crop).to(patches.device)
    wanted = _gradients(patches)
    return torch.stack([_correlation(wanted, _gradients(face), weight) for face in rebuilt], dim=1).cpu()


def calibrate(scores: Sequence[Tensor], identities: Sequence[str]) -> dict[str, Likeness]:
    """Return what each decoder's correlations mean.

    Args:
        scores: for each identity the `rebuild_scores` of some of its faces, (n, N).
    """
    medians = torch.stack([of_identity.median(dim=0).values for of_identity in scores])
    result = {}
    for i, identity in enumerate(identities):
        others = [float(medians[k, i]) for k in range(len(identities)) if k != i]
        result[identity] = Likeness(round(float(medians[i, i]), 4), round(max(others, default=_USUAL_OTHERS), 4))
    return result


def to_document(likeness: Mapping[str, Likeness]) -> dict[str, Any]:
    """Return the checkpoint's part `likeness.json`."""
    return {"measure": MEASURE, "identities": {name: asdict(value) for name, value in likeness.items()}}


def from_document(document: Mapping[str, Any]) -> dict[str, Likeness]:
    """Return what a checkpoint says; nothing when it is of another measure."""
    if document.get("measure") != MEASURE:
        return {}
    return {name: Likeness(**values) for name, values in document["identities"].items()}


@lru_cache(maxsize=8)
def _face_weight(crop: CropSpec) -> Tensor:
    """(1, 64, 64) where the mean face is in a crop."""
    small = CropSpec(_SIDE, crop.coverage, crop.margin, crop.template)
    return torch.from_numpy(masks.face_hull(SCHEMES[FIVE].template, small))


def _gradients(pictures: Tensor) -> Tensor:
    """(B, 3, S, S) -> (B, 2, 64, 64) float32 horizontal and vertical slopes of brightness."""
    gray = pictures.float().mean(dim=1, keepdim=True)
    small = functional.interpolate(gray, (_SIDE, _SIDE), mode="area")
    bell = torch.tensor([0.06, 0.24, 0.4, 0.24, 0.06], device=small.device)
    slope = torch.tensor([-0.5, 0.0, 0.5], device=small.device)
    padded = functional.pad(small, (3, 3, 3, 3), mode="replicate")
    smooth = functional.conv2d(functional.conv2d(padded, bell.view(1, 1, 1, 5)), bell.view(1, 1, 5, 1))
    across = functional.conv2d(smooth, slope.view(1, 1, 1, 3))[..., 1:-1, :]
    down = functional.conv2d(smooth, slope.view(1, 1, 3, 1))[..., :, 1:-1]
    return torch.cat([across, down], dim=1)


def _correlation(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """(B, 2, 64, 64) twice -> (B,)"""
    product, square_a, square_b = ((x * weight).sum(dim=(1, 2, 3)) for x in (a * b, a * a, b * b))
    return product / (square_a * square_b).sqrt().clamp(min=1e-12)
