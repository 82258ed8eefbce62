from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from makers import tiny_faceset
from portraits import CROP, blurred, brighter, portrait_set, same

from faceswap import geometry, resample
from faceswap.errors import CropMismatchError, UnsupportedInputError, UsageError
from faceswap.facesets import actions
from faceswap.facesets.combine import merge, split
from faceswap.facesets.looking import missing_from_view, write_view
from faceswap.facesets.measure import measure_faceset, measured_records, read_crop
from faceswap.facesets.store import FaceSet
from faceswap.types import CropSpec


def test_merged_faceset_holds_all_that_was_known(tmp_path: Path) -> None:
    one = portrait_set(tmp_path / "one", [same, blurred(3)])
    two = portrait_set(tmp_path / "two", [brighter(0.5)], clip="d" * 64)
    measure_faceset(one)
    one.set_era([one.records()[0].file], "1987")
    actions.drop(one, {one.records()[1].file: "blurred"}, "filter")
    done = merge([one, two], tmp_path / "both")
    both = FaceSet.open(tmp_path / "both")
    assert (done.num_faces, done.skipped, done.recut) == (3, (), ())
    records = both.records(with_dropped=True)
    assert [(r.era, r.dropped, r.figures is None) for r in records] == [
        ("1987", "", False),
        ("", "blurred", False),
        ("", "", True),
    ]
    assert all((both.path / record.file).is_file() for record in records)
    again = merge([one, two], tmp_path / "both")
    assert (again.num_faces, len(again.skipped)) == (0, 2)


def test_other_crops_are_cut_anew_in_the_same_place(tmp_path: Path) -> None:
    head = portrait_set(tmp_path / "head", [same], crop=CropSpec(256, "head", 0.1))
    face = portrait_set(tmp_path / "face", [same], clip="d" * 64)
    done = merge([face, head], tmp_path / "both")
    assert done.recut == (str(head.path),)
    both = FaceSet.open(tmp_path / "both")
    of_face, of_head = both.records()[1], both.records()[0]
    assert (of_face.clip, of_head.clip) == ("d" * 64, "c" * 64)
    np.testing.assert_allclose(of_head.landmarks, of_face.landmarks, atol=1e-3)
    np.testing.assert_allclose(of_head.patch_from_frame, of_face.patch_from_frame, atol=1e-3)
    pictures = [read_crop(both, record) for record in (of_face, of_head)]
    assert np.abs(pictures[0].astype(float) - pictures[1].astype(float)).mean() < 3  # type: ignore[union-attr]


def test_crops_that_are_too_small_are_refused_before_any_work(tmp_path: Path) -> None:
    whole = portrait_set(tmp_path / "whole", [same])
    close = portrait_set(tmp_path / "close", [same], crop=CropSpec(128, "face"))
    with pytest.raises(CropMismatchError):
        merge([whole, close], tmp_path / "both")
    assert not (tmp_path / "both").exists()


def test_actors_that_differ_need_a_name(tmp_path: Path) -> None:
    one = portrait_set(tmp_path / "one", [same])
    two = portrait_set(tmp_path / "two", [same], actor="anne", clip="d" * 64)
    with pytest.raises(UsageError, match="anna, anne"):
        merge([one, two], tmp_path / "both")
    merge([one, two], tmp_path / "both", actor="Anna")
    with pytest.raises(UsageError, match="one of the facesets"):
        merge([one], one.path)


def test_parts_by_clip_era_and_yaw(tmp_path: Path) -> None:
    portrait_set(tmp_path / "set", [same] * 3)
    store = portrait_set(tmp_path / "set", [same] * 2, clip="d" * 64)
    store.set_era([r.file for r in store.records() if r.clip[0] == "d"], "season 2")
    by_clip = split(store, tmp_path / "clips", "clip")
    assert [(part.actor, len(part.records())) for part in by_clip] == [("anna", 3), ("anna", 2)]
    by_era = split(store, tmp_path / "eras", "era")
    assert {part.actor: len(part.records()) for part in by_era} == {"anna-no-era": 3, "anna-season 2": 2}
    figures = [
        replace(record.figures, yaw=40.0 * i - 80) for i, record in enumerate(measured_records(store)) if record.figures
    ]
    store.set_figures({r.file: f for r, f in zip(store.records(), figures, strict=True)})
    by_yaw = split(store, tmp_path / "yaw", "yaw", edges=(-30, 30))
    assert {part.path.name: len(part.records()) for part in by_yaw} == {
        "anna-yaw-below": 2,
        "anna-yaw-from-30": 1,
        "anna-yaw-from30": 2,
    }
    assert len(store.records()) == 5
    with pytest.raises(UsageError, match="there already"):
        split(store, tmp_path / "yaw", "yaw")


def test_parts_by_person_need_groups_and_get_names(tmp_path: Path) -> None:
    store = portrait_set(tmp_path / "set", [same] * 3)
    with pytest.raises(UsageError, match="no groups yet"):
        split(store, tmp_path / "people", "cluster")
    store.set_clusters({record.file: i % 2 for i, record in enumerate(store.records())}, "test")
    assert [part.actor for part in split(store, tmp_path / "people", "cluster")] == ["anna-person0", "anna-person1"]
    parts = [FaceSet.open(tmp_path / "people" / f"anna-person{i}") for i in (0, 1)]
    done = merge(parts, tmp_path / "again", actor="anna")  # parts of one clip come together again
    assert (done.num_faces, done.skipped) == (3, ())
    assert [record.frame for record in FaceSet.open(tmp_path / "again").records()] == [0, 1, 2]


def test_what_is_deleted_in_a_view_can_be_sorted_out(tmp_path: Path) -> None:
    store = portrait_set(tmp_path / "set", [same] * 4)
    view = write_view(store, [(f"{i / 10}", r) for i, r in enumerate(store.records())], tmp_path / "view")
    names = sorted(path.name for path in view.iterdir() if path.suffix == ".png")
    assert [name[:8] for name in names] == ["0001_0.0", "0002_0.1", "0003_0.2", "0004_0.3"]
    assert missing_from_view(store, view) == []
    (view / names[1]).unlink()
    (view / names[3]).unlink()
    files = [record.file for record in store.records()]
    assert missing_from_view(store, view) == [files[1], files[3]]
    assert all((store.path / file).is_file() for file in files)
    with pytest.raises(UsageError, match="there already"):
        write_view(store, [], view)
    with pytest.raises(UsageError, match="not made by"):
        missing_from_view(store, tmp_path)
    other = portrait_set(tmp_path / "other", [same])
    with pytest.raises(UsageError, match="not of"):
        missing_from_view(other, view)


def test_views_can_be_copies(tmp_path: Path) -> None:
    store = portrait_set(tmp_path / "set", [same])
    record = store.records()[0]
    linked = write_view(store, [("a", record)], tmp_path / "linked")
    copied = write_view(store, [("a", record)], tmp_path / "copied", is_copy=True)
    inode = (store.path / record.file).stat().st_ino
    assert next(linked.glob("*.png")).stat().st_ino == inode
    assert next(copied.glob("*.png")).stat().st_ino != inode


def test_recut_keeps_sixteen_bits(tmp_path: Path) -> None:
    import cv2

    from faceswap.media.picture_depth import read_deep_picture

    store = portrait_set(tmp_path / "set", [same], crop=CropSpec(256, "head", 0.1))
    path = store.path / store.records()[0].file
    deep = np.linspace(0, 65535, 256 * 256 * 3).astype(np.uint16).reshape(256, 256, 3)
    path.write_bytes(cv2.imencode(".png", deep)[1].tobytes())
    merge([store], tmp_path / "cut", crop=CROP)
    cut = read_deep_picture(tmp_path / "cut" / FaceSet.open(tmp_path / "cut").records()[0].file)
    assert cut is not None
    assert cut.dtype == np.uint16
    matrix = geometry.patch_from_patch(CROP, store.crop)
    np.testing.assert_array_equal(cut, resample.warp(np.ascontiguousarray(deep[:, :, ::-1]), matrix, (128, 128)))


def test_view_that_cannot_be_finished_leaves_nothing(tmp_path: Path) -> None:
    store = FaceSet.open(tiny_faceset(tmp_path / "set", "anna"))
    records = store.records()
    (store.path / records[-1].file).unlink()
    with pytest.raises(UnsupportedInputError, match="is missing"):
        write_view(store, [("a", record) for record in records], tmp_path / "view")
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
