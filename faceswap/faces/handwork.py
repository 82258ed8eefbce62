"""Working on a clip's face index by hand: choosing faces by track and frames, keeping edits, undoing them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faceswap.config import validated
from faceswap.errors import UsageError
from faceswap.faces.analyse import kept_index
from faceswap.faces.base import Detector, overlap
from faceswap.faces.cache import edits_path, index_path, open_index
from faceswap.faces.edited import added_faces, edited
from faceswap.faces.edits import Add, Drop, Edit, Move, Reassign, load_edits, save_edits, trail_of
from faceswap.faces.index import FaceIndex
from faceswap.faces.index_words import check_name, parse_frames
from faceswap.media.reader import VideoReader
from faceswap.progress import OnProgress, ignore_progress
from faceswap.types import Face

_ALL_FRAMES = (0, sys.maxsize)


@dataclass(slots=True)
class HandWork:
    """The index of one clip with its edits, open for more."""

    reader: VideoReader
    place: Path
    """Of the index."""
    index: FaceIndex
    """With the edits so far."""
    edits: list[Edit] = field(default_factory=list)

    @classmethod
    def open(
        cls,
        reader: VideoReader,
        output: Path,
        detector: Detector,
        *,
        min_face_px: int = 24,
        is_any: bool = False,
        on_progress: OnProgress = ignore_progress,
    ) -> HandWork:
        """Open the index that a conversion of the reader's clip to `output` uses; analyse the clip when there is none.

        Args:
            is_any: an index that is there is taken with whatever settings it has.
        """
        index = kept_index(reader, detector, output, min_face_px=min_face_px, is_any=is_any, on_progress=on_progress)
        place = index_path(reader.info.path, output, index.fingerprint, reader.info.video_stream)
        if not place.is_file():
            index.save(place)  # without a face: one may be added by hand
        return cls(reader, place, open_index(place), list(load_edits(edits_path(place), index.fingerprint)))

    def faces_of(self, track: int, frames: str | None) -> list[Face]:
        """Return a track's faces in a run of frames like "100-200" (both included; None = all).

        Raises:
            UsageError: there is no such track, or it has no face there.
        """
        of_track = [face for face in self.index.faces if face.track == track]
        if not of_track:
            raise UsageError(f"there is no track {track}; there are: {self.known_tracks()}")
        start, stop = _ALL_FRAMES if frames is None else parse_frames(frames)
        faces = [face for face in of_track if start <= face.frame < stop]
        if not faces:
            first, last = of_track[0].frame, of_track[-1].frame
            raise UsageError(f"track {track} has no face in the frames {frames}; it runs from frame {first} to {last}")
        return faces

    def known_tracks(self) -> str:
        """Return the numbers of all tracks in words."""
        return ", ".join(str(number) for number in sorted({face.track for face in self.index.faces})) or "none"

    def drop(self, track: int, frames: str | None = None) -> Drop:
        """Take faces out of the index: they are none, or must not be used."""
        edit = Drop(**_run_of(self.faces_of(track, frames)))
        self._keep(edit)
        return edit

    def move(
        self,
        track: int,
        frames: str | None = None,
        *,
        x: float = 0.0,
        y: float = 0.0,
        scale: float = 1.0,
        degrees: float = 0.0,
        ease: int = 0,
    ) -> Move:
        """Shift (px), scale and turn (degrees, clockwise) a track's alignment.

        Args:
            ease: frames over which the change grows at the start and fades at the end.

        Raises:
            UsageError: nothing to change, or a scale outside 0.1 to 10.
        """
        if (x, y, scale, degrees) == (0, 0, 1, 0):
            raise UsageError("the move changes nothing; give --by, --scale or --turn")
        if not 0.1 < scale < 10:
            raise UsageError(f"--scale {scale} is not possible; allowed: 0.1 to 10")
        run = _run_of(self.faces_of(track, frames))
        values = {"x": x, "y": y, "scale": scale, "degrees": degrees, "ease": ease}
        edit = validated(Move, {**run, **values}, "the move")
        self._keep(edit)
        return edit

    def reassign(
        self,
        track: int,
        frames: str | None = None,
        *,
        person: str | None = None,
        to_track: int | None = None,
        is_new: bool = False,
    ) -> Reassign:
        """Name the person of a track, join it to another track, or make a part of it a track of its own."""
        faces = self.faces_of(track, frames)
        other = None
        if to_track is not None:
            joined = self.faces_of(to_track, None)
            if to_track == track or self.index.shot_of(faces[0].frame) != self.index.shot_of(joined[0].frame):
                raise UsageError(f"track {track} cannot join track {to_track}: it must be another one of the same shot")
            clash = {face.frame for face in faces} & {face.frame for face in joined}
            if clash:
                raise UsageError(
                    f"track {to_track} has a face of its own in {len(clash)} of these frames, the first is {min(clash)}; "
                    "drop those first, or choose others with --frames"
                )
            other = trail_of(joined)
        name = check_name(person) if person is not None else None
        edit = Reassign(**_run_of(faces), person=name, other=other, is_new=is_new)
        self._keep(edit)
        return edit

    def add(self, points: Sequence[tuple[int, tuple[tuple[float, float], ...]]]) -> Add:
        """Add a face that was not found, as a track of its own.

        Args:
            points: frame and five points (px) each; frames in between are interpolated.
        """
        if len({frame for frame, _ in points}) < len(points):
            raise UsageError("--points gives one frame twice; give each frame once")
        edit = validated(Add, {"keys": tuple(sorted(points))}, "--points")
        self._check_free(edit)
        self._keep(edit)
        return edit

    def _keep(self, edit: Edit) -> None:
        index, lost = edited(self.index, [edit])
        if lost:
            raise UsageError(f"the {edit.kind} meets no face; nothing was changed")
        self.edits.append(edit)
        self.index = index
        self._save()

    def undo(self, number: int | None) -> Edit:
        """Take back an edit by its number from 1 (None = the last); those after it stay.

        Raises:
            UsageError: there is no such edit.
        """
        if not self.edits:
            raise UsageError("there are no edits to take back")
        number = len(self.edits) if number is None else number
        if not 1 <= number <= len(self.edits):
            raise UsageError(f"there is no edit {number}; there are 1 to {len(self.edits)} (`faceswap index show`)")
        taken = self.edits.pop(number - 1)
        self._save()
        self.index = open_index(self.place)
        return taken

    def _save(self) -> None:
        save_edits(edits_path(self.place), self.index.fingerprint, self.edits)

    def _check_free(self, edit: Add) -> None:
        if (last := max(frame for frame, _ in edit.keys)) >= self.index.num_frames:
            raise UsageError(f"frame {last} does not exist; the clip has the frames 0 to {self.index.num_frames - 1}")
        if self.index.shot_of(edit.keys[0][0]) != self.index.shot_of(last):
            raise UsageError("a track ends with its shot; add the face in each shot by a command of its own")
        for face in added_faces(edit, 0, self.index.num_frames):
            for other in self.index.faces_at(face.frame):
                if overlap(face.box, other.box) > 0.3:
                    raise UsageError(
                        f"frame {face.frame} has a face there already (track {other.track}); use `index move`, or drop it first"
                    )


def _run_of(faces: Sequence[Face]) -> dict[str, Any]:
    """Return where an edit of these faces takes place."""
    return {"trail": trail_of(faces), "start": faces[0].frame, "stop": faces[-1].frame + 1}
