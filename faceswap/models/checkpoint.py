"""Checkpoints: whole directories that are published by one rename, and verified before use.

    MODEL/step-000001234/
        weights.safetensors  ema.safetensors  optimizer.safetensors  state.safetensors   tensors
        spec.json  train.json  progress.json  likeness.json  consent.json                settings, figures, records
        MANIFEST.json                                                                    written last
Field by field: docs/formats/checkpoint.md.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceswap import __version__
from faceswap.config import validated
from faceswap.errors import CheckpointError, UsageError
from faceswap.files import disk_errors_named, require_space, sha256_file, sync_folder, write_synced
from faceswap.models.spec import SwapSpec

FORMAT_VERSION = 1
MANIFEST = "MANIFEST.json"
_STEP_FOLDER = re.compile(r"step-(\d{9})")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A directory whose files are the ones its manifest lists."""

    path: Path
    step: int
    manifest_sha256: str
    """Names the model in marks and reports."""
    rejected: tuple[str, ...] = ()
    """Newer checkpoints that did not verify, and why."""

    @property
    def spec(self) -> SwapSpec:
        return validated(SwapSpec, self.document("spec"), str(self.path / "spec.json"))

    def has(self, name: str) -> bool:
        """True when there is such a JSON part; "likeness" and "consent" may be missing."""
        return (self.path / f"{name}.json").is_file()

    def document(self, name: str) -> dict[str, Any]:
        """Return a JSON part ("spec", "train", "progress", "likeness", "consent")."""
        return json.loads((self.path / f"{name}.json").read_text(encoding="utf-8"))

    def has_tensors(self, name: str) -> bool:
        """True when there is such a tensor part; "critic" may be missing."""
        return (self.path / f"{name}.safetensors").is_file()

    def tensors(self, name: str) -> dict[str, Any]:
        """Return a tensor part ("weights", "ema", "optimizer", "state", "critic")."""
        from safetensors.torch import load_file

        return load_file(self.path / f"{name}.safetensors")


def save_checkpoint(
    model: Path,
    step: int,
    tensors: Mapping[str, Mapping[str, Any]],
    documents: Mapping[str, Mapping[str, Any]],
    *,
    keep: int = 3,
) -> Checkpoint:
    """Publish a checkpoint as MODEL/step-NNNNNNNNN and remove the oldest beyond `keep`.

    A crash at any moment leaves the old checkpoints intact and at worst a `.tmp-` folder, which the next save removes.

    Raises:
        ResourceError: not enough room (nothing is changed).
    """
    from safetensors.torch import save

    blobs = {f"{name}.json": json.dumps(part, indent=1, sort_keys=True).encode() for name, part in documents.items()}
    size = sum(t.numel() * t.element_size() for part in tensors.values() for t in part.values())
    final = model / f"step-{step:09d}"
    temporary = model / f".tmp-{os.getpid()}"
    with disk_errors_named(model):
        model.mkdir(parents=True, exist_ok=True)
        remove_leftovers(model)
        require_space(model, size)
        temporary.mkdir()
        try:
            digests = {}
            for name, part in tensors.items():
                file = f"{name}.safetensors"
                digests[file] = _write(temporary / file, save({key: t.contiguous() for key, t in part.items()}))
            for file, blob in blobs.items():
                digests[file] = _write(temporary / file, blob)
            manifest = {
                "format": FORMAT_VERSION,
                "faceswap": __version__,
                "step": step,
                "files": digests,
            }
            data = json.dumps(manifest, indent=1, sort_keys=True).encode()
            _write(temporary / MANIFEST, data)
            sync_folder(temporary)
            if (
                final.exists()
            ):  # saved before and resumed without progress, or damaged since: the new one takes its place
                os.rename(final, model / f".old-{final.name}")
            os.rename(temporary, final)
            sync_folder(model)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            remove_leftovers(model)
            raise
        _remove_oldest(model, keep)
        remove_leftovers(model)
    return Checkpoint(final, step, hashlib.sha256(data).hexdigest())


def _write(path: Path, data: bytes) -> str:
    write_synced(path, data)
    return hashlib.sha256(data).hexdigest()


def _remove_oldest(model: Path, keep: int) -> None:
    for path in _step_folders(model)[keep:]:
        # Renamed first: a folder half deleted must not look like a checkpoint.
        os.rename(path, model / f".old-{path.name}")


def remove_leftovers(model: Path) -> None:
    """Clear up after an interrupted save; only the holder of the folder's lock may call this.

    A checkpoint that had been moved aside for one of the same step, which then never came, gets its name back.
    """
    for path in model.glob(".old-step-*"):
        original = model / path.name.removeprefix(".old-")
        is_only = not original.exists() and not any(step > original for step in _step_folders(model))
        if is_only and (path / MANIFEST).is_file():
            os.rename(path, original)
    for path in (*model.glob(".tmp-*"), *model.glob(".old-step-*")):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)


def _step_folders(model: Path) -> list[Path]:
    """Return the checkpoint folders, newest first."""
    folders = [path for path in model.iterdir() if path.is_dir() and _STEP_FOLDER.fullmatch(path.name)]
    return sorted(folders, reverse=True)


def find_checkpoint(path: Path) -> Checkpoint:
    """Return the newest checkpoint of a model folder whose every file verifies; older ones are the fallback.

    Raises:
        UsageError: no such folder. CheckpointError: none verifies; says what is wrong with each.
    """
    if path.is_file():
        raise UsageError(f"{path} is no model: that is a folder made by `faceswap train`, or a .dfm or .onnx file")
    if not path.is_dir():
        raise UsageError(f"no model at {path}; train one with `faceswap train --source A --target B -m {path}`")
    if (path / MANIFEST).is_file():
        return _verified(path)
    folders = _step_folders(path)
    if not folders:
        raise CheckpointError(
            f"{path} holds no checkpoint; train one with `faceswap train --source A --target B -m {path}`"
        )
    rejected: list[str] = []
    for folder in folders:
        try:
            found = _verified(folder)
        except CheckpointError as error:
            rejected.append(str(error))
            continue
        return Checkpoint(found.path, found.step, found.manifest_sha256, tuple(rejected))
    raise CheckpointError(f"no checkpoint in {path} is whole: {'; '.join(rejected)}")


def has_checkpoint(path: Path) -> bool:
    """True when a model folder holds at least one checkpoint folder."""
    return path.is_dir() and bool(_step_folders(path))


def _verified(path: Path) -> Checkpoint:
    try:
        data = (path / MANIFEST).read_bytes()
        manifest = json.loads(data)
        if manifest["format"] != FORMAT_VERSION:
            raise CheckpointError(f"{path} has format {manifest['format']}, this version reads {FORMAT_VERSION}")
        if not manifest["files"]:
            raise CheckpointError(f"{path}: {MANIFEST} lists no files")
        for name, digest in manifest["files"].items():
            if Path(name).name != name:
                raise CheckpointError(f"{path}: the manifest names a file outside the checkpoint ({name!r})")
            if sha256_file(path / name) != digest:
                raise CheckpointError(f"{path}: {name} is damaged (its SHA-256 is not the one in the manifest)")
        return Checkpoint(path, int(manifest["step"]), hashlib.sha256(data).hexdigest())
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: {Path(error.filename).name} is missing") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path}: {MANIFEST} cannot be read ({error})") from error
