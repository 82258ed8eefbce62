"""What recipes make of the same two people in the same time: figures and pictures, side by side.

    python tools/bench/networks.py MODEL... --facesets SOURCE TARGET --clip CLIP [--json FILE] [--sheet FILE.png]

Each model is a folder that `faceswap train` wrote (same facesets, same --budget; one after the other on a machine that does
nothing else). Its held-out faces are rebuilt and compared with the real ones at one size for all, 128 px: what a smaller
network gives is enlarged. Then the clip is converted with the defaults and `faceswap evaluate` measures it.
The sheet has a row for each model: faces of the clip, then the same of the result.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from faceswap.bench.run import circumstances
from faceswap.convert.pipeline import convert_clip
from faceswap.evaluate.run import Evaluation, evaluate_clip
from faceswap.faces.align import patch_from_frame
from faceswap.faces.registry import make_detector
from faceswap.faces.views import sample_rgb
from faceswap.facesets.store import FaceSet
from faceswap.figures import detail
from faceswap.media.pictures import encode_picture
from faceswap.media.reader import VideoReader
from faceswap.models.checkpoint import find_checkpoint
from faceswap.models.swap_model import SwapModel
from faceswap.models.work import work_of
from faceswap.train.augment import Batch, still_sampler
from faceswap.train.data import load_pack
from faceswap.train.held_out import divided, held_out, ssim_of
from faceswap.types import CropSpec

_SIZE = 128
_KEYS = ("shift_error", "sharpness_skin", "flicker", "warping")
_COLUMNS = 7
_SHOWN = 220
"""px of a face on the sheet."""
_MARGIN = 0.15
_BATCH = 8


def held_out_faces(faceset: FaceSet, crop: CropSpec) -> Batch:
    """Return the faces of a person that no training sees, as they are, in a crop."""
    pack = load_pack(faceset, crop, torch.device("cpu"))
    _, apart = divided(pack, held_out(pack.records))
    if apart is None:
        raise SystemExit(f"{faceset.path} is too small to hold faces out")
    return still_sampler(crop.size, torch.device("cpu")).as_they_are(apart)


@torch.inference_mode()
def like_the_real(model: SwapModel, faceset: FaceSet, to: str) -> dict[str, float]:
    """Return how like the real ones a model makes a person's held-out faces as `to`, at 128 px.

    The same person: how well they are rebuilt. Another one: how much of this person a swap keeps; looks that do not change
    have a high figure, too.
    """
    batch = held_out_faces(faceset, replace(model.crop, size=_SIZE))
    inputs = held_out_faces(faceset, model.crop).truth
    faces = torch.cat([model.swap(part, to=to).pixels.float() for part in inputs.split(_BATCH)])
    faces = functional.interpolate(faces, (_SIZE, _SIZE), mode="bicubic", align_corners=False, antialias=True).clamp(
        0, 1
    )
    masks = batch.mask[:, 0].numpy()
    real, made = (
        [detail.band_energy(face, mask) for face, mask in zip(part.mean(dim=1).numpy(), masks, strict=True)]
        for part in (batch.truth, faces)
    )
    return {
        "faces": len(faces),
        "ssim": round(float(np.mean(ssim_of(faces, batch.truth, batch.mask))), 4),
        "sharpness": round(float(np.mean(made) / np.mean(real)), 3),
    }


def figures_of(folder: Path, facesets: list[FaceSet], clip: Path) -> tuple[dict[str, Any], Evaluation]:
    """Return the row of one model; the converted clip stays in its folder."""
    model, checkpoint = SwapModel.load(folder), find_checkpoint(folder)
    progress, train = checkpoint.document("progress"), checkpoint.document("train")
    work = work_of(checkpoint.spec.network, len(model.identities))
    output = folder / f"{clip.stem}-swapped.mp4"
    report = convert_clip(clip, model, output, overwrite=True)
    evaluation = evaluate_clip(clip, output, make_detector(), model=folder)
    row = {
        "network": checkpoint.spec.network.model_dump(),
        "batch": train["batch"],
        "learning_rate": train["learning_rate"],
        "parameters_m": round(work.parameters / 1e6, 1),
        "gflop_a_swap": round(work.swap_flop / 1e9, 2),
        "train_seconds": progress["seconds"],
        "steps": progress["step"],
        "held_out": {f.actor: like_the_real(model, f, f.actor) for f in facesets},
        "swap_like_target": like_the_real(model, facesets[1], facesets[0].actor)["ssim"],
        "clip": {key: round(value, 3) for key, value in evaluation.whole.values.items()},
        "convert_fps": report.fps,
    }
    return row, evaluation


def sheet(evaluations: list[Evaluation]) -> NDArray[np.uint8]:
    """Return faces of the clip and, row by row, the same faces of each result, (h, w, 3)."""
    index, numbers = evaluations[0].index, sorted({row.frame for row in evaluations[0].rows})
    frames = [numbers[round(i)] for i in np.linspace(0, len(numbers) - 1, _COLUMNS + 2)[1:-1]]
    lines = []
    for path in (evaluations[0].input, *(evaluation.output for evaluation in evaluations)):
        crops = []
        for frame in VideoReader(path):
            if frame.index in frames:
                matrix = patch_from_frame(index.faces_at(frame.index)[0], CropSpec(_SHOWN, "whole_face", _MARGIN))
                crops.append(sample_rgb(frame, matrix, (_SHOWN, _SHOWN)))
        lines.append(np.concatenate(crops, axis=2))
    picture = np.concatenate(lines, axis=1).transpose(1, 2, 0)
    return (picture.clip(0, 1) * 255 + 0.5).astype(np.uint8)


def as_markdown(results: dict[str, Any]) -> str:
    """Return the table as it stands in the documentation."""
    lines = [
        "| recipe | steps | held-out SSIM | held-out sharpness | swap like target | "
        + " | ".join(_KEYS)
        + " | convert fps |"
    ]
    lines.append("|" + "---|" * (6 + len(_KEYS)))
    for name, row in results.items():
        ssim, sharp = (" / ".join(f"{v[k]:.3f}" for v in row["held_out"].values()) for k in ("ssim", "sharpness"))
        like = row["swap_like_target"]
        figures = " | ".join(f"{row['clip'].get(key, float('nan')):.2f}" for key in _KEYS)
        lines.append(
            f"| `{name}` | {row['steps']} | {ssim} | {sharp} | {like:.3f} | {figures} | {row['convert_fps']:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--facesets", nargs=2, required=True, type=Path)
    parser.add_argument("--clip", required=True, type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sheet", type=Path)
    given = parser.parse_args()
    facesets = [FaceSet.open(path) for path in given.facesets]
    found = {folder.name: figures_of(folder, facesets, given.clip) for folder in given.models}
    results = {name: row for name, (row, _) in found.items()}
    print(as_markdown(results))
    if given.json:
        document = {"results": results, "circumstances": circumstances("auto")}
        given.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if given.sheet:
        given.sheet.write_bytes(encode_picture(".png", sheet([evaluation for _, evaluation in found.values()])))


if __name__ == "__main__":
    main()
