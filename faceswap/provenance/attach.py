"""Signing anew what comes back from an editing suite: the manifest is lost on the way, the history need not be."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from faceswap.errors import ProvenanceError, UsageError
from faceswap.files import (
    disk_errors_named,
    remove_stale_temporaries,
    require_space,
    sha256_file,
    sync_folder,
    temporary_beside,
)
from faceswap.provenance.consent import moment
from faceswap.provenance.manifest import SIDECAR, ManifestFacts, format_of, parent_of, sidecar_of, sign_file
from faceswap.provenance.manifest_reader import read_manifest
from faceswap.provenance.mark import Mark
from faceswap.provenance.mark_id import MarkId, id_of_text
from faceswap.provenance.registry import Registry, RegistryEntry
from faceswap.provenance.signer import signer_of
from faceswap.provenance.verify import VerifyReport, verify_clip
from faceswap.provenance.wish import ProvenanceWish


@dataclass(frozen=True, slots=True)
class Attached:
    """What `attach` did."""

    path: Path
    manifest: Path
    """The file itself, or the sidecar."""
    notes: tuple[str, ...]


def attach(path: Path, parent: Path, wish: ProvenanceWish | None = None) -> Attached:
    """Sign a file that was made out of one of our outputs, which becomes its parent with all its history.

    Args:
        path: the edited file; its pictures stay as they are.
        parent: the output that it was made of.

    Raises:
        UsageError: a file is missing, or both are the same. ProvenanceError: the parent is not ours, or cannot be signed.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist; give the file that came back from editing")
    before = verify_clip(parent)
    if path.resolve() == parent.resolve():
        raise UsageError(f"{path} is both the file and its parent; name the output that it was made of with --parent")
    if not before.is_marked:
        raise ProvenanceError(
            f"{parent} carries no mark of faceswap, so that nothing can be passed on; give our output"
        )
    mark, notes = _mark_of(before), []
    if before.verdict != "intact":
        notes.append(f"{parent} is {before.verdict} itself; the new manifest says whose child the file is, not more")
    signer = signer_of(wish or ProvenanceWish())
    kind = format_of(path)
    # A manifest that the editing program made would be lost by signing over it: it is kept as that of a component.
    own = (parent_of(path, "componentOf"),) if read_manifest(path) is not None else ()
    facts = ManifestFacts(
        path.name, mark, moment(), _watermark_of(before), own, "edited further; faces had been replaced"
    )
    target = path if kind is not None else sidecar_of(path)
    temporary = temporary_beside(target)
    with disk_errors_named(target):
        remove_stale_temporaries(target)
        require_space(path.parent, path.stat().st_size if kind is not None else 1 << 20)
        try:
            sign_file(path, temporary, kind, facts, parent_of(parent), signer)
            entry = _entry(path, temporary if kind is not None else path, parent, mark, before)
            Registry.of_user().add([entry])
            os.replace(temporary, target)
            sync_folder(target.parent)
        finally:
            temporary.unlink(missing_ok=True)
    if kind is None:
        notes.append(
            f"{path.suffix or 'this kind of file'} cannot hold its manifest: keep {target.name} beside it ({SIDECAR})"
        )
    return Attached(path, target, tuple(notes))


def _mark_of(report: VerifyReport) -> Mark:
    if report.mark is not None:
        return report.mark
    assert report.manifest is not None, "it is marked"
    found = report.manifest
    return Mark.of_models(found.models, found.consents, found.mark_id)


def _watermark_of(report: VerifyReport) -> MarkId | None:
    return id_of_text(report.manifest.watermark) if report.manifest is not None else None


def _entry(path: Path, file: Path, parent: Path, mark: Mark, before: VerifyReport) -> RegistryEntry:
    old = before.entries[0] if before.entries else None
    return RegistryEntry(
        mark_id=mark.id,
        path=str(path.absolute()),
        sha256=sha256_file(file),
        made_at=moment(),
        source=str(parent.absolute()),
        source_fingerprint=old.source_fingerprint if old else "",
        identities=old.identities if old else "",
        models=mark.model_sha256,
        consent_ids=old.consent_ids if old else "",
        consent_sha256s=mark.consent_sha256,
        has_watermark=old.has_watermark if old else 0,
        version=mark.version,
    )
