"""Two clips in, figures out: the untouched footage, and what somebody made of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceswap import __version__, geometry
from faceswap.errors import InterruptedRunError, NoFaceError, UsageError
from faceswap.evaluate.equivariance import shift_error
from faceswap.evaluate.likeness import Actor, Embedder, actor_of, identity_figures
from faceswap.evaluate.observe import Observation, Observer
from faceswap.evaluate.pairs import check_pair, paired_frames
from faceswap.evaluate.protocols import Protocol
from faceswap.evaluate.summary import FaceFigures, summarise
from faceswap.evaluate.table import judged
from faceswap.faces.align import patch_from_frame
from faceswap.faces.analyse import kept_index
from faceswap.faces.base import Detection, Detector, IdentityEncoder
from faceswap.faces.finder import FaceFinder
from faceswap.faces.identity import encoder_patch
from faceswap.faces.index import FaceIndex
from faceswap.faces.method import FaceMethod
from faceswap.faces.viewer import Place, Viewer
from faceswap.faces.views import sample_rgb
from faceswap.facesets.store import FaceSet
from faceswap.figures import seam
from faceswap.files import sha256_file
from faceswap.interrupt import StopRequest, stop_on_signal
from faceswap.media.probe import ClipInfo
from faceswap.media.reader import VideoReader
from faceswap.models.checkpoint import find_checkpoint
from faceswap.models.swap_model import SwapModel
from faceswap.progress import OnProgress, Progress, ignore_progress
from faceswap.types import CropSpec, Face, Frame

_CHANGED = 0.75
"""Mean difference under the mask (8-bit codes) from which on a track was swapped, beyond what encoding did outside."""
_NUM_STILLS = 8
_SUPPORT_CROP = CropSpec(64, "head")
Ranges = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What is known of one result."""

    input: Path
    output: Path
    parts: tuple[FaceFigures, ...]
    """One for each swapped track, in the order of shots."""
    whole: FaceFigures
    rows: tuple[Observation, ...]
    """Of the swapped tracks, in the order of frames."""
    num_frames: int
    """Of the input."""
    num_missing: int
    """Frames of the input that the result does not show."""
    untouched_tracks: tuple[int, ...]
    index: FaceIndex
    notes: tuple[str, ...]
    circumstances: dict[str, Any]
    """Hashes, versions and settings that the figures hold for."""


def _check_judge(encoder: IdentityEncoder, model: Path) -> None:
    """Refuse an encoder whose hash stands in the settings that a model was trained with."""
    if encoder.sha256 in json.dumps(find_checkpoint(model).document("train")):
        raise UsageError(
            f"{encoder.name} took part in the training of {model}, so it cannot judge it; give another --id-encoder"
        )


def _with_shift_error(evaluation: Evaluation, model: SwapModel) -> Evaluation:
    """Return the evaluation with the figure of the network itself, measured on a few of the input's faces."""
    rows = evaluation.rows[:: max(1, len(evaluation.rows) // _NUM_STILLS)][:_NUM_STILLS]
    reader = VideoReader(evaluation.input)
    stills = []
    for row in rows:
        frame = next(reader.frames_from(row.frame, evaluation.index.frames))
        face = next(f for f in evaluation.index.faces_at(row.frame) if f.track == row.track)
        size = model.crop.size
        stills.append(sample_rgb(frame, patch_from_frame(face, model.crop), (size, size)))
    values = {**evaluation.whole.values, "shift_error": shift_error(model, np.stack(stills), model.identities[0])}
    return replace(evaluation, whole=replace(evaluation.whole, values=values, verdict=judged(values)))


@dataclass(slots=True)
class _Pass:
    """One pass over both clips."""

    index: FaceIndex
    finder: FaceFinder
    ranges: Ranges
    encoder: IdentityEncoder | None
    every: int
    observer: Observer = field(default_factory=Observer)
    rows: list[Observation] = field(default_factory=list)
    outside: list[tuple[int, float]] = field(default_factory=list)
    """Largest difference and mean squared error of luma around the faces, by frame."""
    embedded: list[int] = field(default_factory=list)
    """Track of each pair of vectors."""
    num_missing: int = 0
    before_embedder: Embedder | None = None
    after_embedder: Embedder | None = None

    def __post_init__(self) -> None:
        if self.encoder is not None:
            self.before_embedder, self.after_embedder = Embedder(self.encoder), Embedder(self.encoder)

    def add(self, before: Frame, after: Frame | None) -> None:
        faces = self.index.faces_at(before.index)
        if not any(start <= before.index < stop for start, stop in self.ranges):
            return
        if after is None:
            self.num_missing += 1
            return
        if (outside := _outside(before, after, faces)) is not None:
            self.outside.append(outside)
        if not faces or before.index % self.every:
            return
        found = find_in_all(self.finder, [before, after], faces)
        for face, *seen in zip(faces, *found, strict=True):
            row = self.observer.observe(before, after, face, self.index.shot_of(before.index), (seen[0], seen[1]))
            if row is not None:
                self.rows.append(row)
            if self.before_embedder is not None and self.after_embedder is not None:
                self.embedded.append(face.track)
                self.before_embedder.add(encoder_patch(before, face, self.before_embedder.encoder))
                self.after_embedder.add(encoder_patch(after, face, self.after_embedder.encoder))


def finder_of(info: ClipInfo, detector: Detector) -> FaceFinder:
    """Return what looks for faces in single frames of a clip."""
    method = detector if isinstance(detector, FaceMethod) else FaceMethod(detector)
    return FaceFinder(method.detector, Viewer(info.upright_from_stored, info.field_order is not None), 8)


def find_in_all(finder: FaceFinder, frames: Sequence[Frame], faces: Sequence[Face]) -> list[list[Detection | None]]:
    """Return what a detector sees of each face in frames that show the same moment, by the same crops."""
    places = []
    for face in faces:
        assert face.frame_from_canonical is not None, "faces of an index are aligned"
        places.append(Place(face.box, geometry.to_similarity(face.frame_from_canonical).angle))
    return finder.in_crops(frames, [places] * len(frames))


def evaluate_clip(
    input_path: Path | str,
    output: Path | str,
    detector: Detector,
    *,
    faceset: Path | str | None = None,
    encoder: IdentityEncoder | None = None,
    model: Path | str | None = None,
    protocol: Protocol | None = None,
    ranges_of: Callable[[FaceIndex], Ranges] | None = None,
    every: int = 1,
    min_face_px: int = 24,
    device: str = "auto",
    on_progress: OnProgress = ignore_progress,
) -> Evaluation:
    """Measure a result against the footage it was made of, in one pass over both.

    Args:
        output: a clip of this program or of any other, of the same size.
        faceset: of the source; with `encoder` it gives the figures of identity.
        model: that made the result: measures its network's shift error, and an encoder that took part in its training is
            refused: a network learns to please what judges it.
        protocol: chooses the frames; otherwise `ranges_of` does (None = all). every: look at faces in every n-th frame only.

    Raises:
        UsageError: clips of different sizes, or an encoder that took part in training. NoFaceError: no face to look at.
        InterruptedRunError: stopped by a signal.
    """
    swap_model = None if model is None else SwapModel.load(model, device=device)
    if encoder is not None and model is not None:
        _check_judge(encoder, Path(model))
    before, after = VideoReader(Path(input_path)), VideoReader(Path(output))
    check_pair(before, after)
    actor = actor_of(FaceSet.open(faceset), encoder) if faceset is not None and encoder is not None else None
    with stop_on_signal() as stop:
        index = kept_index(before, detector, Path(output), min_face_px=min_face_px, on_progress=on_progress)
        if not index.faces:
            raise NoFaceError(f"{input_path} shows no face of {min_face_px} px or more, so there is nothing to measure")
        choose = protocol.frames_of if protocol is not None else ranges_of
        ranges = choose(index) if choose is not None else ((0, index.num_frames),)
        finder = finder_of(before.info, detector)
        walk = _Pass(index, finder, ranges, encoder if actor is not None else None, every)
        for old, new in _watched(paired_frames(before, after), index.num_frames, on_progress, stop):
            walk.add(old, new)
    if not walk.rows:
        raise NoFaceError(f"{output} and {input_path} have no frame with a face in common; are they of the same scene?")
    circumstances = {
        "faceswap": __version__,
        "detector": detector.name,
        "input_sha256": sha256_file(Path(input_path)),
        "output_sha256": sha256_file(Path(output)),
        "protocol": None if protocol is None else protocol.name,
        "encoder": None if encoder is None else {"name": encoder.name, "sha256": encoder.sha256},
        "every": every,
        "ranges": [list(run) for run in ranges],
    }
    evaluation = _finished(walk, Path(input_path), Path(output), actor, circumstances)
    return evaluation if swap_model is None else _with_shift_error(evaluation, swap_model)


def _finished(
    walk: _Pass, source: Path, output: Path, actor: Actor | None, circumstances: dict[str, Any]
) -> Evaluation:
    swapped, untouched = swapped_tracks(walk.rows, walk.outside)
    rows = [row for row in walk.rows if row.track in swapped]
    parts, whole = summarise(rows)
    extra = _outside_figures(walk.outside)
    if actor is not None and walk.before_embedder is not None and walk.after_embedder is not None:
        chosen = np.isin(walk.embedded, sorted(swapped))
        vectors = walk.after_embedder.finish()[chosen], walk.before_embedder.finish()[chosen]
        figures = identity_figures(*vectors, actor)
        circumstances["bounds"] = {key: figures.pop(key) for key in ("bound_untouched", "bound_source")}
        extra |= figures
    values = {**whole.values, **extra}
    whole = FaceFigures(whole.name, -1, -1, whole.frames, whole.num_frames, values, judged(values), whole.worst)
    notes = [f"{walk.num_missing} frames of the input are missing in the result"] if walk.num_missing else []
    if not untouched and len(swapped) > 1:
        notes.append(f"{len(swapped)} tracks were compared")
    return Evaluation(
        input=source,
        output=output,
        parts=tuple(parts),
        whole=whole,
        rows=tuple(rows),
        num_frames=walk.index.num_frames,
        num_missing=walk.num_missing,
        untouched_tracks=tuple(sorted(untouched)),
        index=walk.index,
        notes=tuple(notes),
        circumstances=circumstances,
    )


def swapped_tracks(rows: Sequence[Observation], outside: Sequence[tuple[int, float]]) -> tuple[set[int], set[int]]:
    """Return the tracks that were changed, and those that were not; when none was, all count as changed (a copy)."""
    noise = float(np.sqrt(np.median([error for _, error in outside]))) if outside else 0.0
    changes: dict[int, list[float]] = {}
    for row in rows:
        changes.setdefault(row.track, []).append(row.change)
    swapped = {track for track, values in changes.items() if np.median(values) > _CHANGED + noise}
    return (swapped, set(changes) - swapped) if swapped else (set(changes), set())


def _watched(
    pairs: Iterator[tuple[Frame, Frame | None]], total: int, on_progress: OnProgress, stop: StopRequest
) -> Iterator[tuple[Frame, Frame | None]]:
    for done, pair in enumerate(pairs, start=1):
        yield pair
        on_progress(Progress("measure", done, total))
        if stop:
            raise InterruptedRunError("stopped; figures need the whole clip, so none are kept", stop.signal_number)


def _outside(before: Frame, after: Frame, faces: Sequence[Face]) -> tuple[int, float] | None:
    """Return the largest difference of luma around the faces (codes), and its mean square (8-bit codes).

    None where the faces fill the picture: nothing was compared, which is not the same as nothing having changed.
    """
    support = np.zeros(before.size, dtype=bool)
    corners = geometry.corners_of((_SUPPORT_CROP.size, _SUPPORT_CROP.size))
    for face in faces:
        in_frame = geometry.apply(geometry.invert(patch_from_frame(face, _SUPPORT_CROP)), corners)
        x0, y0, x1, y1 = geometry.bounding_rect(in_frame, before.size)
        support[y0:y1, x0:x1] = True
    largest, psnr = seam.outside_difference(before.planes[0], after.planes[0], support)
    if np.isnan(psnr):
        return None
    return largest, 0.0 if np.isinf(psnr) else 255.0**2 / 10 ** (psnr / 10)


def _outside_figures(outside: Sequence[tuple[int, float]]) -> dict[str, float]:
    if not outside:
        return {"outside_psnr": float("nan"), "outside_max": float("nan")}
    error = float(np.mean([square for _, square in outside]))
    psnr = float("inf") if error == 0 else float(10 * np.log10(255.0**2 / error))
    return {"outside_psnr": psnr, "outside_max": float(max(largest for largest, _ in outside))}


def series(rows: Sequence[Observation], key: Callable[[Observation], float]) -> tuple[NDArray, NDArray]:
    """Return times (s) and values of a quantity over the rows."""
    return np.array([row.seconds for row in rows]), np.array([key(row) for row in rows])
