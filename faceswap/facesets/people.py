"""Who is on the crops: grouping by identity vectors, or, without a network for them, by track and look.

Nothing is sorted out here: outliers are proposed, people decide.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceswap import geometry, resample
from faceswap.faces.base import IdentityEncoder
from faceswap.facesets.figures import looks_as_vectors
from faceswap.facesets.measure import measured_records, read_crop
from faceswap.facesets.schema import FaceRecord
from faceswap.facesets.store import FaceSet
from faceswap.progress import OnProgress, Progress, ignore_progress

MAX_COSINE_DISTANCE = 0.6
"""Between the mean vectors of two tracks of one person; usual encoders put strangers at 0.8 to 1.1."""
OUTLIER_COSINE_DISTANCE = 0.75
"""Of a single crop from its person's mean."""
MAX_LOOK_DISTANCE = 22.0
"""Between the mean looks of two tracks of one person in about the same light and pose."""
_MAX_GROUPS = 4000
"""Tracks that are compared each with each; the rest joins the nearest person."""
_BATCH = 32

BY_LOOK = "track and look"
"""`People.method` without identity vectors."""
WITHOUT_ENCODER = (
    "without --id-encoder people are told apart by track and by what faces look like (shade and tint): good for separate "
    "shots in even light; one person turned or lit otherwise may come out as several, and lookalikes as one"
)


@dataclass(frozen=True, slots=True)
class People:
    """What `group_people` found."""

    clusters: dict[str, int]
    """Kept file -> person, from 0 (the most frequent)."""
    outliers: dict[str, str]
    """File -> why it may show somebody else."""
    method: str
    """What told people apart: an encoder's name, or `BY_LOOK`."""


def group_people(
    faceset: FaceSet,
    encoder: IdentityEncoder | None = None,
    *,
    max_distance: float | None = None,
    is_fresh: bool = False,
    on_progress: OnProgress = ignore_progress,
) -> People:
    """Group all crops by person, those that were sorted out too, and store the groups in the faceset.

    A track is one person; tracks join while the mean distance between their crops is small (average linkage). Groups that
    are stored stay, and with them their numbers, until crops are added or another encoder is named.

    Args:
        encoder: None = by the identity vectors that are stored, if all crops have them; else by what faces look like
            (`WITHOUT_ENCODER`).
        max_distance: at which tracks still join; None = the method's own. Another one needs `is_fresh`.
        is_fresh: group anew in any case.
    """
    records = measured_records(faceset, with_dropped=True, on_progress=on_progress)
    key = faceset.encoder() if encoder is None else f"{encoder.name} {encoder.sha256[:16]}"
    if encoder is not None and key is not None:
        _embed_missing(faceset, records, encoder, key, on_progress)
    vectors = _stored_vectors(faceset, records, key)
    is_cosine = vectors is not None
    if vectors is None:
        vectors = looks_as_vectors([r.figures.look for r in records if r.figures is not None])
        key, limit, outlier = BY_LOOK, MAX_LOOK_DISTANCE, 2 * MAX_LOOK_DISTANCE
    else:
        limit, outlier = MAX_COSINE_DISTANCE, OUTLIER_COSINE_DISTANCE
    labels = _stored_labels(records) if not is_fresh and faceset.grouping() == key else None
    if labels is None:
        tracks = [(r.clip, r.track) for r in records]
        labels = cluster_tracks(tracks, vectors, max_distance or limit, is_cosine=is_cosine)
        clusters = {r.file: int(label) for r, label in zip(records, labels, strict=True)}
        faceset.set_clusters(clusters, str(key))
    method = BY_LOOK if key == BY_LOOK else str(key).rpartition(" ")[0]
    kept = [
        (r, int(label), d)
        for r, label, d in zip(records, labels, _away(labels, vectors, is_cosine), strict=True)
        if not r.dropped
    ]
    outliers = {r.file: f"{d:.2f} away from person {label} ({method})" for r, label, d in kept if d > outlier}
    return People({r.file: label for r, label, _ in kept}, outliers, method)


def _stored_labels(records: Sequence[FaceRecord]) -> NDArray[np.int64] | None:
    if any(record.cluster is None for record in records):
        return None
    return np.array([record.cluster for record in records], dtype=np.int64)


def cluster_tracks(
    tracks: Sequence[tuple[str, int]], vectors: NDArray[np.float32], limit: float, *, is_cosine: bool
) -> NDArray[np.int64]:
    """Return the person of each crop, from 0 (the most frequent).

    Args:
        tracks: (clip, track) of each crop. vectors: (N, D).
    """
    if not len(tracks):
        return np.zeros(0, np.int64)
    members: dict[tuple[str, int], list[int]] = defaultdict(list)
    for i, track in enumerate(tracks):
        members[track].append(i)
    groups = sorted(members.values(), key=len, reverse=True)
    means = np.stack([vectors[group].mean(axis=0) for group in groups])
    sizes = np.array([len(group) for group in groups], dtype=np.float64)
    head = average_linkage(_distances(means[:_MAX_GROUPS], is_cosine), sizes[:_MAX_GROUPS], limit)
    labels = np.zeros(len(tracks), dtype=np.int64)
    for group, label in zip(groups, head, strict=False):
        labels[group] = label
    for number in range(len(head), len(groups)):  # too many to compare each with each
        distances = _between(means[number], means[:_MAX_GROUPS], is_cosine)
        labels[groups[number]] = head[int(distances.argmin())]
    frequent = np.argsort(-np.bincount(labels), kind="stable")
    return np.argsort(frequent)[labels]


def _away(labels: NDArray[np.int64], vectors: NDArray[np.float32], is_cosine: bool) -> NDArray[np.float32]:
    """Return how far each crop is from its person's mean."""
    away = np.zeros(len(labels), dtype=np.float32)
    for label in set(labels.tolist()):
        inside = labels == label
        away[inside] = _between(vectors[inside].mean(axis=0), vectors[inside], is_cosine)
    return away


def average_linkage(distances: NDArray[np.float64], sizes: NDArray[np.float64], limit: float) -> NDArray[np.int64]:
    """Return a group number for each item: items join while the mean distance of two groups is at most `limit`.

    By chains of nearest neighbours (Murtagh 1983): exact, and quadratic in time.

    Args:
        distances: (N, N) symmetric; changed in place. sizes: (N,) how much each item weighs.
    """
    count = len(sizes)
    np.fill_diagonal(distances, np.inf)
    is_alive = np.ones(count, dtype=bool)
    weights = sizes.astype(np.float64).copy()
    owner = np.arange(count)
    chain: list[int] = []
    while is_alive.any():
        if not chain:
            chain = [int(np.argmax(is_alive))]
        last = chain[-1]
        row = np.where(is_alive, distances[last], np.inf)
        nearest = int(row.argmin())
        if not row[nearest] <= limit:  # nothing will come nearer: means only grow apart while others join
            is_alive[last] = False
            chain.pop()
            continue
        if len(chain) > 1 and row[chain[-2]] <= row[nearest]:
            other = chain[-2]
            chain = chain[:-2]
            share = weights[last] / (weights[last] + weights[other])
            joined = share * distances[last] + (1 - share) * distances[other]
            distances[other], distances[:, other] = joined, joined
            distances[other, other] = np.inf
            weights[other] += weights[last]
            owner[owner == last] = other
            is_alive[last] = False
        else:
            chain.append(nearest)
    return np.unique(owner, return_inverse=True)[1].astype(np.int64)


def _distances(means: NDArray[np.float32], is_cosine: bool) -> NDArray[np.float64]:
    return np.stack([_between(mean, means, is_cosine) for mean in means]).astype(np.float64)


def _between(one: NDArray[np.float32], many: NDArray[np.float32], is_cosine: bool) -> NDArray[np.float32]:
    if not is_cosine:
        return np.sqrt(((many - one) ** 2).mean(axis=1))
    lengths = np.linalg.norm(many, axis=1) * np.linalg.norm(one)
    return 1 - many @ one / np.maximum(lengths, 1e-9)


def _embed_missing(
    faceset: FaceSet, records: list[FaceRecord], encoder: IdentityEncoder, key: str, on_progress: OnProgress
) -> None:
    """Compute and keep the identity vectors that are missing."""
    known = faceset.embeddings(key)
    missing = [record for record in records if record.file not in known]
    for start in range(0, len(missing), _BATCH):
        batch = missing[start : start + _BATCH]
        vectors = encoder.embed(np.stack([_patch(faceset, record, encoder) for record in batch]))
        faceset.set_embeddings(key, {record.file: vector for record, vector in zip(batch, vectors, strict=True)})
        on_progress(Progress("identities", start + len(batch), len(missing), unit="faces"))


def _stored_vectors(faceset: FaceSet, records: list[FaceRecord], key: str | None) -> NDArray[np.float32] | None:
    """Return (N, D) identity vectors; None unless every crop has one."""
    known = {} if key is None else faceset.embeddings(key)
    if not records or any(record.file not in known for record in records):
        return None
    return np.stack([known[record.file] for record in records])


def _patch(faceset: FaceSet, record: FaceRecord, encoder: IdentityEncoder) -> NDArray[np.uint8]:
    rgb = read_crop(faceset, record)
    assert rgb is not None, "measured records have readable crops"
    patch_from_crop = geometry.compose(
        encoder.patch_from_canonical, geometry.invert(geometry.patch_from_canonical(faceset.crop))
    )
    return resample.warp(rgb, patch_from_crop, (encoder.size, encoder.size))
