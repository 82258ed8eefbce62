from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from portraits import brighter, portrait_set, same

from faceswap import geometry
from faceswap.facesets import actions
from faceswap.facesets.people import BY_LOOK, average_linkage, cluster_tracks, group_people
from faceswap.types import CropSpec, Matrix


class MeanColourEncoder:
    """Tells bright from dark."""

    name = "mean-colour"
    sha256 = "0" * 64
    size = 64
    patch_from_canonical: Matrix = geometry.patch_from_canonical(CropSpec(64, "face"))

    def __init__(self) -> None:
        self.num_seen = 0

    def embed(self, patches: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.num_seen += len(patches)
        is_bright = patches.mean(axis=(1, 2, 3)) > 70
        return np.stack([is_bright, ~is_bright], axis=1).astype(np.float32)


def test_average_linkage_equals_the_plain_algorithm() -> None:
    points = np.random.default_rng(1).random((60, 3)) * 3
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    groups = [[i] for i in range(len(points))]
    while True:
        means = [
            (distances[np.ix_(a, b)].mean(), i, k) for i, a in enumerate(groups) for k, b in enumerate(groups) if i < k
        ]
        nearest, i, k = min(means)
        if nearest > 1.2:
            break
        groups[i] += groups.pop(k)
    labels = average_linkage(distances.copy(), np.ones(60), 1.2)
    assert {frozenset(np.nonzero(labels == n)[0].tolist()) for n in set(labels.tolist())} == set(map(frozenset, groups))
    assert len(groups) > 3


def test_tracks_of_one_person_join_and_the_most_frequent_comes_first() -> None:
    vectors = np.array([[0, 1]] * 3 + [[1, 0]] * 5 + [[0.1, 0.9]] * 4, dtype=np.float32)
    tracks = [("a", 0)] * 3 + [("a", 1)] * 5 + [("b", 0)] * 4
    labels = cluster_tracks(tracks, vectors, 0.5, is_cosine=True)
    assert labels.tolist() == [0] * 3 + [1] * 5 + [0] * 4


def test_a_track_is_never_parted() -> None:
    vectors = np.array([[0, 1], [0, 1], [1, 0]], dtype=np.float32)
    labels = cluster_tracks([("a", 0)] * 3, vectors, 0.1, is_cosine=True)
    assert labels.tolist() == [0, 0, 0]


def test_nothing_makes_no_groups() -> None:
    labels = cluster_tracks([], np.zeros((0, 4), np.float32), 0.5, is_cosine=False)
    assert len(labels) == 0


def test_looks_tell_a_face_from_a_mirror_picture_with_other_tints(tmp_path: Path) -> None:
    def other(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.ascontiguousarray(rgb[:, ::-1, ::-1])

    portrait_set(tmp_path, [same] * 3)
    portrait_set(tmp_path, [brighter(0.9)] * 2, clip="d" * 64)
    store = portrait_set(tmp_path, [other] * 2, clip="e" * 64)
    people = group_people(store)
    assert people.method == BY_LOOK
    assert [record.cluster for record in store.records()] == [0, 0, 0, 0, 0, 1, 1]


def test_encoder_decides_and_its_vectors_are_kept(tmp_path: Path) -> None:
    portrait_set(tmp_path, [same] * 2)
    store = portrait_set(tmp_path, [brighter(0.3)] * 4, clip="d" * 64)
    encoder = MeanColourEncoder()
    people = group_people(store, encoder)
    assert people.method == "mean-colour"
    assert [record.cluster for record in store.records()] == [1, 1, 0, 0, 0, 0]
    group_people(store, encoder)
    assert encoder.num_seen == 6
    assert group_people(store).method == "mean-colour"  # by what is stored
    encoder.sha256 = "1" * 64  # other weights, other vectors
    group_people(store, encoder)
    assert encoder.num_seen == 12
    portrait_set(tmp_path, [same], clip="e" * 64)
    assert group_people(store).method == BY_LOOK  # one crop has no vector


def test_crop_of_another_person_in_a_track_is_proposed_not_dropped(tmp_path: Path) -> None:
    store = portrait_set(tmp_path, [same] * 5 + [brighter(0.2)])
    people = group_people(store, MeanColourEncoder())
    assert list(people.outliers) == [store.records()[5].file]
    assert len(store.records()) == 6
    assert "person 0" in people.outliers[store.records()[5].file]


@pytest.mark.parametrize("limit", [0.0001, 1e6])
def test_distance_can_be_set(tmp_path: Path, limit: float) -> None:
    portrait_set(tmp_path, [same])
    store = portrait_set(tmp_path, [brighter(0.7)], clip="d" * 64)
    people = group_people(store, max_distance=limit)
    assert len(set(people.clusters.values())) == (2 if limit < 1 else 1)


def test_numbers_stay_when_crops_are_sorted_out_and_come_back(tmp_path: Path) -> None:
    portrait_set(tmp_path, [same] * 5)
    store = portrait_set(tmp_path, [lambda rgb: np.ascontiguousarray(rgb[:, ::-1, ::-1])] * 3, clip="d" * 64)
    group_people(store)
    files = [record.file for record in store.records()]
    actions.drop(store, dict.fromkeys(files[:4], "by hand"), "trash")
    people = group_people(store)  # the second person is the more frequent one now
    assert [people.clusters[file] for file in files[4:]] == [0, 1, 1, 1]
    actions.restore(store)
    assert [group_people(store).clusters[file] for file in files] == [0] * 5 + [1] * 3
    portrait_set(tmp_path, [same], clip="e" * 64)
    assert set(group_people(store).clusters.values()) == {0, 1}
