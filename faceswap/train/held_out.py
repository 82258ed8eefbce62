"""Faces that training never sees, and how well the network rebuilds them: the figures of evaluation, while training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from faceswap import color
from faceswap.device import Compute
from faceswap.evaluate.protocols import HELD_OUT_ONE_IN, is_held_out
from faceswap.facesets.schema import FaceRecord
from faceswap.figures import detail, tone
from faceswap.models.network import SwapNetwork
from faceswap.train.augment import Batch, still_sampler
from faceswap.train.data import FacePack
from faceswap.train.losses import dssim_map, weighted_mean
from faceswap.train.state import TrainState

_MIN_FACES = 100
"""Smaller facesets are needed whole."""
_TAIL = 20
"""With few shots, one frame in so many is held out: the last of each clip, which are next to the fewest others."""
_MAX_FACES = 48
_SEEN_FACES = 16
_BATCH = 16


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


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """What looking at a network showed."""

    held: Mapping[str, HeldOutScore]
    """By identity; those without held-out faces are missing."""
    seen: float
    """Mean SSIM of faces that it trains with."""
    sharpness: float
    """Mean fine detail, rebuilt / real, of all faces looked at."""
    variety: float
    """Standard deviation over faces, rebuilt / real: near 0 when all come out alike."""

    @property
    def held_ssim(self) -> float | None:
        """Mean over the identities."""
        return float(np.mean([s.ssim for s in self.held.values()])) if self.held else None


@torch.inference_mode()
def look(state: TrainState, packs: Sequence[FacePack], held: Sequence[FacePack | None], compute: Compute) -> Looked:
    """Return how well the averaged network rebuilds held-out faces, and some it trains with."""
    seen, scores, variety, sharpness = [], {}, [], []
    with state.averaged() as network:
        for number, (pack, apart) in enumerate(zip(packs, held, strict=True)):
            # The same faces at each look: evenly spread.
            some = pack.part(_spread(len(pack), _SEEN_FACES))
            batch, rebuilt = rebuild(network, some, number, compute)
            seen += ssim_of(rebuilt, batch.truth, batch.mask)
            mask = batch.outline
            spreads = [((faces - faces.mean(dim=0)).square() * mask).mean().sqrt() for faces in (rebuilt, batch.truth)]
            variety.append(float(spreads[0] / spreads[1].clamp(min=1e-6)))
            if apart is not None:
                batch, rebuilt = rebuild(network, apart.part(_spread(len(apart), _MAX_FACES)), number, compute)
                scores[apart.actor] = _score(batch, rebuilt)
            sharpness.append(scores[apart.actor].sharpness if apart is not None else _sharpness(batch, rebuilt))
    means = (round(float(np.mean(values)), 4) for values in (seen, sharpness, variety))
    return Looked(scores, *means)


def rebuild(network: SwapNetwork, pack: FacePack, number: int, compute: Compute) -> tuple[Batch, torch.Tensor]:
    """Return all faces of a (small) pack as they are, and as the network rebuilds them, (N, 3, S, S) float32."""
    batch = still_sampler(pack.model_size, compute.device).as_they_are(pack)
    parts = []
    for faces in batch.truth.split(_BATCH):
        with compute.autocast():
            face, _ = network.decode(network.encode(faces.contiguous(memory_format=compute.memory_format)), number)
        parts.append(face.float())
    return batch, torch.cat(parts)


def ssim_of(faces: torch.Tensor, truth: torch.Tensor, masks: torch.Tensor) -> list[float]:
    """Return the structural similarity of each face under its mask, (N,)."""
    maps = dssim_map(faces, truth)
    return [float(1 - 2 * weighted_mean(maps[i : i + 1], masks[i : i + 1])) for i in range(len(maps))]


def _spread(count: int, most: int) -> NDArray[np.bool_]:
    chosen = np.zeros(count, dtype=bool)
    chosen[np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))] = True
    return chosen


def _score(batch: Batch, rebuilt: torch.Tensor) -> HeldOutScore:
    similarity = float(np.mean(ssim_of(rebuilt, batch.truth, batch.mask)))
    masks = batch.mask[:, 0].cpu().numpy()
    means = [
        np.stack([tone.mean_lab(color.lab(face), mask) for face, mask in zip(faces.cpu().numpy(), masks, strict=True)])
        for faces in (batch.truth, rebuilt.clamp(0, 1))
    ]
    return HeldOutScore(
        faces=len(masks),
        ssim=round(similarity, 4),
        sharpness=round(_sharpness(batch, rebuilt), 4),
        skin=round(tone.skin_match(means[0], means[1]), 3),
    )


def _sharpness(batch: Batch, rebuilt: torch.Tensor) -> float:
    """Return the fine detail of all faces, rebuilt / real."""
    masks = batch.mask[:, 0].cpu().numpy()
    real, made = (
        np.mean([detail.band_energy(f, m) for f, m in zip(faces.mean(dim=1).cpu().numpy(), masks, strict=True)])
        for faces in (batch.truth, rebuilt.clamp(0, 1))
    )
    return float(made / max(float(real), 1e-9))


def as_event(scores: Mapping[str, HeldOutScore]) -> dict[str, dict[str, float]]:
    """Return scores ready for JSON."""
    return {actor: asdict(values) for actor, values in scores.items()}
