"""Whose face the result shows, by an identity encoder of the user's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from faceswap import geometry, resample
from faceswap.errors import UsageError
from faceswap.faces.base import IdentityEncoder
from faceswap.facesets.schema import FaceRecord
from faceswap.facesets.store import FaceSet
from faceswap.figures import identity
from faceswap.media.pictures import read_picture_bgr
from faceswap.types import CropSpec

_BATCH = 16
_MAX_FACES = 400
"""Of a faceset; more change its centroid in the third digit only."""
_MIN_SHOTS = 2


@dataclass(slots=True)
class Embedder:
    """Collects patches and runs the encoder over batches of them."""

    encoder: IdentityEncoder
    _waiting: list[NDArray[np.uint8]] = field(default_factory=list)
    _done: list[NDArray[np.float32]] = field(default_factory=list)

    def add(self, patch: NDArray[np.uint8]) -> None:
        self._waiting.append(patch)
        if len(self._waiting) == _BATCH:
            self._flush()

    def finish(self) -> NDArray[np.float32]:
        """Return the (N, D) vectors in the order of the patches."""
        self._flush()
        return np.concatenate(self._done) if self._done else np.zeros((0, 1), dtype=np.float32)

    def _flush(self) -> None:
        if self._waiting:
            self._done.append(self.encoder.embed(np.stack(self._waiting)))
            self._waiting = []


@dataclass(frozen=True, slots=True, eq=False)
class Actor:
    """A source actor as an encoder sees them."""

    centroid: NDArray[np.float64]
    ceiling: float
    """Mean likeness of faces to the centroid of the *other* shots: what a perfect swap could reach."""
    num_faces: int


def actor_of(faceset: FaceSet, encoder: IdentityEncoder) -> Actor:
    """Return the centroid of a faceset, and how well its own held-out shots meet it.

    Raises:
        UsageError: the faceset is empty.
    """
    records = faceset.records()
    if not records:
        raise UsageError(f"{faceset.path} holds no faces; extract some first")
    step = max(1, len(records) // _MAX_FACES)
    records = records[::step]
    embedder = Embedder(encoder)
    for record in records:
        embedder.add(_patch_of(faceset, record, encoder))
    vectors = embedder.finish()
    groups = held_out_groups(records)
    scores = [
        float(identity.likeness(vectors[group], identity.centroid(np.delete(vectors, group, axis=0))).mean())
        for group in groups
        if len(group) < len(records)
    ]
    return Actor(identity.centroid(vectors), float(np.mean(scores)) if scores else 1.0, len(records))


def held_out_groups(records: Sequence[FaceRecord]) -> list[list[int]]:
    """Return the positions of each shot's records; blocks of the order where there is one shot only."""
    groups: dict[tuple[str, int], list[int]] = {}
    for i, record in enumerate(records):
        groups.setdefault((record.clip, record.shot), []).append(i)
    if len(groups) >= _MIN_SHOTS:
        return list(groups.values())
    return [part.tolist() for part in np.array_split(np.arange(len(records)), 4) if len(part)]


def _patch_of(faceset: FaceSet, record: FaceRecord, encoder: IdentityEncoder) -> NDArray[np.uint8]:
    bgr = read_picture_bgr(faceset.path / record.file)
    if bgr is None:
        raise UsageError(f"{faceset.path / record.file} is missing or damaged; extract the clip again")
    stored: CropSpec = faceset.crop
    matrix = geometry.compose(encoder.patch_from_canonical, geometry.invert(geometry.patch_from_canonical(stored)))
    return resample.warp(np.ascontiguousarray(bgr[:, :, ::-1]), matrix, (encoder.size, encoder.size))


def identity_figures(after: NDArray, before: NDArray, actor: Actor) -> dict[str, float]:
    """Return identity, leakage and variance (see `table.FIGURES`), and both bounds of the likeness.

    Args:
        after, before: (N, D) unit vectors of the swapped faces and of the same faces untouched.
    """
    target = identity.centroid(before)
    impostor = float(identity.likeness(target[None], actor.centroid)[0])
    return {
        "identity": float(identity.likeness(after, actor.centroid).mean()) / max(actor.ceiling, 1e-6),
        "leakage": float(identity.likeness(after, target).mean()) - impostor,
        "identity_variance": identity.variance(after),
        "bound_untouched": float(identity.likeness(before, actor.centroid).mean()) / max(actor.ceiling, 1e-6),
        "bound_source": actor.ceiling,
    }
