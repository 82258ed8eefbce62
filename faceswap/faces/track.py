"""Joining detections into tracks, dividing them where shots end, aligning and smoothing them, bridging short gaps."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from faceswap import geometry
from faceswap.faces.align import frame_from_canonical
from faceswap.faces.base import Detection, overlap
from faceswap.faces.smooth import smooth_track
from faceswap.geometry import Similarity
from faceswap.types import Face, Shot

_MIN_OVERLAP = 0.25
MAX_GAP = 8
"""Frames without a detection after which a track ends; shorter gaps are interpolated."""


@dataclass(slots=True)
class _Track:
    frames: list[int] = field(default_factory=list)
    detections: list[Detection] = field(default_factory=list)

    def add(self, frame: int, detection: Detection) -> None:
        self.frames.append(frame)
        self.detections.append(detection)

    def part(self, shot: Shot) -> _Track | None:
        """Return the detections inside a shot; None when there are none."""
        first, after = bisect_left(self.frames, shot.start), bisect_left(self.frames, shot.stop)
        return _Track(self.frames[first:after], self.detections[first:after]) if first < after else None


class Tracker:
    """Collects the detections of a clip, frame by frame.

    Where shots end is known only later (a dissolve, when it is over), so tracks may run across; `split` divides them.
    """

    def __init__(self) -> None:
        self._tracks: list[_Track] = []
        self._live: list[_Track] = []

    def add(self, frame: int, detections: Sequence[Detection], max_gap: int = MAX_GAP) -> None:
        """Append each detection to the live track it overlaps most, or start a new one."""
        live = self._live = [t for t in self._live if frame - t.frames[-1] <= max_gap]
        pairs = [
            (overlap(track.detections[-1].box, detection.box), i, k)
            for i, track in enumerate(live)
            for k, detection in enumerate(detections)
        ]
        taken_tracks: set[int] = set()
        taken_detections: set[int] = set()
        for score, i, k in sorted(pairs, reverse=True):
            if score >= _MIN_OVERLAP and i not in taken_tracks and k not in taken_detections:
                live[i].add(frame, detections[k])
                taken_tracks.add(i)
                taken_detections.add(k)
        for k, detection in enumerate(detections):
            if k not in taken_detections:
                track = _Track()
                track.add(frame, detection)
                self._tracks.append(track)
                self._live.append(track)

    def split(self, shots: Sequence[Shot]) -> list[Tracker]:
        """Return the tracks of each shot, cut at its ends; shots in order, without gaps."""
        parts = [Tracker() for _ in shots]
        starts = [shot.start for shot in shots]
        for track in self._tracks:
            first, last = (bisect_right(starts, frame) - 1 for frame in (track.frames[0], track.frames[-1]))
            for number in range(first, last + 1):
                inside = track.part(shots[number])
                if inside is not None:
                    parts[number]._tracks.append(inside)
        return parts

    def finish(self, first_number: int, *, step: int = 1, min_frames: int = 1) -> list[list[Face]]:
        """Return the aligned, smoothed faces of each track, numbered from `first_number`.

        Args:
            step: distance of analysed frames; gaps are filled at multiples of it.
            min_frames: tracks with fewer detections are taken for false alarms.
        """
        kept = [track for track in self._tracks if len(track.frames) >= min_frames]
        return [_to_faces(track, first_number + i, step) for i, track in enumerate(kept)]


def _to_faces(track: _Track, number: int, step: int) -> list[Face]:
    frames = np.array(track.frames)
    matrices = [frame_from_canonical(d.landmarks, d.scheme) for d in track.detections]
    parameters = np.array([geometry.to_similarity(m) for m in matrices])
    scores = np.array([d.score for d in track.detections])
    smoothed = smooth_track(frames, parameters, scores)
    found = [
        Face(
            frame=frame,
            box=detection.box,
            score=detection.score,
            landmarks=detection.landmarks,
            scheme=detection.scheme,
            track=number,
            frame_from_canonical=geometry.from_similarity(Similarity(*values)),
        )
        for frame, detection, values in zip(track.frames, track.detections, smoothed, strict=True)
    ]
    return _with_gaps_filled(found, smoothed, step)


def _with_gaps_filled(faces: list[Face], smoothed: np.ndarray, step: int) -> list[Face]:
    result = [faces[0]]
    for i, (before, after) in enumerate(pairwise(faces)):
        for frame in range(before.frame + step, after.frame, step):
            share = (frame - before.frame) / (after.frame - before.frame)
            values = smoothed[i] + share * (smoothed[i + 1] - smoothed[i])
            result.append(
                replace(
                    before,
                    frame=frame,
                    box=before.box + share * (after.box - before.box),
                    landmarks=before.landmarks + share * (after.landmarks - before.landmarks),
                    score=min(before.score, after.score),
                    frame_from_canonical=geometry.from_similarity(Similarity(*values)),
                    is_interpolated=True,
                )
            )
        result.append(after)
    return result
