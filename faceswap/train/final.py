"""The page that ends a run: the curve, held-out faces, the worst of them, and what to do next."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from faceswap.device import Compute
from faceswap.facesets.advice import advice
from faceswap.facesets.schema import FaceRecord
from faceswap.files import write_atomic
from faceswap.media.pictures import encode_picture
from faceswap.pages.page import page
from faceswap.pages.timeline import timeline
from faceswap.train.data import FacePack
from faceswap.train.held_out import Looked, as_event, rebuild, ssim_of
from faceswap.train.state import TrainState
from faceswap.train.watch import verdict

_WORST = 6
_SOFT = 0.7
"""Of the real faces' detail."""
_LEAST_OF_A_POSE = 4
_CLEARLY_WORSE = 0.04
"""Of SSIM."""
_POSES = (
    ("look to the left (yaw below -20°)", "yaw", -180.0, -20.0),
    ("look to the right (yaw above 20°)", "yaw", 20.0, 180.0),
    ("look up (pitch below -12°)", "pitch", -90.0, -12.0),
    ("look down (pitch above 12°)", "pitch", 12.0, 90.0),
    ("are dark (brightness below 60)", "brightness", -1.0, 60.0),
    ("are bright (brightness above 180)", "brightness", 180.0, 256.0),
)


@dataclass(frozen=True, slots=True, eq=False)
class _Face:
    """A face and what the network made of it."""

    record: FaceRecord | None
    ssim: float
    real: torch.Tensor
    """(3, S, S)."""
    made: torch.Tensor


def write_final_report(
    path: Path,
    state: TrainState,
    packs: Sequence[FacePack],
    held: Sequence[FacePack | None],
    looked: Looked,
    compute: Compute,
) -> list[str]:
    """Write the page, and beside it the same as JSON; return what it advises, one sentence each.

    The page stands alone: pictures are inside it, nothing is loaded from elsewhere.
    """
    faces = _faces(state, packs, held, compute)
    lines = [verdict(state.history), *_sharpness(looked), *_poses(faces), *_of_the_facesets(packs)]
    parts = [
        f"<h1>Training report: {html.escape(' and '.join(state.spec.identities))}</h1>",
        f"<p>{html.escape(_head(state))}</p><h2>What this means</h2>",
        f"<ul>{''.join(f'<li>{html.escape(line)}</li>' for line in lines)}</ul>",
        "<h2>Over the run</h2>",
        *_curves(state),
        f"<h2>Faces {'held out of training' if looked.held else 'of the training (none is held out)'}</h2>",
        _table(looked),
        *_worst(faces),
    ]
    write_atomic(path, page(f"Training {path.parent.name}", parts).encode())
    values = {
        "step": state.step,
        "seconds": round(state.seconds, 1),
        "loss": round(state.loss, 5),
        "held_out": as_event(looked.held),
        "seen": looked.seen,
        "sharpness": looked.sharpness,
        "history": [asdict(row) for row in state.history],
        "worst": {actor: [_named(face) for face in rows[:_WORST]] for actor, rows in faces.items()},
        "advice": lines,
    }
    write_atomic(path.with_suffix(".json"), json.dumps(values, indent=1).encode())
    return lines


@torch.inference_mode()
def _faces(
    state: TrainState, packs: Sequence[FacePack], held: Sequence[FacePack | None], compute: Compute
) -> dict[str, list[_Face]]:
    """Return by identity the held-out faces (or some of the training), the worst first."""
    found = {}
    with state.averaged() as network:
        for number, (pack, apart) in enumerate(zip(packs, held, strict=True)):
            some = apart or pack
            chosen = np.zeros(len(some), dtype=bool)
            chosen[np.linspace(0, len(some) - 1, min(len(some), 200)).round().astype(int)] = True
            some = some.part(chosen)
            batch, made = rebuild(network, some, number, compute)
            values = ssim_of(made, batch.truth, batch.mask)
            records = some.records or (None,) * len(values)
            rows = [_Face(*row) for row in zip(records, values, batch.truth.cpu(), made.cpu(), strict=True)]
            found[pack.actor] = sorted(rows, key=lambda face: face.ssim)
    return found


def _minutes(seconds: float) -> str:
    number = round(seconds / 60)
    return "1 minute" if number == 1 else f"{number} minutes" if number else "less than a minute"


def _head(state: TrainState) -> str:
    network = state.spec.network
    rate = (
        ""
        if state.rate_factor == 1
        else f", learning rate lowered to {state.rate_factor:g} of the recipe's by roll-backs"
    )
    time = f"{state.step} steps in {_minutes(state.seconds)}"
    return f"{network.name} {network.size} px, {time}, loss {state.loss:.4f}{rate}."


def _sharpness(looked: Looked) -> list[str]:
    if looked.sharpness >= _SOFT:
        return []
    return [
        f"Rebuilt faces have {looked.sharpness:.0%} of the real ones' fine detail: train longer without warp, "
        "or take a larger network."
    ]


def _poses(faces: dict[str, list[_Face]]) -> list[str]:
    """Name the kinds of faces that come out clearly worse than the rest."""
    lines = []
    for actor, rows in faces.items():
        measured = [(face, face.record.figures) for face in rows if face.record is not None and face.record.figures]
        for name, key, low, high in _POSES:
            inside = [face.ssim for face, figures in measured if low < getattr(figures, key) <= high]
            outside = [face.ssim for face, figures in measured if not low < getattr(figures, key) <= high]
            if len(inside) < _LEAST_OF_A_POSE or len(outside) < _LEAST_OF_A_POSE:
                continue
            worse = float(np.mean(outside) - np.mean(inside))
            if worse > _CLEARLY_WORSE:
                lines.append(
                    f"Faces of {actor} that {name} come out worse (SSIM {np.mean(inside):.2f} against {np.mean(outside):.2f}): "
                    "add more of them."
                )
    return lines


def _of_the_facesets(packs: Sequence[FacePack]) -> list[str]:
    records = [[record for record in pack.records if record.figures is not None] for pack in packs]
    if len(records) < 2 or not all(records):
        return []
    return advice(records[0], records[1])


def _curves(state: TrainState) -> list[str]:
    rows = state.history
    if len(rows) < 2:
        return ["<p>Too few scores for a curve.</p>"]
    steps = np.array([row.step for row in rows], dtype=float)
    anything = (float("-inf"), float("inf"))
    curves = [
        ("Loss", [row.loss for row in rows], anything),
        ("SSIM of held-out faces", [np.nan if row.held is None else row.held for row in rows], anything),
        ("SSIM of faces of the training", [row.seen for row in rows], anything),
        ("Fine detail, rebuilt / real", [row.sharpness for row in rows], (_SOFT, 1.3)),
        ("Variety of faces, rebuilt / real", [row.variety for row in rows], (0.7, 1.3)),
    ]
    return [
        f"<h3>{title}</h3>{svg}"
        for title, values, good in curves
        if (svg := timeline(title, steps, np.array(values, dtype=float), good, unit="steps"))
    ]


def _table(looked: Looked) -> str:
    rows = [
        f"<tr><td>{html.escape(actor)}</td><td>{s.faces}</td><td>{s.ssim:.3f}</td><td>{s.sharpness:.2f}</td><td>{s.skin:.1f}</td></tr>"
        for actor, s in looked.held.items()
    ]
    head = "<tr><th>identity</th><th>faces</th><th>SSIM</th><th>sharpness</th><th>skin dE</th></tr>"
    return f"<table>{head}{''.join(rows)}</table>" if rows else f"<p>SSIM {looked.seen:.3f}.</p>"


def _worst(faces: dict[str, list[_Face]]) -> list[str]:
    parts = []
    for actor, rows in faces.items():
        figures = "".join(
            f'<figure style="display:inline-block;margin:2px"><img src="{_picture(face)}" width="192" alt="real and rebuilt">'
            f"<figcaption>{face.ssim:.2f} {html.escape(_place(face))}</figcaption></figure>"
            for face in rows[:_WORST]
        )
        parts.append(f"<h3>The worst of {html.escape(actor)} (real, rebuilt)</h3>{figures}")
    return parts


def _picture(face: _Face) -> str:
    both = torch.cat([face.real, face.made], dim=2).clamp(0, 1)
    rgb = (both * 255 + 0.5).byte().permute(1, 2, 0).numpy()
    return f"data:image/jpeg;base64,{base64.b64encode(encode_picture('.jpg', rgb, jpeg_quality=90)).decode()}"


def _place(face: _Face) -> str:
    return "" if face.record is None else f"{face.record.clip[:8]} frame {face.record.frame}"


def _named(face: _Face) -> dict[str, object]:
    record = face.record
    return {"ssim": round(face.ssim, 4)} | ({} if record is None else {"file": record.file, "frame": record.frame})
