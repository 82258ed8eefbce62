"""The same frames rendered in several ways at once: read once, swapped once, finished as often as there are ways."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from faceswap.convert.batches import FrameBatch
from faceswap.convert.fields import Engine
from faceswap.convert.render import SegmentRenderer
from faceswap.convert.rendered import Rendered
from faceswap.convert.segments import Segment
from faceswap.convert.workers import RenderJob
from faceswap.faces.index import FaceIndex
from faceswap.media.reader import SeekableReader
from faceswap.models.swap_model import SwapModel
from faceswap.progress import OnProgress, Progress, StageTimes
from faceswap.types import Face, Frame, SwapOutput

_REMEMBERED = 256
"""Batches whose outputs are kept for the ways that have not asked for them yet."""


class SharedModel(SwapModel):
    """A model that several engines ask in turn: what it was just asked it does not work out again."""

    def __init__(self, model: SwapModel) -> None:
        self.__dict__.update(model.__dict__)
        self._model = model
        self._outputs: dict[tuple[str, float, bytes], SwapOutput] = {}

    def swap(self, patches: Tensor, *, to: str, morph: float = 1.0) -> SwapOutput:
        """Return what the model gives; its very output where it was asked the same before."""
        key = to, morph, hashlib.sha256(patches.cpu().contiguous().numpy().tobytes()).digest()
        if key not in self._outputs:
            if len(self._outputs) >= _REMEMBERED:
                self._outputs.clear()
            self._outputs[key] = self._model.swap(patches, to=to, morph=morph)
        return self._outputs[key]

    def forget(self) -> None:
        """Drop all outputs: every engine has had them."""
        self._outputs.clear()


@dataclass(frozen=True, slots=True)
class _Way:
    engine: Engine
    chosen: Mapping[int, Sequence[Face]]
    """Its own: landmarks are steadied where parts are kept."""


class SideBySide:
    """An engine that lets others do what it is told; it gives the frames of the first, and keeps those of all."""

    def __init__(self, ways: Sequence[_Way], models: Sequence[SharedModel]) -> None:
        self._ways, self._models = ways, models
        self.rendered: list[list[Rendered]] = []
        """Of the last batch, by way."""

    def forget(self) -> None:
        """As `SwapEngine.forget`."""
        for way in self._ways:
            way.engine.forget()

    def begin_segment(self, start: int, shot: int) -> None:
        """As `SwapEngine.begin_segment`."""
        for way in self._ways:
            way.engine.begin_segment(start, shot)
        self._forget_outputs()

    def observe(self, frames: Sequence[Frame], faces: Sequence[Sequence[Face]], shots: Sequence[int]) -> None:
        """As `SwapEngine.observe`."""
        for way in self._ways:
            way.engine.observe(frames, _faces(way, frames), shots)

    def process(self, frames: Sequence[Frame], faces: Sequence[Sequence[Face]], shots: Sequence[int]) -> list[Rendered]:
        """As `SwapEngine.process`."""
        self.rendered = [way.engine.process(frames, _faces(way, frames), shots) for way in self._ways]
        self._forget_outputs()
        return self.rendered[0]

    def stream(self, batches: Iterable[FrameBatch]) -> Generator[list[Rendered], None, None]:
        """As `SwapEngine.stream`, one after the other: `rendered` belongs to the batch that was given last."""
        for batch in batches:
            yield self.process(*batch)

    @property
    def remarks(self) -> Sequence[str]:
        """As `SwapEngine.remarks`."""
        return [remark for way in self._ways for remark in way.engine.remarks]

    def _forget_outputs(self) -> None:
        for model in self._models:
            model.forget()


def _faces(way: _Way, frames: Sequence[Frame]) -> list[Sequence[Face]]:
    return [way.chosen.get(frame.index, ()) for frame in frames]


def render_frames(
    jobs: Sequence[RenderJob],
    index: FaceIndex,
    wanted: Mapping[Segment, Sequence[int]],
    times: StageTimes,
    on_progress: OnProgress,
    reader: SeekableReader | None = None,
) -> dict[int, list[Rendered]]:
    """Return some frames as each of several jobs of the same clip renders them: bit for bit what a conversion gives.

    What is remembered of the frames before decides about colours and masks: each segment is rendered from its start, in
    the same batches, up to the last frame that is wanted of it.

    Args:
        jobs: they differ in their settings only. wanted: frames by the segment that holds them, in order.
        reader: gives the frames of the index; None = the clip.
    """
    models = tuple(SharedModel(model) for model in jobs[0].models)
    each = [replace(job, models=models).renderer(index, times, reader) for job in jobs]
    engine = SideBySide([_Way(one.engine, one.chosen) for one in each], models)
    renderer = SegmentRenderer(index, each[0].chosen, engine, each[0].feed, each[0].config)
    total = sum(max(frames) - segment.start + 1 for segment, frames in wanted.items())
    found: dict[int, list[Rendered]] = {}
    done = 0
    try:
        for segment, frames in wanted.items():
            for batch in renderer.batches(segment):
                for place, rendered in enumerate(batch):
                    if rendered.source.index in frames:
                        found[rendered.source.index] = [of_way[place] for of_way in engine.rendered]
                done = min(total, done + len(batch))
                on_progress(Progress("render", done, total))
                if batch[-1].source.index >= max(frames):
                    break
    finally:
        renderer.feed.close()
    return found
