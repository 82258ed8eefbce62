"""Reading C2PA manifests: is one there, does it fit the file, and what does it say?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from faceswap.provenance.manifest import (
    OTHER_FORMAT,
    OUR_ASSERTION,
    WATERMARK_ALGORITHM,
    format_of,
    new_context,
    sidecar_of,
)

_UNTRUSTED = "signingCredential.untrusted"
_MAX_SIDECAR = 64 << 20


@dataclass(frozen=True, slots=True)
class ManifestFound:
    """A manifest, ours or anybody's; all texts are as they stand in it."""

    place: Literal["embedded", "sidecar"]
    problems: tuple[str, ...]
    """What does not fit, as codes of the C2PA specification; empty = the file is as it was signed."""
    is_trusted: bool
    """The signer's certificate comes from an authority that the reader knows."""
    is_ours: bool
    """It was made by a conversion (or `provenance attach`), not by a later program."""
    signer: str
    when: str
    """As the manifest says; dated by a time service if `is_dated`."""
    is_dated: bool
    tool: str
    title: str
    parent: str
    """Name of the source."""
    mark_id: str
    models: tuple[str, ...]
    """SHA-256; of our manifest, or of ours among its parents."""
    consents: tuple[str, ...]
    watermark: str
    """Id that the soft binding names."""
    num_manifests: int
    """Of the whole history that the file carries."""

    @property
    def fits(self) -> bool:
        return not self.problems

    @property
    def has_ours(self) -> bool:
        """True when it, or one of its parents, is ours."""
        return bool(self.models)


def read_manifest(path: Path) -> ManifestFound | None:
    """Return the manifest in or beside a file, or None. Nothing is fetched from anywhere.

    Raises:
        OSError: the file cannot be read.
    """
    kind, sidecar = format_of(path), sidecar_of(path)
    if kind is not None:  # a sidecar of that name would be another file's
        return _embedded(path, kind)
    if sidecar != path and sidecar.is_file() and sidecar.stat().st_size <= _MAX_SIDECAR:
        return _beside(path, sidecar)
    return None


def _embedded(path: Path, kind: str) -> ManifestFound | None:
    import c2pa

    with path.open("rb") as file:
        try:
            with c2pa.Reader(kind, file, context=new_context()) as reader:
                return _found("embedded", json.loads(reader.json()))
        except c2pa.C2paError.ManifestNotFound:
            return None
        except c2pa.C2paError as error:
            # A file that is cut off or no file of its kind says so too, and then holds no manifest that could be damaged.
            is_there = b"c2pa" in _head(path)
            return _damaged("embedded", error) if is_there else None


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(1 << 16)


def _beside(path: Path, sidecar: Path) -> ManifestFound:
    import c2pa

    with path.open("rb") as file:
        try:
            with c2pa.Reader(OTHER_FORMAT, file, sidecar.read_bytes(), context=new_context()) as reader:
                return _found("sidecar", json.loads(reader.json()))
        except c2pa.C2paError as error:
            return _damaged("sidecar", error)


def _damaged(place: Literal["embedded", "sidecar"], error: Exception) -> ManifestFound:
    return ManifestFound(place, (f"damaged: {error}",), False, False, "", "", False, "", "", "", "", (), (), "", 0)


def _found(place: Literal["embedded", "sidecar"], store: Mapping[str, Any]) -> ManifestFound:
    manifests = store.get("manifests", {})
    active = manifests.get(store.get("active_manifest"), {})
    ours = _ours(active) or next(filter(None, map(_ours, manifests.values())), {})
    codes = [str(status.get("code", "")) for status in store.get("validation_status") or []]
    problems = tuple(dict.fromkeys(code for code in codes if code != _UNTRUSTED))
    if store.get("validation_state") == "Invalid" and not problems:
        problems = ("invalid",)
    signature = active.get("signature_info") or {}
    tools = active.get("claim_generator_info") or [{}]
    return ManifestFound(
        place=place,
        problems=problems,
        is_trusted=_UNTRUSTED not in codes,
        is_ours=bool(_ours(active)),
        signer=", ".join(filter(None, (signature.get("common_name"), signature.get("issuer")))),
        when=str(signature.get("time") or _when(active)),
        is_dated=bool(signature.get("time")),
        tool=" ".join(filter(None, (tools[0].get("name"), tools[0].get("version")))),
        title=str(active.get("title", "")),
        parent=next((str(i.get("title", "")) for i in _ingredients(active)), ""),
        mark_id=str(ours.get("id", "")),
        models=tuple(map(str, ours.get("model_sha256", ()))),
        consents=tuple(map(str, ours.get("consent_sha256", ()))),
        watermark=_watermark(active),
        num_manifests=len(manifests),
    )


def _ours(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what our assertion in a manifest says; empty = there is none."""
    data = _assertion(manifest, OUR_ASSERTION)
    return data if isinstance(data, dict) else {}


def _assertion(manifest: Mapping[str, Any], label: str) -> Any:
    return next((each.get("data") for each in manifest.get("assertions", []) if each.get("label") == label), None)


def _ingredients(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [each for each in manifest.get("ingredients", []) if each.get("relationship") == "parentOf"]


def _when(manifest: Mapping[str, Any]) -> str:
    actions = (_assertion(manifest, "c2pa.actions.v2") or {}).get("actions", [])
    return next((str(action["when"]) for action in actions if action.get("when")), "")


def _watermark(manifest: Mapping[str, Any]) -> str:
    data = _assertion(manifest, "c2pa.soft-binding")
    if not isinstance(data, dict) or data.get("alg") != WATERMARK_ALGORITHM:
        return ""
    return next((str(block.get("value", "")) for block in data.get("blocks", [])), "")
