"""Choosing crops by their figures: orders, ranges, the spread-out best, duplicates. Nothing is changed here."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceswap.errors import UsageError
from faceswap.facesets.figures import hash_distance, looks_as_vectors
from faceswap.facesets.schema import FaceRecord, Figures

KEYS: dict[str, Callable[[FaceRecord, Figures], float]] = {
    "sharpness": lambda record, figures: figures.sharpness,
    "size": lambda record, figures: figures.face_px,
    "yaw": lambda record, figures: figures.yaw,
    "pitch": lambda record, figures: figures.pitch,
    "roll": lambda record, figures: figures.roll,
    "brightness": lambda record, figures: figures.brightness,
    "contrast": lambda record, figures: figures.contrast,
    "balance": lambda record, figures: figures.balance,
    "hue": lambda record, figures: figures.hue,
    "chroma": lambda record, figures: figures.chroma,
    "occlusion": lambda record, figures: figures.occlusion,
    "score": lambda record, figures: record.score,
}
"""What crops can be ordered and filtered by."""

_NUMBER = r"[+-]?\d+(?:\.\d+)?%?"
_RANGE = re.compile(rf"({_NUMBER})?:({_NUMBER})?")
_YAW_STEP, _PITCH_STEP = 12.0, 12.0
"""Degrees: cells of equal pose that `best` fills evenly."""
HASH_BITS = 6
LOOK_DISTANCE = 3.0
"""Two crops are duplicates when their hashes differ in at most so many bits and their looks by at most so much. Seen on
footage of 30 frames a second: neighbouring frames of a still face differ by 1 to 2.5; from 5 on, mouth and brows differ."""
NEAR_FRAMES = 60


def value_of(record: FaceRecord, key: str) -> float:
    """Return what a measured crop is ordered by.

    Raises:
        UsageError: an unknown key.
    """
    if key not in KEYS:
        raise UsageError(f"crops cannot be ordered by {key!r}; allowed: {', '.join(KEYS)}")
    assert record.figures is not None, "measured records only"
    return float(KEYS[key](record, record.figures))


@dataclass(frozen=True, slots=True)
class Range:
    """From a low to a high value, both in; None = no bound."""

    low: float | None
    high: float | None

    @classmethod
    def parse(cls, text: str, values: NDArray[np.float64]) -> Range:
        """Read "LOW:HIGH"; either side may be left out, and "10%" stands for the value that 10 % of the crops fall below.

        Raises:
            UsageError: not in that form.
        """
        match = _RANGE.fullmatch(text.strip())
        if not match or not any(match.groups()):
            raise UsageError(f"{text!r} is not a range; write LOW:HIGH like -30:30, 0.4: or 10%:90%")
        low, high = (None if part is None else _bound(part, values) for part in match.groups())
        if low is not None and high is not None and low > high:
            raise UsageError(f"the range {text!r} is empty; write LOW:HIGH with the smaller number first")
        return cls(low, high)

    def __contains__(self, value: float) -> bool:
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


def _bound(text: str, values: NDArray[np.float64]) -> float:
    if not text.endswith("%"):
        return float(text)
    share = float(text[:-1])
    if not 0 <= share <= 100:
        raise UsageError(f"{text} is no share of the crops; allowed: 0% to 100%")
    return float(np.percentile(values, share)) if len(values) else 0.0


def outside(records: Sequence[FaceRecord], ranges: Mapping[str, str]) -> dict[str, str]:
    """Return the files that fall out of any range, with the reason.

    Args:
        ranges: key -> "LOW:HIGH" (`Range.parse`); shares are of all `records`.
    """
    reasons: dict[str, str] = {}
    for key, text in ranges.items():
        values = np.array([value_of(record, key) for record in records])
        allowed = Range.parse(text, values)
        for record, value in zip(records, values, strict=True):
            if float(value) not in allowed:
                reasons.setdefault(record.file, f"{key} {value:.3g} outside {text}")
    return reasons


def extreme(records: Sequence[FaceRecord], key: str, share: str, *, is_high: bool) -> dict[str, str]:
    """Return the given share ("10%") of the crops with the lowest or highest values, with the reason.

    Raises:
        UsageError: not a share.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)%", share.strip())
    if not match or float(match[1]) > 100:
        raise UsageError(f"{share!r} is no share of the crops; write it like 10%")
    order = ordered(records, key, is_reverse=is_high)
    word = "highest" if is_high else "lowest"
    count = round(len(order) * float(match[1]) / 100)
    return {record.file: f"{key} among the {word} {share.strip()}" for record in order[:count]}


def ordered(records: Sequence[FaceRecord], key: str, *, is_reverse: bool = False) -> list[FaceRecord]:
    """Return measured crops by rising values; "cluster" and "time" order by person and by place in the clips."""
    if key == "time":
        result = sorted(records, key=lambda r: (r.clip, r.frame, r.track))
    elif key == "cluster":
        result = sorted(records, key=lambda r: (2**31 if r.cluster is None else r.cluster, r.clip, r.frame, r.track))
    else:
        result = sorted(records, key=lambda r: (value_of(r, key), r.file))
    return result[::-1] if is_reverse else result


def by_likeness(records: Sequence[FaceRecord], look: bytes) -> list[tuple[float, FaceRecord]]:
    """Return measured crops by how much they look like a face, most alike first, each with its distance."""
    distances = _distances(looks_as_vectors([_look(r) for r in records]), looks_as_vectors([look])[0])
    return sorted(zip(distances.tolist(), records, strict=True), key=lambda pair: (pair[0], pair[1].file))


def best(records: Sequence[FaceRecord], count: int) -> list[FaceRecord]:
    """Return `count` crops spread over yaw and pitch, the sharpest and least covered of each pose first.

    Cells of 12 x 12 degrees take turns, so that rare poses are all taken before frequent ones fill up. Within a cell,
    crops that look like one already taken wait until the others are used.
    """
    cells: dict[tuple[int, int], list[FaceRecord]] = defaultdict(list)
    for record in records:
        assert record.figures is not None, "measured records only"
        cells[round(record.figures.yaw / _YAW_STEP), round(record.figures.pitch / _PITCH_STEP)].append(record)
    queues = [_varied(cell) for _, cell in sorted(cells.items())]
    chosen: list[FaceRecord] = []
    while len(chosen) < min(count, len(records)):
        for queue in queues:
            if queue and len(chosen) < count:
                chosen.append(queue.pop(0))
    return chosen


def _varied(cell: Sequence[FaceRecord]) -> list[FaceRecord]:
    """Order a cell by quality, doubles last."""
    order = sorted(cell, key=quality, reverse=True)
    doubles = set(duplicates(order))
    return [r for r in order if r.file not in doubles] + [r for r in order if r.file in doubles]


def quality(record: FaceRecord) -> float:
    """Return how useful a measured crop is among others of its pose: sharp, large, not covered."""
    figures = record.figures
    assert figures is not None, "measured records only"
    return figures.sharpness * min(1.0, figures.face_px / 128) * (1 - min(1.0, figures.occlusion))


def duplicates(
    records: Sequence[FaceRecord],
    *,
    bits: int = HASH_BITS,
    distance: float = LOOK_DISTANCE,
    near_frames: int = NEAR_FRAMES,
) -> dict[str, str]:
    """Return crops that show the same as another, with the reason; of each group the best is left out.

    Compared are crops of one track at most `near_frames` apart, and all crops with exactly the same hash (copies of a
    clip, the same still twice).
    """
    reasons: dict[str, str] = {}
    tracks: dict[tuple[str, int], list[FaceRecord]] = defaultdict(list)
    same_hash: dict[str, list[FaceRecord]] = defaultdict(list)
    for record in records:
        tracks[record.clip, record.track].append(record)
    for track in tracks.values():
        reasons.update(_in_track(sorted(track, key=lambda r: r.frame), bits, distance, near_frames))
    for record in records:
        assert record.figures is not None, "measured records only"
        if record.file not in reasons:
            same_hash[record.figures.hash].append(record)
    for group in same_hash.values():
        if len(group) > 1:
            reasons.update(_double_of_best(group, distance))
    return reasons


def _in_track(track: Sequence[FaceRecord], bits: int, distance: float, near_frames: int) -> dict[str, str]:
    """Greedy: best first, each kept crop takes out what is like it nearby."""
    vectors = looks_as_vectors([_look(r) for r in track])
    hashes = [r.figures.hash for r in track if r.figures is not None]
    frames = np.array([r.frame for r in track])
    reasons: dict[str, str] = {}
    for i in sorted(range(len(track)), key=lambda i: quality(track[i]), reverse=True):
        if track[i].file in reasons:
            continue
        low, high = np.searchsorted(frames, [frames[i] - near_frames, frames[i] + near_frames + 1])
        alike = low + np.nonzero(_distances(vectors[low:high], vectors[i]) <= distance)[0]
        for k in alike.tolist():
            if k != i and hash_distance(hashes[k], hashes[i]) <= bits:
                reasons.setdefault(track[k].file, f"like {track[i].file}")
        reasons.pop(track[i].file, None)
    return reasons


def _double_of_best(group: Sequence[FaceRecord], distance: float) -> dict[str, str]:
    order = sorted(group, key=lambda r: (-quality(r), r.file))
    vectors = looks_as_vectors([_look(r) for r in order])
    near = _distances(vectors, vectors[0]) <= distance
    return {r.file: f"like {order[0].file}" for r, is_near in zip(order[1:], near[1:], strict=True) if is_near}


def _distances(vectors: NDArray[np.float32], one: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.sqrt(((vectors - one) ** 2).mean(axis=1))


def _look(record: FaceRecord) -> bytes:
    assert record.figures is not None, "measured records only"
    return record.figures.look
