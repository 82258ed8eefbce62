from __future__ import annotations

from pathlib import Path

import pytest
from makers import tiny_faceset

from faceswap.errors import UsageError
from faceswap.facesets import actions
from faceswap.facesets.naming import named_files
from faceswap.facesets.store import FaceSet


@pytest.fixture
def store(tmp_path: Path) -> FaceSet:
    return FaceSet.open(tiny_faceset(tmp_path, "anna"))


def kept(store: FaceSet) -> list[int]:
    return [record.frame for record in store.records()]


def test_dropped_crops_stay_on_disk_and_come_back(store: FaceSet) -> None:
    files = [record.file for record in store.records()]
    assert actions.drop(store, {files[0]: "blurred", files[3]: "dark"}, "filter") == 2
    assert kept(store) == [1, 2, 4, 5, 6, 7, 8, 9]
    assert all((store.path / file).is_file() for file in files)
    assert {r.file: r.dropped for r in store.records(with_dropped=True) if r.dropped} == {
        files[0]: "blurred",
        files[3]: "dark",
    }
    last, count = actions.undo_last(store)
    assert (last.what, count, len(kept(store))) == ("filter", 2, 10)


def test_undoing_goes_back_step_by_step(store: FaceSet) -> None:
    files = [record.file for record in store.records()]
    actions.drop(store, {files[0]: "one"}, "first")
    actions.drop(store, {files[0]: "again", files[1]: "two"}, "second")
    assert [(a.what, a.num_changes) for a in actions.log(store)] == [("second", 1), ("first", 1)]
    actions.undo_last(store)
    assert kept(store) == list(range(1, 10))
    actions.undo_last(store)
    assert kept(store) == list(range(10))
    assert all(action.is_undone for action in actions.log(store))
    with pytest.raises(UsageError, match="nothing to undo"):
        actions.undo_last(store)


def test_restoring_can_be_undone_too(store: FaceSet) -> None:
    files = [record.file for record in store.records()]
    actions.drop(store, dict.fromkeys(files[:4], "test"), "filter")
    assert actions.restore(store, files[:1]) == 1
    assert actions.restore(store) == 3
    actions.undo_last(store)
    assert kept(store) == [0, 4, 5, 6, 7, 8, 9]


def test_dropping_nothing_new_is_no_action(store: FaceSet) -> None:
    assert actions.drop(store, {}, "filter") == 0
    assert actions.log(store) == []


def test_unknown_file_changes_nothing(store: FaceSet) -> None:
    file = store.records()[0].file
    with pytest.raises(UsageError, match=r"nope\.jpg"):
        actions.drop(store, {file: "x", "faces/nope.jpg": "x"}, "trash")
    assert len(kept(store)) == 10


def test_extracting_a_clip_again_does_not_bring_dropped_crops_back(store: FaceSet) -> None:
    records = store.records()
    actions.drop(store, {records[2].file: "blurred"}, "filter")
    store.add_clip("f" * 64, Path("clip.mp4"), 1, 10, records)
    assert 2 not in kept(store)


def test_crops_are_named_by_file_clip_and_frames(store: FaceSet) -> None:
    files = [record.file for record in store.records()]
    assert named_files(store, [Path(files[4]).name, files[4]]) == [files[4]]
    assert named_files(store, [f"view/0003_0.52_{Path(files[5]).name}"]) == [files[5]]
    assert named_files(store, ["ffff:2-4", "ffff:9"]) == [files[2], files[3], files[4], files[9]]
    assert named_files(store, ["ffff"]) == files
    for wrong in ("ffff:20-30", "abcd", "nope.jpg"):
        with pytest.raises(UsageError, match="FINGERPRINT"):
            named_files(store, [wrong])
