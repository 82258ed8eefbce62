from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from faceswap import files
from faceswap.errors import CheckpointError, ResourceError, UsageError
from faceswap.models import checkpoint as checkpoint_module
from faceswap.models.checkpoint import (
    MANIFEST,
    Checkpoint,
    find_checkpoint,
    has_checkpoint,
    remove_leftovers,
    save_checkpoint,
)

Damage = Callable[[Path], object]


def save(model: Path, step: int, *, keep: int = 3) -> Checkpoint:
    tensors = {"weights": {"a": torch.full((4, 4), float(step))}, "state": {"generator": torch.arange(step % 7 + 1)}}
    documents = {"spec": {"name": "tiny"}, "progress": {"step": step}}
    return save_checkpoint(model, step, tensors, documents, keep=keep)


def step_folders(model: Path) -> list[str]:
    return sorted(path.name for path in model.iterdir())


def flip_bit(folder: Path) -> None:
    path = folder / "weights.safetensors"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)


def truncate(folder: Path) -> None:
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1])


def empty(folder: Path) -> None:
    (folder / "state.safetensors").write_bytes(b"")


def edit_document(folder: Path) -> None:
    (folder / "progress.json").write_text('{"step": 99}')


def lose_file(folder: Path) -> None:
    (folder / "weights.safetensors").unlink()


def lose_manifest(folder: Path) -> None:
    (folder / MANIFEST).unlink()


def break_manifest(folder: Path) -> None:
    path = folder / MANIFEST
    path.write_bytes(path.read_bytes()[:-20])


def manifest_of_another_kind(folder: Path) -> None:
    (folder / MANIFEST).write_text("[1, 2]")


def manifest_of_another_format(folder: Path) -> None:
    path = folder / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))


def manifest_that_points_outside(folder: Path) -> None:
    path = folder / MANIFEST
    manifest = json.loads(path.read_text())
    manifest["files"]["../../secret"] = "0" * 64
    path.write_text(json.dumps(manifest))


ALL_DAMAGES = [
    flip_bit,
    truncate,
    empty,
    edit_document,
    lose_file,
    lose_manifest,
    break_manifest,
    manifest_of_another_kind,
    manifest_of_another_format,
    manifest_that_points_outside,
]


def test_checkpoint_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    saved = save(tmp_path, 12)
    found = find_checkpoint(tmp_path)
    assert found == saved
    assert found.document("progress") == {"step": 12}
    assert torch.equal(found.tensors("weights")["a"], torch.full((4, 4), 12.0))
    assert torch.equal(found.tensors("state")["generator"], torch.arange(6))


def test_newest_checkpoint_is_found(tmp_path: Path) -> None:
    for step in (5, 1000, 30):
        save(tmp_path, step)
    assert find_checkpoint(tmp_path).step == 1000


def test_one_checkpoint_folder_can_be_named(tmp_path: Path) -> None:
    older = save(tmp_path, 1)
    save(tmp_path, 2)
    assert find_checkpoint(older.path).step == 1


@pytest.mark.parametrize("damage", ALL_DAMAGES)
def test_damage_is_found_and_the_older_checkpoint_used(tmp_path: Path, damage: Damage) -> None:
    save(tmp_path, 1)
    damage(save(tmp_path, 2).path)
    found = find_checkpoint(tmp_path)
    assert found.step == 1
    assert len(found.rejected) == 1
    assert "step-000000002" in found.rejected[0]


@pytest.mark.parametrize("damage", ALL_DAMAGES)
def test_damage_of_the_only_checkpoint_is_an_error(tmp_path: Path, damage: Damage) -> None:
    damage(save(tmp_path, 2).path)
    with pytest.raises(CheckpointError, match="step-000000002"):
        find_checkpoint(tmp_path)


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    for step in range(1, 6):
        save(tmp_path, step, keep=2)
    assert step_folders(tmp_path) == ["step-000000004", "step-000000005"]


def test_saving_a_step_again_replaces_it(tmp_path: Path) -> None:
    flip_bit(save(tmp_path, 3).path)
    save(tmp_path, 3)
    assert find_checkpoint(tmp_path).rejected == ()
    assert step_folders(tmp_path) == ["step-000000003"]


def test_leftovers_of_crashes_are_removed(tmp_path: Path) -> None:
    for name in (".tmp-123", ".old-step-000000001"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "weights.safetensors").write_bytes(b"half")
    save(tmp_path, 2)
    assert step_folders(tmp_path) == ["step-000000002"]


def test_leftovers_do_not_look_like_checkpoints(tmp_path: Path) -> None:
    os.rename(save(tmp_path, 2).path, tmp_path / ".tmp-99")
    assert not has_checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match="no checkpoint"):
        find_checkpoint(tmp_path)


def test_removing_leftovers_leaves_other_files_alone(tmp_path: Path) -> None:
    (tmp_path / ".tmp-preview.png").write_bytes(b"")
    save(tmp_path, 1)
    remove_leftovers(tmp_path)
    assert step_folders(tmp_path) == [".tmp-preview.png", "step-000000001"]


@pytest.mark.parametrize("fails_at", [1, 2, 3, 4, 5])
def test_disk_that_is_full_leaves_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    save(tmp_path, 1)
    num_writes = 0

    def write_until_full(path: Path, data: bytes) -> None:
        nonlocal num_writes
        num_writes += 1
        if num_writes == fails_at:
            path.write_bytes(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        files.write_synced(path, data)

    monkeypatch.setattr(checkpoint_module, "write_synced", write_until_full)
    with pytest.raises(ResourceError, match="No space left"):
        save(tmp_path, 2)
    assert step_folders(tmp_path) == ["step-000000001"]
    assert find_checkpoint(tmp_path).rejected == ()


def test_failed_rename_leaves_the_old_checkpoint_of_the_same_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, 1)
    rename = os.rename

    def fail_to_publish(source: Path, target: Path) -> None:
        if Path(source).name.startswith(".tmp-"):
            raise OSError(errno.EIO, "Input/output error", str(target))
        rename(source, target)

    monkeypatch.setattr(checkpoint_module.os, "rename", fail_to_publish)
    with pytest.raises(ResourceError):
        save(tmp_path, 1)
    monkeypatch.undo()
    remove_leftovers(tmp_path)  # what the next run does first
    assert find_checkpoint(tmp_path).step == 1


def test_too_little_room_is_noticed_before_anything_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, 1)
    usage = type(files.shutil.disk_usage(tmp_path))(100, 99, 1)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(ResourceError, match="make room"):
        save(tmp_path, 2)
    assert step_folders(tmp_path) == ["step-000000001"]


def test_folder_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="faceswap train"):
        find_checkpoint(tmp_path / "nothing")


def test_folder_without_checkpoints_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="faceswap train"):
        find_checkpoint(tmp_path)
