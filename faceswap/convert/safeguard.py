"""The content safeguard: footage with explicit nudity in a shot that would get a swapped face is refused before rendering.

Looked at: one frame of each second and the first of each track, in the shots concerned. A frame that seems explicit is believed
when another one close by is, too: one alone is more often a mistake. What was seen is kept beside the face index, so that
repeating a command costs nothing. What all this can and cannot do: docs/safeguard.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from faceswap.errors import ProvenanceError
from faceswap.faces.explicit import ExplicitDetector, NudeNet, Scores, installed_network, is_explicit
from faceswap.faces.index import FaceIndex
from faceswap.faces.samples import frames_at
from faceswap.faces.views import Orientation
from faceswap.files import disk_errors_named, write_atomic
from faceswap.media.reader import Reader, SeekableReader
from faceswap.types import Face, Frame, FrameTable

NOT_INSTALLED = 'not installed, so the footage was not looked at; pip install "faceswap[safeguard]"'
_NEAR_SECONDS = 0.3
"""How far from a frame that seems explicit others are looked at."""
_READ_ON = 64
"""Frames that are rather decoded than jumped over."""
_NUM_NAMED = 8


@dataclass(slots=True)
class Safeguard:
    """What was seen of one clip."""

    detector: ExplicitDetector
    path: Path
    """Where it is kept."""
    fingerprint: str
    """Of the clip."""
    seen: dict[int, Scores] = field(default_factory=dict)
    """By frame."""

    @classmethod
    def open(cls, detector: ExplicitDetector, index_path: Path, fingerprint: str) -> Safeguard:
        """Return the safeguard of a clip with what is kept of earlier looks."""
        path = index_path.with_name(index_path.name.removesuffix(".faces.db") + ".safeguard.json")
        guard = cls(detector, path, fingerprint)
        try:
            kept = json.loads(path.read_bytes())
            if (kept["detector"], kept["fingerprint"]) == (detector.name, fingerprint):
                guard.seen = {int(frame): dict(scores) for frame, scores in kept["frames"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass  # nothing is kept, or it is damaged: looked at anew
        return guard

    def watching(self, reader: Reader) -> Reader:
        """Return the reader; whoever reads it lets the safeguard see a frame of each second, which saves decoding twice."""
        return _WatchedReader(reader, self)

    def look(self, frame: Frame, orientation: Orientation) -> None:
        """See a frame, unless it was seen before."""
        if frame.index not in self.seen:
            self.seen[frame.index] = self.detector.scores(frame, orientation)

    def require(
        self, reader: Callable[[], SeekableReader], index: FaceIndex, chosen: Mapping[int, Sequence[Face]]
    ) -> str:
        """Look at what has to be looked at, and keep it.

        Args:
            reader: opens the clip. chosen: the faces to swap, by frame.

        Returns:
            What was done, in words.

        Raises:
            ProvenanceError: a shot that would get a swapped face is explicit.
        """
        wanted = samples_of(index, chosen)
        self._look_at(reader, index.frames, wanted)
        suspects = [frame for frame in wanted if is_explicit(self.seen[frame])]
        near = {frame: _neighbours(index, frame) for frame in suspects}
        self._look_at(reader, index.frames, sorted({other for others in near.values() for other in others}))
        explicit = [f for f in suspects if any(is_explicit(self.seen[other]) for other in near[f])]
        self._keep()
        if explicit:
            raise ProvenanceError(_refusal(explicit, index))
        return f"{len(wanted)} frames looked at, nothing explicit"

    def _look_at(self, reader: Callable[[], SeekableReader], table: FrameTable, frames: Sequence[int]) -> None:
        missing = [frame for frame in frames if frame not in self.seen]
        if missing:
            opened = reader()
            for frame in frames_at(opened, table, missing, read_on=_READ_ON):
                self.look(frame, opened.info.upright_from_stored)
            for frame_number in missing:
                self.seen.setdefault(frame_number, {})  # cannot be decoded: there is nothing to see

    def _keep(self) -> None:
        values = {"detector": self.detector.name, "fingerprint": self.fingerprint, "frames": self.seen}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with disk_errors_named(self.path):
            write_atomic(self.path, json.dumps(values, sort_keys=True).encode())


class _WatchedReader:
    """A reader whose frames the safeguard sees one of each second of."""

    def __init__(self, reader: Reader, guard: Safeguard) -> None:
        self._reader, self._guard = reader, guard
        self.info = reader.info
        self.num_damaged, self.remarks = reader.num_damaged, reader.remarks

    def shortfalls(self, num_frames: int) -> list[str]:
        return self._reader.shortfalls(num_frames)

    def __iter__(self) -> Iterator[Frame]:
        last = None
        for frame in self._reader:
            second = int(frame.time.seconds // 1)
            if second != last:
                self._guard.look(frame, self.info.upright_from_stored)
                last = second
            yield frame
        self.num_damaged, self.remarks = self._reader.num_damaged, self._reader.remarks


def samples_of(index: FaceIndex, chosen: Mapping[int, Collection[Face]]) -> list[int]:
    """Return the frames to look at: the first of each second, in shots with a face to swap, and where each track begins."""
    shots = {index.shot_of(frame) for frame, faces in chosen.items() if faces}
    wanted: set[int] = set()
    last = None
    for frame, pts in enumerate(index.frames.pts):
        second = int(float(int(pts) * index.frames.time_base) // 1)
        if second != last and index.shot_of(frame) in shots:
            wanted.add(frame)
        last = second
    started: set[int] = set()
    for frame in sorted(chosen):
        for face in chosen[frame]:
            if face.track not in started:
                started.add(face.track)
                wanted.add(frame)
    return sorted(wanted)


def installed_safeguard(index_path: Path, fingerprint: str) -> Safeguard | None:
    """Return the safeguard of a clip; None where the package nudenet is not installed."""
    network = installed_network()
    return None if network is None else Safeguard.open(NudeNet(network.read_bytes()), index_path, fingerprint)


def require_decent(
    frames: Mapping[int, Frame], orientation: Orientation, detector: ExplicitDetector | None = None
) -> None:
    """Look at single frames, each of which is believed alone.

    Args:
        frames: by their numbers in the clip. detector: instead of the installed network.

    Raises:
        ProvenanceError: one is explicit.
    """
    network = installed_network()
    if detector is None and network is not None:
        detector = NudeNet(network.read_bytes())
    if detector is None:
        return
    explicit = [number for number, frame in frames.items() if is_explicit(detector.scores(frame, orientation))]
    if explicit:
        named = ", ".join(map(str, explicit[:_NUM_NAMED]))
        raise ProvenanceError(f"the safeguard sees explicit nudity in frame {named}, so no face is swapped there")


def opencv_note() -> tuple[str, ...]:
    """Return what is to be said when two packages of OpenCV, which share their files, are of different versions."""
    versions = {}
    for name in ("opencv-python", "opencv-python-headless"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            return ()
    ours, headless = versions.values()
    if ours == headless:
        return ()
    return (
        f"opencv-python is {ours} but opencv-python-headless, which nudenet brings, {headless}; they share their files: "
        f"pip install --force-reinstall --no-deps opencv-python-headless=={ours} opencv-python=={ours}",
    )


def _neighbours(index: FaceIndex, frame: int) -> list[int]:
    """Return frames of the same shot shortly before and after one."""
    times, base = index.frames.pts, index.frames.time_base
    distance = round(_NEAR_SECONDS / float(base))
    shot = index.shots[index.shot_of(frame)]
    before = int((times < times[frame] - distance).sum()) - 1
    after = int((times <= times[frame] + distance).sum())
    inside = {max(before, shot.start), min(after, shot.stop - 1)} - {frame}
    return sorted(inside)


def _refusal(frames: Sequence[int], index: FaceIndex) -> str:
    shots = sorted({index.shot_of(frame) + 1 for frame in frames})
    named = ", ".join(map(str, frames[:_NUM_NAMED])) + (" ..." if len(frames) > _NUM_NAMED else "")
    return (
        f"the safeguard sees explicit nudity in frame {named} (shot {', '.join(map(str, shots))}), so no face is swapped there; "
        "leave those shots out with --shots. There is no switch for this; what it can and cannot do: docs/safeguard.md"
    )
