"""The demo: two clips of a synthetic actor, a model of her two looks, a swap, and figures about it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceswap import geometry
from faceswap.config import parse_duration, validated
from faceswap.convert.config import ConvertConfig
from faceswap.convert.pipeline import convert_clip
from faceswap.demo.actor import ANDROID, ASTRONAUT, ActorLook, render_clip, render_sound
from faceswap.demo.consent import actors_record
from faceswap.demo.figures import demo_figures
from faceswap.faces.views import render_view
from faceswap.facesets.build import extract_faces
from faceswap.files import temporary_beside, write_atomic
from faceswap.media.generate import write_clip
from faceswap.media.picture_texts import png_with_texts
from faceswap.media.pictures import encode_picture
from faceswap.media.reader import open_clip
from faceswap.models.swap_model import SwapModel
from faceswap.progress import OnProgress, Progress, ignore_progress
from faceswap.provenance.attach import attach
from faceswap.provenance.consent import ConsentRecord
from faceswap.provenance.mark import Mark, marked_metadata
from faceswap.provenance.picture_mark import texts_of
from faceswap.provenance.verify import verify_clip
from faceswap.recipes import load_recipe
from faceswap.train.config import TrainConfig
from faceswap.train.loop import train_model

NUM_FRAMES, RATE, SIZE = 150, 25, (480, 640)
_RECIPE = "demo-96"
_SHEET_COLUMNS = 6


@dataclass(frozen=True, slots=True)
class DemoReport:
    """Where everything is, and how good it is."""

    folder: Path
    figures: dict[str, float | str]
    seconds: float

    def to_text(self) -> str:
        """Return the table, the places and the next command, for people."""
        width = max(map(len, self.figures))
        table = "\n".join(f"  {name:<{width}}  {value}" for name, value in self.figures.items())
        return (
            f"{table}\n\n"
            f"look at:    {self.folder / 'side_by_side.mp4'}\n"
            f"            {self.folder / 'contact_sheet.png'}\n"
            f"done in {self.seconds:.0f} s. Colour matching was left off: here the android's make-up is the point.\n"
            f"next, with its light matched to the shot:\n"
            f"            faceswap convert {self.folder / 'target.mp4'} -m {self.folder / 'model'} -o matched.mp4"
        )


def run_demo(
    folder: Path,
    *,
    budget: str,
    device: str = "auto",
    seed: int = 0,
    num_frames: int = NUM_FRAMES,
    on_progress: OnProgress = ignore_progress,
    on_note: Callable[[str], None] = lambda _: None,
) -> DemoReport:
    """Make the clips, extract, train for `budget` (like "150s"), convert, and compare.

    A second call in the same folder reuses the clips and goes on training when the budget is larger.

    Returns:
        The report; `folder` then holds target.mp4, source.mp4, swapped.mp4, side_by_side.mp4, contact_sheet.png,
        figures.json, consent.json, facesets/ and model/.
    """
    start = time.perf_counter()
    parse_duration(budget)
    folder.mkdir(parents=True, exist_ok=True)
    on_note("making two clips from a NASA portrait (Eileen Collins, public domain): the astronaut and her android")
    clips = {"astronaut": folder / "target.mp4", "android": folder / "source.mp4"}
    for number, (look, path) in enumerate(zip((ASTRONAUT, ANDROID), clips.values(), strict=True)):
        _make_clip(path, look, num_frames, seed + number, on_progress)
    consent = _consent(folder / "consent.json")
    for actor, path in clips.items():
        extract_faces([path], folder / "facesets" / actor, actor, consent=consent, on_progress=on_progress)
    values = {**load_recipe(_RECIPE), "budget": budget, "seed": seed}
    trained = train_model(
        [folder / "facesets" / "android", folder / "facesets" / "astronaut"],
        folder / "model",
        validated(TrainConfig, values, _RECIPE),
        device=device,
        on_progress=on_progress,
        on_note=on_note,
    )
    model = SwapModel.load(folder / "model", device=device)
    converted = convert_clip(
        clips["astronaut"],
        model,
        folder / "swapped.mp4",
        to="android",
        config=ConvertConfig(match="none", feather=0.05, preset="veryfast"),
        overwrite=True,
        on_progress=on_progress,
    )
    panels = _panels(clips["astronaut"], converted.output)
    mark = verify_clip(converted.output).mark
    assert mark is not None, "convert publishes nothing without a mark"
    _replace_clip(folder / "side_by_side.mp4", (np.hstack(pair) for pair in panels), seed, mark=mark)
    sheet = _sheet(clips["astronaut"], converted.output, clips["android"], num_frames)
    write_atomic(folder / "contact_sheet.png", png_with_texts(encode_picture(".png", sheet), texts_of(mark)))
    for name in ("side_by_side.mp4", "contact_sheet.png"):
        attach(folder / name, converted.output)
    figures = {
        "training": f"{trained.step} steps, loss {trained.loss:.3f}",
        "conversion": f"{converted.faces} faces in {converted.frames} frames, {converted.fps:.1f} fps all included",
        **demo_figures(converted, clips["android"]),
    }
    write_atomic(folder / "figures.json", json.dumps(figures, indent=1).encode())
    return DemoReport(folder, figures, time.perf_counter() - start)


def _consent(path: Path) -> ConsentRecord:
    """Return the record that the demo's facesets name; made by the first run."""
    if path.is_file():
        return ConsentRecord.from_bytes(path.read_bytes(), str(path))
    record = actors_record()
    write_atomic(path, record.to_bytes())
    return record


def _make_clip(path: Path, look: ActorLook, num_frames: int, seed: int, on_progress: OnProgress) -> None:
    if path.is_file():
        return

    def pictures() -> Iterator[NDArray[np.uint8]]:
        for index, picture in enumerate(render_clip(look, num_frames=num_frames, size=SIZE, seed=seed)):
            on_progress(Progress(f"make {path.stem}", index + 1, num_frames))
            yield picture

    _replace_clip(path, pictures(), seed, num_frames)


def _replace_clip(
    path: Path,
    pictures: Iterator[NDArray[np.uint8]],
    seed: int,
    num_frames: int = NUM_FRAMES,
    mark: Mark | None = None,
) -> None:
    temporary = temporary_beside(path)
    try:
        sound = render_sound(num_frames / RATE, seed=seed)
        tags = marked_metadata({}, mark) if mark else {}
        write_clip(temporary, pictures, rate=RATE, sound=sound, title="faceswap demo, synthetic", metadata=tags)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _panels(before: Path, after: Path) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    for pair in zip(open_clip(before), open_clip(after), strict=True):
        a, b = (render_view(frame, geometry.translation(0, 0), frame.size) for frame in pair)
        yield a, b


def _sheet(target: Path, swapped: Path, source: Path, num_frames: int) -> NDArray[np.uint8]:
    """Return rows of target, swapped and source frames, evenly spread over the clips."""
    chosen = {round((i + 0.5) * num_frames / _SHEET_COLUMNS) for i in range(_SHEET_COLUMNS)}
    scale = 0.5
    size = (int(SIZE[0] * scale), int(SIZE[1] * scale))
    rows = [
        np.hstack([render_view(f, geometry.scaling(scale), size) for f in open_clip(clip) if f.index in chosen])
        for clip in (target, swapped, source)
    ]
    return np.vstack(rows)
