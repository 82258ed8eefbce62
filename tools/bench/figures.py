"""Do the figures of `faceswap evaluate` put known degradations into their order?

    python tools/bench/figures.py CLIP... [--frames 60] [-o tools/bench/results/figures-ladders.json]

Each clip's own frames are spoilt inside the outline of the face, five strengths of each fault, straight in the decoded planes
(nothing is encoded in between). Every figure that a fault is meant to move should grow with it: Spearman's rank correlation of
strength and distance from perfect, 0.95 or more.
"""

from __future__ import annotations

import argparse
import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap import geometry, masks, resample
from faceswap.bench.run import circumstances
from faceswap.evaluate.observe import Observation, Observer
from faceswap.evaluate.run import find_in_all, finder_of
from faceswap.evaluate.summary import summarise
from faceswap.evaluate.table import FIGURES
from faceswap.faces.align import canonical_landmarks, patch_from_frame
from faceswap.faces.analyse import analyse
from faceswap.faces.base import Detector
from faceswap.faces.index import FaceIndex
from faceswap.faces.registry import make_detector
from faceswap.media.reader import VideoReader
from faceswap.types import CropSpec, Face, Frame

Planes = list[NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A frame as the faults see it."""

    planes: Planes
    alphas: list[NDArray[np.float32]]
    """The outline of the face, for each plane."""
    past: Sequence[Planes]
    """Frames before, the last one last."""
    rng: np.random.Generator


Fault = Callable[[Scene, float], Planes]
_CROP = CropSpec(256, "whole_face")


def _blur(scene: Scene, strength: float) -> Planes:
    """Gaussian, px."""
    return [cv2.GaussianBlur(plane, (0, 0), strength) for plane in scene.planes[:1]] + scene.planes[1:]


def _cast(scene: Scene, strength: float) -> Planes:
    """Warmer, codes of chroma."""
    return [scene.planes[0], scene.planes[1] - strength, scene.planes[2] + strength]


def _flicker(scene: Scene, strength: float) -> Planes:
    """Brightness at random, share."""
    return [scene.planes[0] * np.float32(1 + strength * scene.rng.uniform(-1, 1)), *scene.planes[1:]]


def _jitter(scene: Scene, strength: float) -> Planes:
    """Shaken at random, px."""
    x, y = scene.rng.normal(0, strength, 2)
    scales = [plane.shape[1] / scene.planes[0].shape[1] for plane in scene.planes]
    return [
        cv2.warpAffine(plane, np.array([[1, 0, x * s], [0, 1, y * s]]), plane.shape[::-1], flags=cv2.INTER_CUBIC)
        for plane, s in zip(scene.planes, scales, strict=True)
    ]


def _hard_mask(scene: Scene, strength: float) -> Planes:
    """A step at the contour that fades towards the middle, codes."""
    inside = (scene.alphas[0] > 0.5).astype(np.uint8)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    step = strength * inside * np.exp(-depth / (0.1 * np.sqrt(inside.sum())))
    return [scene.planes[0] + step.astype(np.float32), *scene.planes[1:]]


def _noise(scene: Scene, strength: float) -> Planes:
    """More grain, codes."""
    noise = scene.rng.normal(0, strength, scene.planes[0].shape).astype(np.float32)
    return [scene.planes[0] + noise, *scene.planes[1:]]


def _wrong_moment(scene: Scene, strength: float) -> Planes:
    """In so many of the frames, the face of another moment."""
    if not scene.past:
        return scene.planes
    # Both drawn whatever the strength, so that a stronger fault spoils the same frames and more.
    luck, other = scene.rng.random(), scene.rng.integers(len(scene.past))
    return list(scene.past[other]) if luck < strength else scene.planes


FAULTS: dict[str, tuple[Fault, tuple[float, ...], tuple[str, ...]]] = {
    "blur": (_blur, (0.5, 0.8, 1.2, 1.8, 2.6), ("sharpness_skin", "sharpness_eyes", "sharpness_mouth")),
    "jitter": (_jitter, (0.5, 1, 2, 3, 4.5), ("jitter", "warping", "landmark_error")),
    "cast": (_cast, (1, 2, 4, 7, 11), ("skin_match", "seam_step")),
    "flicker": (_flicker, (0.01, 0.02, 0.04, 0.08, 0.12), ("flicker",)),
    "hard mask": (_hard_mask, (4, 8, 14, 22, 34), ("seam_gradient", "seam_step")),
    "noise": (_noise, (0.5, 1, 1.7, 2.5, 4), ("grain",)),
    "wrong moment": (_wrong_moment, (0.05, 0.15, 0.3, 0.5, 0.8), ("eye_motion", "mouth_motion")),
}
"""Fault -> how, strengths, the figures that it is meant to move."""


def _alphas(frame: Frame, face: Face) -> list[NDArray[np.float32]]:
    """Return the face's outline for each plane."""
    hull = masks.face_hull(canonical_landmarks(face), _CROP, face.scheme)
    mask = masks.shape_edge(hull, erode=0, feather=0.08 * _CROP.size)[0]
    luma_from_patch = geometry.invert(patch_from_frame(face, _CROP))
    chroma = geometry.luma_from_chroma(frame.layout.chroma_shift, frame.color.siting)
    chroma_from_patch = geometry.compose(geometry.invert(chroma), luma_from_patch)
    places = (luma_from_patch, chroma_from_patch, chroma_from_patch)
    return [
        resample.warp(mask, matrix, plane.shape, border=cv2.BORDER_CONSTANT)
        for matrix, plane in zip(places, frame.planes[:3], strict=True)
    ]


def spoilt(frame: Frame, scene: Scene, fault: Fault, strength: float) -> Frame:
    """Return a frame with a fault inside the outline of its face."""
    is_in_codes = fault in (_cast, _hard_mask, _noise)
    after = fault(scene, strength * 2.0 ** (frame.color.bit_depth - 8) if is_in_codes else strength)
    top = 2**frame.color.bit_depth - 1
    planes = [
        np.where(alpha > 0, np.clip(old + (new - old) * alpha + 0.5, 0, top), plane).astype(plane.dtype)
        for plane, old, new, alpha in zip(frame.planes, scene.planes, after, scene.alphas, strict=True)
    ]
    return replace(frame, planes=tuple(planes))


def _frames(clip: Path, index: FaceIndex, limit: int) -> Iterator[tuple[Frame, Face]]:
    for frame in VideoReader(clip):
        if frame.index >= limit:
            return
        for face in index.faces_at(frame.index)[:1]:
            yield frame, face


def ladder(clip: Path, index: FaceIndex, fault: str, detector: Detector, limit: int) -> list[dict[str, float]]:
    """Return the figures at each strength of a fault."""
    change, strengths, _ = FAULTS[fault]
    finder = finder_of(VideoReader(clip).info, detector)
    rows: list[list[Observation]] = [[] for _ in strengths]
    observers = [Observer() for _ in strengths]
    past: deque[Planes] = deque(maxlen=24)
    rngs = [np.random.default_rng(7) for _ in strengths]
    for frame, face in _frames(clip, index, limit):
        planes, alphas = [plane.astype(np.float32) for plane in frame.planes[:3]], _alphas(frame, face)
        scenes = [Scene(planes, alphas, past, rng) for rng in rngs]
        results = [spoilt(frame, scene, change, s) for scene, s in zip(scenes, strengths, strict=True)]
        past.append(planes)
        frames = [frame, *results]
        seen = [found for (found,) in find_in_all(finder, frames, [face])]
        for i, result in enumerate(results):
            row = observers[i].observe(frame, result, face, 0, (seen[0], seen[i + 1]))
            if row is not None:
                rows[i].append(row)
    return [summarise(of_strength)[1].values for of_strength in rows]


def spearman(values: list[float]) -> float:
    """Return the rank correlation of values with their own order; NaN when they do not differ."""
    from scipy.stats import spearmanr

    return float(spearmanr(range(len(values)), values).statistic)


def distance(key: str, value: float) -> float:
    """Return how far a figure is from perfect."""
    perfect = FIGURES[key].perfect
    return abs(float(np.log(max(value, 1e-9)))) if perfect == 1 else abs(value - perfect)


def measure(clip: Path, limit: int) -> dict[str, Any]:
    """Return the table of one clip."""
    detector = make_detector(threads=2)
    index = analyse(VideoReader(clip), detector)
    table: dict[str, Any] = {}
    for fault, (_, strengths, keys) in FAULTS.items():
        rows = ladder(clip, index, fault, detector, limit)
        for key in keys:
            values = [row[key] for row in rows]
            table[f"{key} / {fault}"] = {
                "strengths": list(strengths),
                "values": [round(value, 4) for value in values],
                "spearman": round(spearman([distance(key, value) for value in values]), 3),
            }
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--frames", type=int, default=60, help="of each clip, from its start")
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    results = {clip.stem: measure(clip, given.frames) for clip in given.clips}
    for name, table in results.items():
        for title, row in table.items():
            print(f"{name:>20}  {title:<28} {row['spearman']:6.3f}  {row['values']}")
    if given.output:
        document = {"results": {"frames": given.frames, "ladders": results}, "circumstances": circumstances("cpu")}
        given.output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
