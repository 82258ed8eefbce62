"""What does a file say about itself, in all the places where an output says it? Read offline, from the files alone.

What the verdicts mean: docs/formats/marks.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from faceswap.errors import FaceswapError, UnsupportedInputError, UsageError
from faceswap.files import sha256_file
from faceswap.media.containers import MUXERS
from faceswap.media.marks import read_user_data
from faceswap.media.picture_texts import SUFFIXES
from faceswap.media.remux import source_metadata
from faceswap.media.sequence_files import changed_pictures
from faceswap.provenance.consent import ConsentRecord
from faceswap.provenance.consent_store import ConsentStore
from faceswap.provenance.manifest import FORMATS
from faceswap.provenance.manifest_reader import ManifestFound, read_manifest
from faceswap.provenance.mark import SEI_UUID, Mark, mark_in_metadata, sentence_in_metadata
from faceswap.provenance.picture_mark import marks_in_picture
from faceswap.provenance.registry import Registry, RegistryEntry
from faceswap.provenance.watermark_layer import WatermarkFound

Verdict = Literal["intact", "altered", "stripped", "unmarked"]


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was found in a file."""

    path: Path
    container: Mark | None
    """From the container's tags (of a picture: from our own text in it); gone after `-map_metadata -1`."""
    sei: Mark | None
    """From the H.264/H.265 stream; gone after re-encoding."""
    xmp: Mark | None = None
    """From the XMP packet of a picture."""
    manifest: ManifestFound | None = None
    """C2PA, in the file or beside it; gone after any other program wrote the file."""
    entries: tuple[RegistryEntry, ...] = ()
    """What this user's registry knows of the ids in it, or of its very bytes."""
    is_registered: bool = False
    """The registry knows exactly these bytes."""
    sentence: str | None = None
    """Id in the comment to people, which transcoding often keeps; "" = it names none, None = no such comment."""
    watermark: WatermarkFound | None = None
    """In the pixels; survives most of what is done to a clip."""
    has_looked: bool = False
    """A watermark was looked for."""
    records: tuple[ConsentRecord, ...] = ()
    """Consent records that this user has and whose hashes it carries."""

    @property
    def layers(self) -> dict[str, Mark | None]:
        """The marks that were looked for in a file of this kind, by name."""
        if is_marked_picture_kind(self.path):
            return {"picture": self.container, "xmp": self.xmp}
        return {"container": self.container, "sei": self.sei}

    @property
    def mark(self) -> Mark | None:
        """The first mark that was found."""
        return next((mark for mark in self.layers.values() if mark), None)

    @property
    def is_marked(self) -> bool:
        """True when anything in the file says that it is ours."""
        return (
            self.mark is not None
            or self.watermark is not None
            or self.sentence is not None
            or (self.manifest is not None and self.manifest.has_ours)
        )

    @property
    def agrees(self) -> bool:
        """False when there are several marks and they say different things: one was copied from another file."""
        marks = {mark for mark in self.layers.values() if mark}
        ids = {mark.id for mark in marks if mark.id}
        if self.manifest is not None and self.manifest.mark_id:
            ids.add(self.manifest.mark_id)
        if self.watermark is not None:
            ids.add(self.watermark.mark_id)
        if self.sentence:
            ids.add(self.sentence)
        return len(marks) <= 1 and len(ids) <= 1

    @property
    def verdict(self) -> Verdict:
        """In one word; only a manifest, or the registry, can tell that nothing was changed."""
        if self.manifest is not None and self.manifest.has_ours:
            return "intact" if self.manifest.fits and self.manifest.is_ours and self.agrees else "altered"
        if self.is_registered:
            return "intact"
        if self.is_marked:
            return "stripped" if self.manifest is None or self.manifest.fits else "altered"
        return "unmarked"


@dataclass(frozen=True, slots=True)
class FolderReport:
    """What was found in a folder of pictures and clips."""

    path: Path
    num_pictures: int
    unmarked: tuple[Path, ...]
    """Pictures without a mark, or damaged."""
    marks: frozenset[Mark]
    """All different marks of the pictures; one conversion leaves one."""
    stripped: tuple[Path, ...] = ()
    """Pictures with a mark and without a signature."""
    altered: tuple[Path, ...] = ()
    """Pictures that are not as they were signed."""
    clips: tuple[VerifyReport, ...] = ()

    @property
    def is_marked(self) -> bool:
        """True when every picture and clip is."""
        has_any = self.num_pictures > 0 or bool(self.clips)
        return has_any and not self.unmarked and all(clip.is_marked for clip in self.clips)

    @property
    def is_whole(self) -> bool:
        """True when every picture and clip is marked, signed and as it was signed."""
        is_intact = not self.stripped and not self.altered and all(clip.verdict == "intact" for clip in self.clips)
        return self.is_marked and is_intact

    @property
    def agrees(self) -> bool:
        return len(self.marks) <= 1


def is_marked_picture_kind(path: Path) -> bool:
    """True for names of pictures in which marks can be."""
    return path.suffix.lower() in SUFFIXES


def verify_folder(path: Path | str) -> FolderReport:
    """Return what the PNG, TIFF and EXR pictures and the clips in a folder say; not of folders in it.

    Raises:
        UsageError: no such folder, or nothing of these kinds in it.
    """
    path = Path(path)
    files = sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith(".")) if path.is_dir() else []
    pictures = [p for p in files if is_marked_picture_kind(p)]
    clips = [p for p in files if p.suffix.lower() in MUXERS]
    if not pictures and not clips:
        raise UsageError(f"{path} holds no pictures and no clips of a kind that can be marked ({', '.join(SUFFIXES)})")
    signed_by_table, changed = _tables_of(path)
    unmarked, stripped, altered, marks = [], [], [], set()
    for picture in pictures:
        found = _marks_or_none(picture)
        marks |= found
        manifest = read_manifest(picture) if picture.suffix.lower() in FORMATS else None
        if not found:
            unmarked.append(picture)
        elif picture.name in changed or (manifest is not None and not (manifest.fits and manifest.is_ours)):
            altered.append(picture)
        elif manifest is None and picture.name not in signed_by_table:
            stripped.append(picture)
    return FolderReport(
        path,
        len(pictures),
        tuple(unmarked),
        frozenset(marks),
        tuple(stripped),
        tuple(altered),
        tuple(_clip_or_nothing(clip) for clip in clips),
    )


def _marks_or_none(picture: Path) -> set[Mark]:
    try:
        return {mark for mark in marks_in_picture(picture) if mark}
    except UnsupportedInputError:
        return set()


def _clip_or_nothing(clip: Path) -> VerifyReport:
    try:
        return verify_clip(clip)
    except UnsupportedInputError:
        return VerifyReport(clip, None, None)


def _tables_of(folder: Path) -> tuple[set[str], set[str]]:
    """Return the names of pictures that signed tables vouch for, and of those that differ from what a table says."""
    signed: set[str] = set()
    changed: set[str] = set()
    for table in folder.glob("*frames.json"):
        try:
            differing, names = changed_pictures(table)
        except FaceswapError:
            continue
        if not names:
            continue
        manifest = read_manifest(table)
        if manifest is not None and not (manifest.fits and manifest.is_ours):
            changed |= names
        elif manifest is not None:
            signed |= names - differing
        changed |= differing
    return signed, changed


def verify_clip(
    path: Path | str, *, find_watermark: Callable[[Path], WatermarkFound | None] | None = None
) -> VerifyReport:
    """Return what a clip, or one picture, says about itself, and what this user's registry and records know of it.

    Args:
        find_watermark: looks into the pixels, which takes its time; asked where the manifest does not tell that there is
            nothing to find. None = not looked for.

    Raises:
        UsageError: no such file. UnsupportedInputError: not a media file.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"{path} does not exist; give the path of a file")
    if is_marked_picture_kind(path):
        own, xmp = marks_in_picture(path)
        sei = sentence = None
    else:
        payload = read_user_data(path, SEI_UUID)
        sei = Mark.from_json(payload.decode("utf-8", errors="replace")) if payload is not None else None
        tags = source_metadata(path)
        own, xmp, sentence = mark_in_metadata(tags), None, sentence_in_metadata(tags)
    manifest = read_manifest(path)
    is_settled = manifest is not None and manifest.has_ours and manifest.fits and not manifest.watermark
    has_looked = find_watermark is not None and not is_settled
    watermark = find_watermark(path) if find_watermark is not None and has_looked else None
    ids = {mark.id for mark in (own, sei, xmp) if mark and mark.id}
    ids |= {manifest.mark_id} if manifest is not None and manifest.mark_id else set()
    ids |= {sentence} if sentence else set()
    ids |= {watermark.mark_id} if watermark is not None else set()
    entries, is_registered = _registered(path, ids)
    hashes = {sha256 for mark in (own, sei, xmp) if mark for sha256 in mark.consents}
    hashes |= set(manifest.consents if manifest else ())
    store = ConsentStore.of_user()
    records = tuple(filter(None, (store.by_sha256(sha256) for sha256 in sorted(hashes))))
    return VerifyReport(path, own, sei, xmp, manifest, entries, is_registered, sentence, watermark, has_looked, records)


def _registered(path: Path, ids: set[str]) -> tuple[tuple[RegistryEntry, ...], bool]:
    """Return what the registry knows, and whether it knows these very bytes; a damaged registry knows nothing."""
    registry = Registry.of_user()
    if not registry.path.is_file():
        return (), False
    try:
        same = registry.of_sha256(sha256_file(path))
        of_ids = [entry for number in sorted(ids) for entry in registry.of_id(number)]
    except UsageError:
        return (), False
    return tuple(dict.fromkeys((*same, *of_ids))), bool(same)
