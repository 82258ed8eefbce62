"""How many faces of real clips are found, and how steady their crops are.

    python tools/bench/faces.py ../shared/data/clips --json out.json
    python tools/bench/faces.py clip.mp4 other.mp4

Each clip is analysed, and looked at a second time frame by frame: in the whole picture as a plain detector would (each face's
best cell alone; its jitter is "before"), and at all scales (faces found there and not by the analysis are missed ones).
Jitter is the standard deviation of the second difference of the four corners of the whole_face crop, px, along the longest
unbroken run of the clip's longest track. Lag is measured against the detector's own points in a symmetric window of five
frames, by which nothing is late; `follows` is the correlation of the two velocities.
"""

from __future__ import annotations

import argparse
import json
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from render import commit

from faceswap import geometry
from faceswap.bench.run import circumstances
from faceswap.faces.align import frame_from_canonical
from faceswap.faces.analyse import analyse
from faceswap.faces.base import Detection, Detector, overlap
from faceswap.faces.finder import FaceFinder
from faceswap.faces.index import FaceIndex
from faceswap.faces.registry import make_detector
from faceswap.faces.viewer import Viewer
from faceswap.media.reader import open_clip
from faceswap.types import CropSpec, Face, Matrix

_CROP = CropSpec(size=256, coverage="whole_face")
_CORNERS = geometry.apply(geometry.invert(geometry.patch_from_canonical(_CROP)), geometry.corners_of((256, 256)))
_WINDOW = np.array([1, 2, 3, 2, 1]) / 9
_SAME = 0.4
_LAGS = np.arange(-2, 2.01, 0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="+", help="clips, or folders of them")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    files = [path for given in arguments.clips for path in (sorted(given.iterdir()) if given.is_dir() else [given])]
    detector, conditions = make_detector(), circumstances("cpu")
    results = {}
    for path in files:
        results[path.stem] = row = measure(path, detector)
        print(f"{path.stem:<24}" + "  ".join(f"{name} {value}" for name, value in row.items()), flush=True)
    value = {"results": {"faces_of_clips": results}, "circumstances": {**conditions, "commit": commit()}}
    if arguments.json:
        arguments.json.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def measure(path: Path, detector: Detector) -> dict[str, Any]:
    """Return the figures of one clip."""
    index = analyse(open_clip(path), detector)
    viewer = Viewer(open_clip(path).info.upright_from_stored)
    finder = FaceFinder(detector, viewer, index.min_face_px)
    plain_finder = FaceFinder(_best_cells(), viewer, index.min_face_px)
    plain, expected, found = [], 0, 0
    for frame in open_clip(path):
        plain.append(plain_finder.in_whole_picture(frame))
        careful = finder.at_key(frame, is_thorough=True)
        expected += len(careful)
        boxes = [face.box for face in index.faces_at(frame.index)]
        found += sum(any(overlap(box, detection.box) > _SAME for box in boxes) for detection in careful)
    return {
        "frames": index.num_frames,
        "tracks": len({face.track for face in index.faces}),
        "frames_with_a_face": len({face.frame for face in index.faces}),
        "recall": round(found / max(1, expected), 4),
        "faces_of_careful_run": expected,
        "faces_of_analysis": len(index.faces),
        **steadiness(index, plain),
    }


@cache
def _best_cells() -> Detector:
    """Return the detector as its authors read it: the best cell of each face alone."""
    detector = make_detector()
    detector.averages = False  # type: ignore[attr-defined]
    return detector


def steadiness(index: FaceIndex, plain: list[list[Detection]]) -> dict[str, Any]:
    """Return jitter before and after, and lag, along the longest run that both looks know."""
    pairs = [(face, _nearest(face, plain[face.frame])) for face in _longest_track(index)]
    both = [(face, seen) for face, seen in pairs if seen is not None]
    breaks = [i + 1 for i, (a, b) in enumerate(pairwise(both)) if b[0].frame - a[0].frame != 1]
    run = max((both[i:k] for i, k in pairwise([0, *breaks, len(both)])), key=len)
    before = _corners([frame_from_canonical(seen.landmarks, seen.scheme) for _, seen in run])
    measured = _corners([frame_from_canonical(face.landmarks, face.scheme) for face, _ in run])
    after = _corners([face.frame_from_canonical for face, _ in run if face.frame_from_canonical is not None])
    padded = np.pad(measured, ((2, 2), (0, 0)), mode="edge")
    reference = np.stack([np.convolve(column, _WINDOW, "valid") for column in padded.T], axis=1)
    speeds = np.gradient(after, axis=0), np.gradient(reference, axis=0)
    return {
        "run": len(run),
        "jitter_before_px": round(_jitter(before), 3),
        "jitter_of_points_px": round(_jitter(measured), 3),
        "jitter_after_px": round(_jitter(after), 3),
        "after_over_before": round(_jitter(after) / _jitter(before), 3),
        "lag_frames": round(_lag(*speeds), 2),
        "follows": round(float(np.corrcoef(speeds[0].ravel(), speeds[1].ravel())[0, 1]), 4),
    }


def _longest_track(index: FaceIndex) -> list[Face]:
    numbers = [face.track for face in index.faces]
    longest = max(set(numbers), key=numbers.count)
    return [face for face in index.faces if face.track == longest]


def _nearest(face: Face, seen: list[Detection]) -> Detection | None:
    best = max(seen, key=lambda detection: overlap(detection.box, face.box), default=None)
    return best if best is not None and overlap(best.box, face.box) > _SAME else None


def _corners(matrices: list[Matrix]) -> NDArray[np.float64]:
    """Return (N, 8) corners of the crop in the frame."""
    return np.array([geometry.apply(matrix, _CORNERS).ravel() for matrix in matrices])


def _jitter(corners: NDArray) -> float:
    return float(np.diff(corners, n=2, axis=0).std(axis=0).mean())


def _lag(speed: NDArray, reference: NDArray) -> float:
    """Return by how many frames the first runs behind the second: where their difference is smallest."""
    frames = np.arange(len(speed))
    late = [np.stack([np.interp(frames - lag, frames, column) for column in reference.T], axis=1) for lag in _LAGS]
    return float(_LAGS[int(np.argmin([((speed - shifted)[4:-4] ** 2).sum() for shifted in late]))])


if __name__ == "__main__":
    main()
