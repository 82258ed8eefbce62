"""Is the watermark seen by the detector after what happens to copies, by nobody's eye, and nowhere else?

    python tools/bench/watermark.py CLIP... [--frames 240] [--windows 1000] [-o tools/bench/results/watermark.json]

Each clip is marked over whole frames (how H.264 and the like are delivered) and on the face alone (lossless, mastering),
delivered by x264 at CRF 18, and that file is attacked by the FFmpeg program (extra `ffmpeg`). The tables say after which attacks
the id was read, and with how many of the 127 bits right. PSNR is of luma before encoding. Unmarked windows are parts of clips of
one second and 256 x 256 px, looked at for all common sizes. The JSON is described in README.md.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap import geometry, masks, resample
from faceswap.bench.run import circumstances
from faceswap.faces.align import canonical_landmarks, patch_from_frame
from faceswap.faces.analyse import analyse
from faceswap.faces.index import FaceIndex
from faceswap.faces.registry import make_detector
from faceswap.media.reader import VideoReader
from faceswap.provenance.watermark.detect import Found, Search, detect, stretches
from faceswap.provenance.watermark.embed import LumaMarker
from faceswap.provenance.watermark.payload import Payload
from faceswap.types import ColorInfo, CropSpec, Face, Frame, PlaneLayout, Timestamp

PAYLOAD = Payload(0xC0FFEE1234)
X264 = ["-c:v", "libx264", "-crf"]
ATTACKS: dict[str, list[str]] = {
    "delivered": [],
    "x264 CRF 23": [*X264, "23"],
    "x264 CRF 28": [*X264, "28"],
    "x264 CRF 33": [*X264, "33"],
    "x265 CRF 28": ["-c:v", "libx265", "-crf", "28", "-x265-params", "log-level=error"],
    "half size": ["-vf", "scale=trunc(iw/4)*2:trunc(ih/4)*2", *X264, "23"],
    "10 % cropped": ["-vf", "crop=iw*0.95:ih*0.947:iw*0.02:ih*0.03", *X264, "23"],
    "50 % cropped": ["-vf", "crop=iw*0.71:ih*0.704:iw*0.15:ih*0.12", *X264, "23"],
    "gamma": ["-vf", "eq=gamma=1.3:contrast=1.1", *X264, "23"],
    "MJPEG": ["-c:v", "mjpeg", "-q:v", "8", "-pix_fmt", "yuvj420p"],
    "24 to 25 fps": ["-vf", "setpts=PTS*24/25,fps=25", *X264, "23"],
}
"""Name -> arguments of ffmpeg. "24 to 25 fps": played faster and pictures doubled or dropped, as for television."""
_CROP = CropSpec(256, "whole_face")


def ffmpeg(*arguments: str | Path) -> None:
    """Run the FFmpeg program."""
    import imageio_ffmpeg

    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *map(str, arguments)], check=True)


def face_alpha(frame: Frame, faces: Sequence[Face]) -> NDArray[np.float32]:
    """Return the outlines of faces with a soft edge, as a conversion covers them."""
    total = np.zeros(frame.size, np.float32)
    for face in faces:
        hull = masks.face_hull(canonical_landmarks(face), _CROP, face.scheme)
        mask = masks.shape_edge(hull, erode=0, feather=0.08 * _CROP.size)[0]
        frame_from_patch = geometry.invert(patch_from_frame(face, _CROP))
        np.maximum(total, resample.warp(mask, frame_from_patch, frame.size, border=cv2.BORDER_CONSTANT), out=total)
    return total


@dataclass(slots=True)
class Distance:
    """Squared differences of luma, in 8-bit steps."""

    total: float = 0.0
    count: int = 0

    def add(self, before: NDArray, after: NDArray, depth: int) -> None:
        step = 2.0 ** (depth - 8)
        self.total += float((((after.astype(np.float64) - before) / step) ** 2).sum())
        self.count += before.size

    @property
    def psnr(self) -> float:
        return round(float(10 * np.log10(255**2 * self.count / max(self.total, 1e-9))), 2)


def marked(clip: Path, index: FaceIndex, extent: str, limit: int, target: Path) -> dict[str, float]:
    """Write a marked clip without loss; return its distances from the clip (dB, of luma)."""
    reader, marker = VideoReader(clip), LumaMarker(PAYLOAD)
    whole, where_marked = Distance(), Distance()
    share = []
    with target.open("wb") as file:
        for frame in itertools.islice(reader, limit):
            alpha = face_alpha(frame, index.faces_at(frame.index)) if extent == "face" else None
            result = marker.mark(frame, alpha)
            inside = alpha > 0.5 if alpha is not None else np.ones(frame.size, bool)
            depth = frame.color.bit_depth
            whole.add(frame.planes[0], result.planes[0], depth)
            where_marked.add(frame.planes[0][inside], result.planes[0][inside], depth)
            share.append(inside.mean())
            for plane in result.planes:
                file.write(np.ascontiguousarray(plane).tobytes())
    return {
        "psnr_y": whole.psnr,
        "psnr_y_where_marked": where_marked.psnr,
        "share_marked": round(float(np.mean(share)), 3),
    }


def attacked(clip: Path, index: FaceIndex, extent: str, limit: int) -> dict[str, Any]:
    """Return distances, and what was found after each attack on one clip."""
    info = VideoReader(clip).info
    height, width = info.size
    rows: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        planes, delivered, copy = (Path(folder) / name for name in ("planes.yuv", "delivered.mp4", "copy.mkv"))
        distances = marked(clip, index, extent, limit, planes)
        raw = ["-f", "rawvideo", "-pix_fmt", info.layout.name, "-s", f"{width}x{height}", "-r", str(info.rate)]
        ffmpeg(*raw, "-i", planes, *X264, "18", delivered)
        planes.unlink()
        for name, arguments in ATTACKS.items():
            if arguments:
                ffmpeg("-i", delivered, *arguments, copy)
            found = detect(VideoReader(copy if arguments else delivered), any_size=False)
            rows[name] = found_row(found)
            print(f"{clip.stem:>20} {extent:>6}  {name:<14} {rows[name]}", flush=True)
    return {**distances, "attacks": rows}


def found_row(found: Found | None) -> dict[str, Any]:
    """Return what was found, for JSON."""
    if found is None:
        return {"is_right": False}
    return {
        "is_right": found.id == PAYLOAD.id,
        "bits": found.bits,
        "false_positive_rate": float(f"{found.false_positive_rate:.2g}"),
        "size": round(found.size, 3),
    }


def windows(clips: Sequence[Path], side: int = 256, length: int = 24) -> Iterator[list[Frame]]:
    """Yield parts of clips: `length` frames, `side` px square, at random places, again and again."""
    rng = np.random.default_rng(7)
    frames = {clip: list(VideoReader(clip)) for clip in clips}
    while True:
        for of_clip in frames.values():
            start = int(rng.integers(0, len(of_clip) - length))
            height, width = of_clip[start].size
            y, x = int(rng.integers(0, max(1, height - side))), int(rng.integers(0, max(1, width - side)))
            place = (slice(y, y + side), slice(x, x + side))
            yield [
                replace(frame, planes=(frame.planes[0][place], *frame.planes[1:]))
                for frame in of_clip[start : start + length]
            ]


def false_hits(clips: Sequence[Path], count: int) -> dict[str, Any]:
    """Return how often a mark was seen in unmarked windows, and how often bits were read at all."""
    hits = read = maps = 0
    for window in itertools.islice(windows(clips), count):
        search = Search()
        hits += any(search.run(evidence, any_size=False) is not None for evidence in stretches(window))
        read += search.num_read
        maps += search.num_maps
    return {"windows": count, "hits": hits, "words_read": read, "comparisons": maps}


def speed() -> dict[str, float]:
    """Return ms of one core for a 1280 x 720 frame of 8 bit: the median of 30, and the quartiles' distance."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng(7)
    luma = cv2.GaussianBlur(rng.normal(128, 60, (720, 1280)), (0, 0), 2).clip(16, 235).astype(np.uint8)
    frame = Frame((luma,), PlaneLayout("gray", (0, 0)), ColorInfo(), Timestamp(0, Fraction(1, 24)), 0)
    marker, seconds = LumaMarker(PAYLOAD), []
    for _ in range(40):
        start = time.process_time()
        marker.mark(frame)
        seconds.append(time.process_time() - start)
    low, median, high = np.percentile(np.array(seconds[10:]) * 1000, [25, 50, 75])
    return {"ms": round(float(median), 2), "iqr": round(float(high - low), 2)}


def table_of(results: dict[str, Any]) -> str:
    """Return what was found, as a table for people."""
    lines = []
    for extent, by_clip in results.items():
        lines.append(f"\n{extent}: bits of 127 that were right; - = not found")
        lines.append(f"{'':>20}" + "".join(f"{name:>14}" for name in by_clip))
        for key in ("psnr_y", "psnr_y_where_marked", "share_marked"):
            lines.append(f"{key:>20}" + "".join(f"{clip[key]:>14}" for clip in by_clip.values()))
        for attack in ATTACKS:
            cells = [clip["attacks"][attack] for clip in by_clip.values()]
            lines.append(f"{attack:>20}" + "".join(f"{c['bits'] if c['is_right'] else '-':>14}" for c in cells))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--frames", type=int, default=240, help="of each clip, from its start")
    parser.add_argument("--windows", type=int, default=1000, help="unmarked ones")
    parser.add_argument("--extent", choices=["frame", "face", "both"], default="both", help="what is marked")
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    detector = make_detector(threads=1)
    indexes = {clip: analyse(VideoReader(clip), detector) for clip in given.clips}
    extents = ["frame", "face"] if given.extent == "both" else [given.extent]
    results = {
        extent: {clip.stem: attacked(clip, indexes[clip], extent, given.frames) for clip in given.clips}
        for extent in extents
    }
    right = {
        extent: sum(
            row["is_right"] for clip in by_clip.values() for name, row in clip["attacks"].items() if ATTACKS[name]
        )
        for extent, by_clip in results.items()
    }
    num_pairs = len(given.clips) * (len(ATTACKS) - 1)
    unmarked, one_frame = false_hits(given.clips, given.windows), speed()
    print(table_of(results))
    print(
        f"\nfound after attacks, of {num_pairs} pairs: {right}\nunmarked windows: {unmarked}\n720p frame: {one_frame}"
    )
    if given.output:
        document = {
            "results": {
                "frames": given.frames,
                "clips": results,
                "pairs": num_pairs,
                "pairs_found": right,
                "unmarked": unmarked,
                "mark_720p_frame": one_frame,
            },
            "circumstances": circumstances("cpu"),
        }
        given.output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
