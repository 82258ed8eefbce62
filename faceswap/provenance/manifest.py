"""C2PA manifests: what is said about an output, signed and put into it or beside it.

C2PA 2.x through c2pa-python. The source is the parent: a manifest that it has is kept inside ours. Field by field:
docs/formats/marks.md.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from faceswap.errors import ProvenanceError, UsageError
from faceswap.files import readable, short_name, sync_file
from faceswap.provenance.mark import Mark
from faceswap.provenance.mark_id import MarkId, id_text
from faceswap.provenance.signer import Signer

FORMATS = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".avi": "video/x-msvideo",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
}
"""Suffix -> what C2PA calls files that hold their own manifest; all others have it beside them."""
OTHER_FORMAT = "application/octet-stream"
SIDECAR = ".c2pa"
OUR_ASSERTION = "faceswap.conversion"
WATERMARK_ALGORITHM = "faceswap.luma.1"
_AVI_LIMIT = 1 << 30
"""Bytes; FFmpeg cuts larger ones into several RIFF chunks (OpenDML), of which a manifest would cover the first only."""
_PARENT = "parentOf"
_MAX_NAME_BYTES = 255
_SETTINGS = {
    "builder": {"thumbnail": {"enabled": False}},
    # Every manifest is read back before the output gets its name, and nothing here goes to the network.
    "verify": {"verify_after_sign": False, "remote_manifest_fetch": False, "ocsp_fetch": False},
}


@dataclass(frozen=True, slots=True)
class ManifestFacts:
    """What a manifest says."""

    title: str
    """Name of the output."""
    mark: Mark
    when: str
    """UTC, to the second."""
    watermark: MarkId | None = None
    """In the pixels; None = there is no watermark."""
    components: tuple[bytes, ...] = ()
    """What else it is made of, from `parent_of`."""
    description: str = "faces were replaced by a trained model"


def format_of(path: Path, size: int | None = None) -> str | None:
    """Return C2PA's name of a file that holds its own manifest; None = it gets a sidecar.

    Args:
        size: bytes, if the file is not there yet under this name.
    """
    kind = FORMATS.get(path.suffix.lower())
    if kind == "video/x-msvideo":
        size = path.stat().st_size if size is None and path.exists() else size
        return kind if (size or 0) <= _AVI_LIMIT else None
    return kind


def sidecar_of(path: Path) -> Path:
    """Return where a file's manifest lies that is not inside it: where C2PA's own tools look, if such a name can be."""
    beside = path.with_suffix(SIDECAR)
    return (
        beside if len(os.fsencode(beside.name)) <= _MAX_NAME_BYTES else path.with_name(short_name(path.stem) + SIDECAR)
    )


def new_context() -> Any:
    """Return c2pa's settings for us."""
    import c2pa

    return c2pa.Context(c2pa.Settings.from_dict(_SETTINGS))


def parent_of(path: Path, relationship: str = _PARENT) -> bytes:
    """Return a source as a C2PA ingredient, with the manifest it has, in or beside it.

    Args:
        relationship: "parentOf", or "componentOf" for what else a file is made of.

    Raises:
        ProvenanceError: it cannot be described.
    """
    import c2pa

    kind, sidecar = format_of(path), sidecar_of(path)
    words: dict[str, Any] = {"title": readable(path.name), "relationship": relationship, "label": relationship}
    with c2pa.Builder(_definition(ManifestFacts(path.name, Mark("0" * 64), ""), None), new_context()) as builder:
        try:
            if kind is None and sidecar.is_file():
                words |= _beside(builder, path, sidecar)
            with path.open("rb") as file:
                builder.add_ingredient(words, kind or OTHER_FORMAT, file)
        except c2pa.C2paError:
            return _plain_parent(path.name, relationship)
        archive = io.BytesIO()
        builder.write_ingredient_archive(relationship, archive)
    return archive.getvalue()


def _plain_parent(title: str, relationship: str) -> bytes:
    """Return a source of which only the name is known: damaged, or its manifest is."""
    import c2pa

    words = {"title": readable(title), "relationship": relationship, "label": relationship}
    with c2pa.Builder(_definition(ManifestFacts(title, Mark("0" * 64), ""), None), new_context()) as builder:
        builder.add_ingredient(words, OTHER_FORMAT, io.BytesIO(b""))
        archive = io.BytesIO()
        builder.write_ingredient_archive(relationship, archive)
    return archive.getvalue()


def _beside(builder: Any, path: Path, sidecar: Path) -> dict[str, Any]:
    """Return what an ingredient says of a manifest that lies beside it, which goes into the builder."""
    import c2pa

    data = sidecar.read_bytes()
    with path.open("rb") as file, c2pa.Reader(OTHER_FORMAT, file, data, context=new_context()) as reader:
        found = json.loads(reader.json())
    builder.add_resource("parent.c2pa", io.BytesIO(data))
    return {
        "active_manifest": found["active_manifest"],
        "validation_results": found["validation_results"],
        "manifest_data": {"format": "application/c2pa", "identifier": "parent.c2pa"},
    }


def sign_file(
    path: Path,
    signed: Path,
    kind: str | None,
    facts: ManifestFacts,
    parent: bytes | None,
    signer: Signer,
    on_bytes: Callable[[int], None] = lambda _: None,
) -> None:
    """Write a signed copy of a file, or its manifest alone, and sync it.

    Args:
        signed: the copy, or with `kind` None the sidecar; replaced if it exists.
        kind: from `format_of`. parent: from `parent_of`; None = there is no source.
        on_bytes: told how many bytes were read; what it raises stops the work.

    Raises:
        ProvenanceError: it cannot be signed. UsageError: the time service did not answer. OSError: disk full.
    """
    source = _Watched(path, on_bytes)
    with source:
        if kind is None:
            signed.write_bytes(_sign(source, io.BytesIO(), None, facts, parent, signer, source))
        else:
            with signed.open("w+b") as target:
                _sign(source, target, kind, facts, parent, signer, source)
    sync_file(signed)


def sign_bytes(data: bytes, kind: str | None, facts: ManifestFacts, parent: bytes | None, signer: Signer) -> bytes:
    """Return a small file's bytes with a manifest, or with `kind` None the manifest alone; as `sign_file`."""
    target = io.BytesIO()
    manifest = _sign(io.BytesIO(data), target, kind, facts, parent, signer, None)
    return manifest if kind is None else target.getvalue()


class _Watched(io.BufferedReader):
    """A file that tells how much of it is read; c2pa swallows what a callback raises, so that it is kept here."""

    def __init__(self, path: Path, on_bytes: Callable[[int], None]) -> None:
        super().__init__(io.FileIO(path), buffer_size=1 << 20)
        self._on_bytes = on_bytes
        self.stopped_by: Exception | None = None

    def readinto(self, buffer: Any) -> int:
        try:
            count = super().readinto(buffer)
            self._on_bytes(count)
        except Exception as error:
            self.stopped_by = error
            raise
        return count


def _sign(
    source: Any,
    target: IO[bytes],
    kind: str | None,
    facts: ManifestFacts,
    parent: bytes | None,
    signer: Signer,
    watched: _Watched | None,
) -> bytes:
    import c2pa

    address = signer.time_authority.encode() if signer.time_authority else None
    try:
        with c2pa.Builder(_definition(facts, kind, has_parent=parent is not None), new_context()) as builder:
            if parent is not None:
                builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
                for ingredient in (parent, *facts.components):
                    builder.add_ingredient_from_archive(io.BytesIO(ingredient))
            if kind is None:
                builder.set_no_embed()
            info = c2pa.C2paSignerInfo(signer.algorithm, signer.certificates, signer.key, address)
            with c2pa.Signer.from_info(info) as who:
                return builder.sign(who, kind or OTHER_FORMAT, source, target)
    except c2pa.C2paError as error:
        if watched is not None and watched.stopped_by is not None:
            raise watched.stopped_by from error
        if signer.time_authority:
            raise UsageError(
                f"{facts.title} could not be signed ({error}); if {signer.time_authority} did not answer, repeat the "
                "command later, or leave --c2pa-tsa out"
            ) from error
        raise ProvenanceError(f"{facts.title} could not be signed ({error}), so it was withheld") from error


def _definition(facts: ManifestFacts, kind: str | None, *, has_parent: bool = True) -> dict[str, Any]:
    mark = facts.mark
    tool = {"name": "faceswap", "version": mark.version}
    ours = {
        "statement": mark.statement,
        "model_sha256": list(mark.models),
        "consent_sha256": list(mark.consents),
        "id": mark.id,
    }
    edited = {
        "action": "c2pa.edited",
        "digitalSourceType": mark.digital_source_type,
        "softwareAgent": tool,
        "description": facts.description,
        # Texts throughout: the library stores whole numbers in parameters as bytes.
        "parameters": {"faceswap.model_sha256": mark.model_sha256, "faceswap.consent_sha256": mark.consent_sha256},
        **({"when": facts.when} if facts.when else {}),
    }
    opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": [_PARENT]}}
    created = {"action": "c2pa.created", "digitalSourceType": mark.digital_source_type, "softwareAgent": tool}
    assertions: list[dict[str, Any]] = [
        {"label": "c2pa.actions.v2", "data": {"actions": [opened if has_parent else created, edited]}},
        {"label": OUR_ASSERTION, "data": ours},
    ]
    if facts.watermark is not None:
        binding = {"alg": WATERMARK_ALGORITHM, "blocks": [{"scope": {}, "value": id_text(facts.watermark)}]}
        assertions.append({"label": "c2pa.soft-binding", "data": binding})
    return {
        "claim_generator_info": [tool],
        "title": readable(facts.title),
        "format": kind or OTHER_FORMAT,
        "assertions": assertions,
    }
