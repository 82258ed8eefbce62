"""Faces that training never sees, and how well the network rebuilds them: the figures of evaluation, while training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from faceswap import color
from faceswap.device import Compute
from faceswap.evaluate.protocols import HELD_OUT_ONE_IN, is_held_out
from faceswap.facesets.schema import FaceRecord
from faceswap.figures import detail, tone
from faceswap.train.augment import Batch, still_sampler
from faceswap.train.data import FacePack
from faceswap.train.losses import dssim_map, weighted_mean
from faceswap.train.state import TrainState

_MIN_FACES = 100
"""Smaller facesets are needed whole."""
_TAIL = 20
"""With few shots, one frame in so many is held out: the last of each clip, which are next to the fewest others."""
_MAX_FACES = 48


@dataclass(frozen=True, slots=True)
class HeldOutScore:
    """How well one identity's held-out faces are rebuilt."""

    faces: int
    ssim: float
    """Mean structural similarity under the mask (Wang et al. 2004); 1 = the same."""
    sharpness: float
    """Fine detail, rebuilt / real (`figures.detail.band_energy`); 1 = as sharp."""
    skin: float
    """dE2000 of the mean colours (`figures.tone.skin_match`)."""

    def __str__(self) -> str:
        return f"SSIM {self.ssim:.3f}, sharpness {self.sharpness:.2f}, skin dE {self.skin:.1f} on {self.faces} faces"


def held_out(records: Sequence[FaceRecord]) -> NDArray[np.bool_]:
    """Return which faces training must not see, (N,) in the order of the records.

    One shot in five, as the protocol per-actor-v1 chooses them; with fewer than five shots the last twentieth of each
    clip; none of fewer than 100 faces.
    """
    chosen = np.zeros(len(records), dtype=bool)
    if len(records) < _MIN_FACES:
        return chosen
    starts: dict[tuple[str, int], int] = {}
    for record in records:
        key = (record.clip, record.shot)
        starts[key] = min(starts.get(key, record.frame), record.frame)
    if len(starts) >= HELD_OUT_ONE_IN:
        chosen[:] = [is_held_out(record.clip, starts[record.clip, record.shot]) for record in records]
        if 0 < chosen.sum() <= len(records) // 2:
            return chosen
        chosen[:] = False
    by_clip: dict[str, list[int]] = {}
    for i, record in enumerate(records):
        by_clip.setdefault(record.clip, []).append(i)
    for positions in by_clip.values():
        last = sorted(positions, key=lambda i: records[i].frame)[len(positions) - len(positions) // _TAIL :]
        chosen[last] = True
    return chosen


def divided(pack: FacePack, is_held: NDArray[np.bool_], balance: float = 0.0) -> tuple[FacePack, FacePack | None]:
    """Return the faces to train with (drawn as `balance` says), and those held out (None = none)."""
    return pack.part(~is_held, balance), pack.part(is_held) if is_held.any() else None


@torch.inference_mode()
def score(state: TrainState, packs: Sequence[FacePack | None], compute: Compute) -> dict[str, HeldOutScore]:
    """Return, by identity, how well the averaged network rebuilds held-out faces; identities without any are left out."""
    sampler = still_sampler(state.spec.network.size, compute.device)
    scores = {}
    with state.averaged() as network:
        for number, pack in enumerate(packs):
            if pack is None:
                continue
            batch = sampler.draw(pack, min(_MAX_FACES, len(pack)), warp=False)
            with compute.autocast():
                code = network.encode(batch.truth.contiguous(memory_format=compute.memory_format))
                rebuilt, _ = network.decode(code, number)
            scores[pack.actor] = _score(batch, rebuilt.float())
    return scores


def _score(batch: Batch, rebuilt: torch.Tensor) -> HeldOutScore:
    similarity = 1 - 2 * weighted_mean(dssim_map(rebuilt, batch.truth), batch.mask)
    real, made, masks = (values.cpu().numpy() for values in (batch.truth, rebuilt.clamp(0, 1), batch.mask[:, 0]))
    energies = [
        np.mean([detail.band_energy(face.mean(axis=0), mask) for face, mask in zip(faces, masks, strict=True)])
        for faces in (real, made)
    ]
    means = [
        np.stack([tone.mean_lab(color.lab(face), mask) for face, mask in zip(faces, masks, strict=True)])
        for faces in (real, made)
    ]
    return HeldOutScore(
        faces=len(real),
        ssim=round(float(similarity), 4),
        sharpness=round(float(energies[1] / max(float(energies[0]), 1e-9)), 4),
        skin=round(tone.skin_match(means[0], means[1]), 3),
    )


def as_event(scores: dict[str, HeldOutScore]) -> dict[str, dict[str, float]]:
    """Return scores ready for JSON."""
    return {actor: asdict(values) for actor, values in scores.items()}
