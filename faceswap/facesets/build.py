"""Clips and pictures in, a faceset out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from faceswap import geometry
from faceswap.errors import FaceswapError, InterruptedRunError, ResourceError, UsageError
from faceswap.faces.analyse import analyse, clip_fingerprint
from faceswap.faces.base import Detector
from faceswap.faces.registry import make_detector
from faceswap.facesets.crops import STORES, CropSettings, Store, add_clip
from faceswap.facesets.inputs import expanded
from faceswap.facesets.schema import check_actor
from faceswap.facesets.store import FaceSet
from faceswap.interrupt import StopRequest, stop_on_signal
from faceswap.media.reader import open_clip
from faceswap.progress import OnProgress, ignore_progress
from faceswap.provenance.consent import ConsentRecord
from faceswap.provenance.consent_rules import new_command
from faceswap.types import Coverage, CropSpec

DEFAULT_MARGIN = 0.12
"""Room around the coverage, so that training can turn and shift crops without meeting their edge."""


@dataclass(frozen=True, slots=True)
class ExtractReport:
    """What `extract_faces` did."""

    faceset: Path
    actor: str
    num_faces: int
    """Added by this call."""
    num_total: int
    """In the faceset now."""
    num_inputs: int
    """Clips and pictures after folders were opened."""
    skipped: tuple[str, ...]
    """Inputs already there."""
    failed: tuple[str, ...]
    """One line for each input that could not be used."""
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Extraction:
    """One call while it runs."""

    folder: Path
    actor: str
    crop: CropSpec
    every: int
    min_face_px: int
    detector: Detector
    on_progress: OnProgress
    stop: StopRequest
    settings: CropSettings
    store: FaceSet | None = None
    """Made with the first usable input: a failed one must not leave an empty faceset behind."""
    num_faces: int = 0
    skipped: list[str] = field(default_factory=list)
    failed: list[FaceswapError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, clip: Path) -> None:
        """Analyse an input and store its faces; what is wrong with it is remembered."""
        try:
            reader = open_clip(clip)
            if self.store is not None and self.store.has_clip(clip_fingerprint(clip), self.every):
                self.skipped.append(str(clip))
                return
            index = analyse(
                reader,
                self.detector,
                every=self.every,
                min_face_px=self.min_face_px,
                on_progress=self.on_progress,
                stop=self.stop,
            )
            self.notes += [f"{clip.name}: {note}" for note in reader.info.notes]
            if reader.num_damaged:
                self.notes.append(f"{clip.name}: {reader.num_damaged} places are damaged and did not decode")
            self.store = self.store or FaceSet.create(self.folder, self.actor, self.crop)
            self.num_faces += add_clip(self.store, reader, index, self.settings, self.on_progress, self.stop)
        except (ResourceError, UsageError, InterruptedRunError):
            raise
        except FaceswapError as error:
            self.failed.append(error)


def extract_faces(
    clips: Sequence[Path | str],
    faceset: Path | str,
    actor: str,
    *,
    size: int = 256,
    coverage: Coverage = "whole_face",
    margin: float = DEFAULT_MARGIN,
    every: int = 1,
    min_face_px: int = 32,
    store: Store = "jpeg",
    largest: bool = False,
    era: str = "",
    consent: ConsentRecord | None = None,
    device: str = "auto",
    detector: Detector | None = None,
    on_progress: OnProgress = ignore_progress,
) -> ExtractReport:
    """Add the faces of clips, pictures or folders of either to a faceset.

    The same call again goes on where it stopped: inputs that are in the faceset already are skipped. An input that
    cannot be used is reported and does not stop the others, unless no other could be used.

    Args:
        size: side of the crops, px. every: use every n-th frame (of pictures: every n-th of a folder).
        min_face_px: larger side of the smallest face used.
        store: "jpeg" (8 bit, quality 95, 4:4:4) or "png16", which keeps what a clip of more than 8 bits holds.
        largest: use only the largest face of each frame.
        era: label of this material, kept with each crop.
        consent: the record that the material is taken under; a copy is kept in the faceset.

    Raises:
        UsageError: bad settings or paths. UnsupportedInputError, NoFaceError: when no input could be used.
        InterruptedRunError: stopped by a signal; finished inputs are kept.
    """
    _check(actor, size, every, min_face_px, store)
    inputs = expanded(clips, every)
    crop = CropSpec(size=size, coverage=coverage, margin=margin, template=geometry.CANONICAL)
    folder = Path(faceset)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file, not a folder; choose another place for the faceset")
    faceset_there = FaceSet.create(folder, actor, crop) if (folder / "faces.db").is_file() else None
    settings = CropSettings(store, largest, era)
    detector = detector or make_detector(device=device)
    with stop_on_signal() as stop:
        run = _Extraction(folder, actor, crop, every, min_face_px, detector, on_progress, stop, settings, faceset_there)
        try:
            for clip in inputs:
                run.add(clip)
        except InterruptedRunError as error:
            done = f"{run.num_faces} faces of finished inputs are kept in {faceset}"
            raise InterruptedRunError(f"{error}; {done}; repeat the command to go on", stop.signal_number) from error
    if run.store is None or (run.failed and not run.num_faces and not run.skipped):
        raise run.failed[0]
    if consent is not None:
        run.store.add_consents([consent])
        if actor not in consent.subject.names:
            run.notes.append(
                f"warning: the record {consent.record_id} is of {consent.subject.name!r}, and these are faces of {actor!r}; "
                f"if that is another person, extract anew without it"
            )
    elif not run.store.consents():
        run.notes.append(
            f"{faceset} names no consent record, and `convert` refuses faces without one; {new_command(actor)}, "
            "then repeat this command with --consent ID"
        )
    return ExtractReport(
        faceset=run.store.path,
        actor=actor,
        num_faces=run.num_faces,
        num_total=len(run.store.records()),
        num_inputs=len(inputs),
        skipped=tuple(run.skipped),
        failed=tuple(map(str, run.failed)),
        notes=tuple(run.notes),
    )


def _check(actor: str, size: int, every: int, min_face_px: int, store: str) -> None:
    check_actor(actor)
    if not 64 <= size <= 1024 or size % 32:
        raise UsageError(f"--size {size} is not possible; allowed: 64 to 1024 in steps of 32")
    if every < 1:
        raise UsageError(f"--every {every} is not possible; 1 takes every frame, 2 every second")
    if store not in STORES:
        raise UsageError(f"--store {store!r} is unknown; allowed: {', '.join(STORES)}")
    if min_face_px < 8:
        raise UsageError(f"--min-face {min_face_px} is not possible; the smallest face that can be used has 8 px")
