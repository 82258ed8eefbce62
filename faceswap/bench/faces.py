"""Timing the analysis of faces, and extraction, beside a plain run that looks for faces in every whole picture."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faceswap.faces.analyse import analyse
from faceswap.faces.base import Detector
from faceswap.faces.finder import FaceFinder
from faceswap.faces.registry import make_detector
from faceswap.faces.viewer import Viewer
from faceswap.facesets.build import extract_faces
from faceswap.media.reader import VideoReader
from faceswap.progress import Progress

_ROUNDS = 3


class _TimedDetector:
    """Passes everything on, and adds up how long it takes."""

    def __init__(self, detector: Detector) -> None:
        self.name = detector.name
        self.seconds = 0.0
        self._detector = detector

    def detect(self, pictures: Any) -> Any:
        """See `Detector.detect`."""
        start = time.perf_counter()
        found = self._detector.detect(pictures)
        self.seconds += time.perf_counter() - start
        return found


def bench_faces(clip: Path, work: Path, device: str) -> dict[str, Any]:
    """Return frames and faces a second, decoding included; the runs compared alternate, medians count.

    Args:
        clip: footage. work: an empty folder.
    """
    detector = make_detector(device=device)
    timed = _TimedDetector(detector)
    index = analyse(VideoReader(clip), detector)  # warms up, and tells what there is to find
    count = index.num_frames
    seconds: dict[str, list[float]] = {"decode": [], "every": [], "analyse": [], "extract": [], "write": []}
    in_detector = []
    for number in range(_ROUNDS):
        seconds["decode"].append(_seconds(lambda: sum(1 for _ in VideoReader(clip))))
        seconds["every"].append(_seconds(lambda: _look_at_every_frame(clip, detector)))
        timed.seconds = 0.0
        seconds["analyse"].append(_seconds(lambda: analyse(VideoReader(clip), timed)))
        in_detector.append(timed.seconds)
        whole, writing = _extract(clip, work / f"faces-{number}", detector)
        seconds["extract"].append(whole)
        seconds["write"].append(writing)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        "frames": count,
        "faces": len(index.faces),
        "detector": index.detector,
        "decode_fps": round(count / median["decode"], 1),
        "detect_every_frame_fps": round(count / median["every"], 1),
        "analyse_fps": round(count / median["analyse"], 1),
        "analyse_ms_in_detector": round(1000 * statistics.median(in_detector) / count, 2),
        "time_over_detect_every_frame": round(median["analyse"] / median["every"], 2),
        "extract_faces_per_second": round(len(index.faces) / median["extract"], 1),
        "extract_analyse_fps": round(count / (median["extract"] - median["write"]), 1),
        "extract_write_faces_per_second": round(len(index.faces) / median["write"], 1),
    }


def _seconds(job: Callable[[], object]) -> float:
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def _look_at_every_frame(clip: Path, detector: Detector) -> int:
    """Find the faces of each frame in the whole picture, with nothing done in advance or in crops; return how many."""
    reader = VideoReader(clip)
    finder = FaceFinder(detector, Viewer(reader.info.upright_from_stored), min_face_px=24)
    return sum(len(finder.in_whole_picture(frame)) for frame in reader)


def _extract(clip: Path, faceset: Path, detector: Detector) -> tuple[float, float]:
    """Return the seconds of an extraction, and those of them that came after the analysis."""
    last_of_analysis = start = time.perf_counter()

    def on_progress(event: Progress) -> None:
        nonlocal last_of_analysis
        if event.stage == "find faces":
            last_of_analysis = time.perf_counter()

    extract_faces([clip], faceset, "astronaut", detector=detector, on_progress=on_progress)
    stop = time.perf_counter()
    return stop - start, stop - last_of_analysis
