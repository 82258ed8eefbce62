"""What the match of colour, light, sharpness and grain does to a picture: figures before and after, on real clips.

    python tools/bench/picture.py CLIP... -m MODEL [-m MODEL] [--frames 60] [--grain 4] [--only after,before] [-o FILE.json]

"before" is what a plain composite does: a feathered mask and the mean colour. "after" is what `faceswap convert` does when it is
told nothing; "lossless" the same before it is encoded. A stretch of each clip is written anew as the input (x264, crf 12; with
--grain noise of that deviation is laid over it first and kept at crf 18), converted with each setting (x264, crf 14), and
measured over all its frames by `faceswap evaluate`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from faceswap.bench.run import circumstances
from faceswap.convert.config import ConvertConfig
from faceswap.convert.pipeline import convert_clip
from faceswap.evaluate.run import evaluate_clip
from faceswap.evaluate.table import FIGURES
from faceswap.faces.registry import make_detector
from faceswap.media.assemble import ClipMuxer, PictureRun
from faceswap.media.encode import VideoEncoder
from faceswap.media.encode_plan import EncodeSettings, plan_encode
from faceswap.media.reader import VideoReader
from faceswap.models.swap_model import SwapModel
from faceswap.types import Frame

VARIANTS: dict[str, dict[str, Any]] = {
    "before": {"match": "mean", "light": 0, "sharpness": 0, "grain": "off"},
    "after": {},
    "shot": {"match_over": "shot"},
    "no light": {"light": 0},
    "lossless": {"codec": "ffv1"},
}
KEYS = (
    "seam_gradient",
    "seam_step",
    "skin_match",
    "skin_drift",
    "sharpness_skin",
    "grain",
    "grain_size",
    "warping",
    "flicker",
    "crop_jitter",
    "jitter",
)
_GRAIN_BLUR_PX = 0.7
"""Film's grain and a sensor's noise after its demosaicing are about this soft."""


def grainy(frame: Frame, sigma: float) -> Frame:
    """Return a frame with noise in luma (8-bit codes) and half as much in chroma, drawn from its number."""
    rng = np.random.default_rng(frame.index)
    planes = []
    for i, plane in enumerate(frame.planes[:3]):
        noise = cv2.GaussianBlur(rng.normal(0, 1, plane.shape).astype(np.float32), (0, 0), _GRAIN_BLUR_PX)
        strength = sigma * (0.5 if i else 1.0) * 2.0 ** (frame.color.bit_depth - 8)
        planes.append(np.clip(np.rint(plane + noise * (strength / noise.std())), 0, 2**frame.color.bit_depth - 1))
    return replace(frame, planes=tuple(plane.astype(frame.planes[0].dtype) for plane in planes))


def write_part(clip: Path, path: Path, start: int, count: int, grain: float) -> Path:
    """Write frames of a clip as a clip of its own."""
    reader = VideoReader(clip)
    info = replace(reader.info, notes=())
    plan = plan_encode(info, path, EncodeSettings("libx264", 18.0 if grain else 12.0, "veryfast", None, None))

    def frames() -> Iterator[Frame]:
        for frame in islice(reader, start, start + count):
            yield grainy(frame, grain) if grain else frame

    encoder = VideoEncoder(info, plan)
    pictures = [picture for frame in frames() for picture in encoder.encode(frame)]
    pictures += encoder.finish()
    ClipMuxer(info, plan).write(path, [PictureRun([p.pts for p in pictures], lambda: pictures)])
    return path


def measure(part: Path, model: SwapModel, names: list[str], keep: Path | None) -> dict[str, dict[str, float]]:
    """Return the figures of each variant."""
    detector, table = make_detector(threads=1), {}
    for number, name in enumerate(names):
        output = (keep or part.parent) / f"{part.stem}-{model.crop.size}-{name.replace(' ', '-')}.mkv"
        encoding = {} if "codec" in VARIANTS[name] else {"crf": 14, "preset": "veryfast"}
        config = ConvertConfig(**VARIANTS[name], **encoding, figures=False, faces="main")
        if number == 0:  # the first one pays for finding the faces; repeated, so that none of the rest is favoured
            convert_clip(part, model, output, config=config, detector=detector, overwrite=True)
        report = convert_clip(part, model, output, config=config, detector=detector, overwrite=True)
        values = evaluate_clip(part, output, detector).whole.values
        table[name] = {key: round(values[key], 4) for key in KEYS if key in values} | {"fps": report.fps}
        row = "  ".join(f"{key} {value:.2f}" for key, value in table[name].items())
        print(f"{part.stem:>24} {model.crop.size:4} px {name:>9}: {row}", flush=True)
    return table


def as_markdown(results: dict[str, dict[str, dict[str, float]]]) -> str:
    """Return the table as it stands in the documentation."""
    keys = list(next(iter(next(iter(results.values())).values())))
    titles = [FIGURES[key].title if key in FIGURES else key for key in keys]
    lines = [f"| clip | | {' | '.join(titles)} |", f"|---|---|{'---|' * len(keys)}"]
    for clip, of_clip in results.items():
        for name, values in of_clip.items():
            lines.append(f"| {clip} | {name} | {' | '.join(f'{values[key]:.2f}' for key in keys)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("-m", "--model", action="append", required=True, type=Path)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--start", type=int, default=20, help="first frame of the stretch")
    parser.add_argument("--grain", type=float, default=0.0, help="deviation of noise added to the input, 8-bit codes")
    parser.add_argument("--only", default="before,after", help=f"of {', '.join(VARIANTS)}")
    parser.add_argument("--keep", type=Path, help="folder in which the clips stay")
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    models = [SwapModel.load(folder, device="cpu") for folder in given.model]
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        place = given.keep or Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        for clip in given.clips:
            name = f"{clip.stem}{'-grain' if given.grain else ''}"
            part = write_part(clip, place / f"{name}.mp4", given.start, given.frames, given.grain)
            for model in models:
                results[f"{name}, {model.crop.size} px"] = measure(part, model, given.only.split(","), place)
    print(as_markdown(results))
    if given.output:
        settings = {"frames": given.frames, "start": given.start, "grain": given.grain, "settings": VARIANTS}
        document = {"results": {**settings, "clips": results}, "circumstances": circumstances("cpu")}
        given.output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
