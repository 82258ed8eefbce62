"""Taking over facesets of other tools: their crops cut to ours by their landmarks, or ours cut out of the frames."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap import geometry, resample
from faceswap.errors import FaceswapError, NoFaceError, ResourceError, UnsupportedInputError, UsageError
from faceswap.faces.align import frame_from_canonical
from faceswap.faces.analyse import clip_fingerprint
from faceswap.faces.base import Detector
from faceswap.facesets.build import DEFAULT_MARGIN
from faceswap.facesets.crops import JPEG_QUALITY
from faceswap.facesets.figures import measure
from faceswap.facesets.foreign import MAX_SIDE, ForeignFace, picture_size
from faceswap.facesets.imports_dfl import read_dfl_jpeg, read_pak
from faceswap.facesets.imports_faceswap import read_faceswap_png, read_fsa
from faceswap.facesets.schema import FaceRecord, check_actor
from faceswap.facesets.store import FaceSet
from faceswap.files import disk_errors_named, folder_lock, sync_file, sync_folder
from faceswap.media.pictures import encode_picture
from faceswap.progress import OnProgress, Progress, ignore_progress
from faceswap.types import Coverage, CropSpec

_MAX_FILE = 64 << 20


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What `import_faces` did."""

    num_faces: int
    """Added by this call."""
    num_total: int
    """In the faceset now."""
    notes: tuple[str, ...]
    failed: tuple[str, ...]
    """One line for each file that could not be used."""


@dataclass(slots=True)
class _Import:
    """One call while it runs."""

    store: FaceSet
    era: str
    device: str
    on_progress: OnProgress
    detector: Detector | None = None
    failed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    missing: list[float] = field(default_factory=list)
    """For each crop that reaches beyond the stored picture: the share of its area without picture."""

    def faces_of(self, path: Path) -> list[ForeignFace]:
        """Read an input; what is wrong with single faces is remembered."""
        found: list[ForeignFace] = []
        for number, item in enumerate(_read(path)):
            if isinstance(item, ForeignFace):
                found.append(item)
            else:
                self.failed.append(str(item))
            self.on_progress(Progress("read", number + 1, None, unit="faces"))
        return found

    def recut(self, clip: str, face: ForeignFace, place: tuple[int, int]) -> FaceRecord | None:
        """Cut our crop out of theirs; None (and a line of what is wrong) when that cannot be done."""
        try:
            picture = _decoded(face)
            landmarks = face.landmarks if face.landmarks is not None else self._by_detector(face, picture)
        except UnsupportedInputError as error:
            self.failed.append(str(error))
            return None
        crop = self.store.crop
        patch_from_picture = geometry.compose(
            geometry.patch_from_canonical(crop), geometry.invert(frame_from_canonical(landmarks, face.scheme))
        )
        lost = _share_outside(picture.shape[:2], patch_from_picture, crop.size)
        if lost > 0.001:
            self.missing.append(lost)
        rgb = resample.warp(picture, patch_from_picture, (crop.size, crop.size))
        crop_from_frame = face.crop_from_frame if face.crop_from_frame is not None else geometry.translation(0, 0)
        frame, track = place
        name = f"faces/{clip[:8]}-{frame:06d}-{track}.jpg"
        (self.store.path / name).write_bytes(encode_picture(".jpg", rgb, jpeg_quality=JPEG_QUALITY))
        record = FaceRecord(
            file=name,
            clip=clip,
            frame=frame,
            pts=frame,
            time_base="1/25",
            shot=0,
            track=track,
            score=1.0,
            box=face.box if face.box is not None else _bounds(face.frame_landmarks, landmarks),
            landmarks=geometry.apply(patch_from_picture, landmarks),
            patch_from_frame=geometry.compose(patch_from_picture, crop_from_frame),
            scheme=face.scheme,
            era=self.era,
        )
        return replace(record, figures=measure(rgb, record, crop))

    def _by_detector(self, face: ForeignFace, picture: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Lay the frame's landmarks over the crop by the five points that our detector sees in it."""
        from faceswap.faces.registry import make_detector

        self.detector = self.detector or make_detector(device=self.device)
        scale = 256 / max(picture.shape[:2])
        small = cv2.resize(picture, (256, 256), interpolation=cv2.INTER_AREA)
        found = self.detector.detect(small[None])[0]
        if not found or face.frame_landmarks is None:
            raise UnsupportedInputError(
                f"{face.name}: where its landmarks lie in the crop is not stored, and no face is found"
            )
        crop_from_canonical = frame_from_canonical(found[0].landmarks / scale, found[0].scheme)
        canonical_from_frame = geometry.invert(frame_from_canonical(face.frame_landmarks, face.scheme))
        crop_from_frame = geometry.compose(crop_from_canonical, canonical_from_frame)
        return geometry.apply(crop_from_frame, face.frame_landmarks)


def import_faces(
    inputs: Sequence[Path | str],
    faceset: Path | str,
    actor: str,
    *,
    frames: Path | str | None = None,
    size: int = 256,
    coverage: Coverage = "whole_face",
    margin: float = DEFAULT_MARGIN,
    era: str = "",
    device: str = "auto",
    on_progress: OnProgress = ignore_progress,
) -> ImportReport:
    """Add the faces of other tools' facesets; the same call again skips what is there.

    Without `frames` our crops are cut out of theirs: what theirs do not show is filled with their border, and the notes say
    how much that is. With `frames` they are cut out of the frames themselves.

    Args:
        inputs: folders, or files: DeepFaceLab's .jpg and .pak, deepfakes/faceswap's .png and .fsa.
        frames: the clip, or the folder of pictures, that the faces come from.

    Raises:
        UsageError: bad settings or paths. UnsupportedInputError: when nothing could be used.
    """
    is_new = not (Path(faceset) / "faces.db").is_file()
    check_actor(actor)
    store = FaceSet.create(faceset, actor, CropSpec(size, coverage, margin, geometry.CANONICAL))
    try:
        return _import_all(_Import(store, era, device, on_progress), inputs, None if frames is None else Path(frames))
    finally:
        if is_new and not store.clips():
            _remove(store)


def _import_all(run: _Import, inputs: Sequence[Path | str], frames: Path | None) -> ImportReport:
    store, num_faces = run.store, 0
    with folder_lock(store.path, "import"), disk_errors_named(store.path):
        for path in map(Path, inputs):
            if not path.exists():
                raise UsageError(f"{path} does not exist")
            clip = clip_fingerprint(path)
            if store.has_clip(clip, 1):
                run.notes.append(f"{path}: in the faceset already")
                continue
            try:
                faces = run.faces_of(path)
                if frames is not None:
                    from faceswap.facesets.imports_frames import cut_from_frames

                    records = cut_from_frames(store, clip, faces, frames, run.era, run.notes, run.on_progress)
                else:
                    records = _recut_all(run, clip, path, faces)
                if not records:
                    raise NoFaceError(f"{path}: no face could be imported")
            except (ResourceError, UsageError):
                raise
            except FaceswapError as error:
                run.failed.append(str(error))
                continue
            for record in records:
                sync_file(store.path / record.file)
            sync_folder(store.path / "faces")
            store.add_clip(clip, path, 1, max(record.frame for record in records) + 1, records)
            num_faces += len(records)
    if run.failed and not num_faces and not run.notes:
        raise UnsupportedInputError(run.failed[0])
    if run.missing:
        share = float(np.median(run.missing))
        run.notes.append(
            f"{len(run.missing)} crops reach beyond the stored pictures; there the border is repeated "
            f"(half of them: {share:.1%} of the crop or more); --frames cuts them out of the footage instead"
        )
    return ImportReport(num_faces, len(store.records()), tuple(run.notes), tuple(run.failed))


def _remove(store: FaceSet) -> None:
    """Take away a faceset that was made for nothing; what others put into its folder stays."""
    shutil.rmtree(store.path / "faces", ignore_errors=True)
    for name in ("faces.db", ".lock"):
        (store.path / name).unlink(missing_ok=True)
    with suppress(OSError):
        store.path.rmdir()


def _recut_all(run: _Import, clip: str, path: Path, faces: Sequence[ForeignFace]) -> list[FaceRecord]:
    if faces and all(face.picture is None for face in faces):
        raise UsageError(f"{path} holds no pictures; say with --frames which clip or folder of frames it belongs to")
    records: list[FaceRecord] = []
    for number, (face, place) in enumerate(zip(faces, places_of(faces), strict=True)):
        record = run.recut(clip, face, place) if face.picture is not None else None
        records += [] if record is None else [record]
        run.on_progress(Progress("write crops", number + 1, len(faces), unit="faces"))
    return records


def places_of(faces: Sequence[ForeignFace]) -> list[tuple[int, int]]:
    """Return (frame, track) of each face, no two the same: a track is one number in the frames of one clip."""
    tracks: dict[tuple[str, int], int] = {}
    taken: set[tuple[int, int]] = set()
    next_frame: dict[int, int] = defaultdict(int)
    result = []
    for face in faces:
        track = tracks.setdefault((face.source_stem, face.number), len(tracks))
        frame = next_frame[track] if face.frame is None else face.frame
        if (frame, track) in taken:
            frame = next_frame[track]
        while (frame, track) in taken:
            frame += 1
        taken.add((frame, track))
        next_frame[track] = frame + 1
        result.append((frame, track))
    return result


def _read(path: Path) -> Iterator[ForeignFace | FaceswapError]:
    if path.is_dir():
        files = sorted(
            p for p in path.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png", ".pak") and p.is_file()
        )
        if not files:
            raise UsageError(f"{path} holds no .jpg, .png or .pak files")
        for file in files:
            yield from _read_or_error(file)
    else:
        yield from _read_file(path)


def _read_or_error(path: Path) -> Iterator[ForeignFace | FaceswapError]:
    try:
        yield from _read_file(path)
    except UnsupportedInputError as error:
        yield error


def _read_file(path: Path) -> Iterable[ForeignFace | FaceswapError]:
    suffix = path.suffix.lower()
    if suffix == ".pak":
        return read_pak(path)
    if suffix == ".fsa":
        return read_fsa(path)
    if suffix not in (".jpg", ".jpeg", ".png"):
        raise UnsupportedInputError(f"{path} is of no known kind; imported are .jpg, .pak, .png and .fsa files")
    if path.stat().st_size > _MAX_FILE:
        raise UnsupportedInputError(f"{path} has more than {_MAX_FILE >> 20} MB, which no crop has")
    read = read_faceswap_png if suffix == ".png" else read_dfl_jpeg
    return [read(str(path), path.read_bytes())]


def _decoded(face: ForeignFace) -> NDArray[np.uint8]:
    data = face.picture or b""
    size = picture_size(data)
    if size is None or not min(size) >= 32 or max(size) > MAX_SIDE:
        raise UnsupportedInputError(f"{face.name} is no picture of 32 to {MAX_SIDE} px a side")
    try:
        bgr = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise UnsupportedInputError(f"{face.name} is damaged") from error
    if bgr is None:
        raise UnsupportedInputError(f"{face.name} is damaged")
    return np.ascontiguousarray(bgr[:, :, ::-1])


def _share_outside(picture: tuple[int, ...], patch_from_picture: NDArray, size: int) -> float:
    """Return the share of a crop's area for which there is no picture."""
    shown = geometry.apply(patch_from_picture, geometry.corners_of((picture[0], picture[1])))
    whole = geometry.corners_of((size, size))
    area, _ = cv2.intersectConvexConvex(shown.astype(np.float32), whole.astype(np.float32))
    return 1 - area / size**2


def _bounds(frame_landmarks: NDArray | None, landmarks: NDArray) -> NDArray[np.float64]:
    points = landmarks if frame_landmarks is None else frame_landmarks
    return np.concatenate([points.min(axis=0), points.max(axis=0)])
