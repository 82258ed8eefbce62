"""Rendering segments in several processes: each has its own reader, network and encoder; the files are the same as with one."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING, Any

from faceswap.convert.casting import Casting
from faceswap.convert.device.supported import choose
from faceswap.convert.engine import SwapEngine
from faceswap.convert.feed import FrameFeed
from faceswap.convert.fields import engine_for
from faceswap.convert.match import Looks
from faceswap.convert.overrides import SettingsFor
from faceswap.convert.painted import PaintedMasks
from faceswap.convert.plan import ConvertPlan
from faceswap.convert.products import products_of
from faceswap.convert.render import SegmentRenderer, SegmentSink
from faceswap.convert.segments import Segment
from faceswap.convert.select import chosen_faces
from faceswap.convert.work import SegmentRecord, WorkFolder
from faceswap.device import shared_cpu
from faceswap.errors import FaceswapError, InterruptedRunError, ResourceError
from faceswap.faces.cache import open_index
from faceswap.faces.index import FaceIndex
from faceswap.interrupt import StopRequest
from faceswap.media.reader import SeekableReader, VideoReader
from faceswap.models.swap_model import SwapModel
from faceswap.progress import StageTimes
from faceswap.types import Face

if TYPE_CHECKING:
    from faceswap.convert.device.engine import DeviceEngine

_POLL_SECONDS = 0.2
_MAX_JOBS = 8


@dataclass(frozen=True, slots=True)
class RenderJob:
    """All that rendering a segment depends on; travels to other processes."""

    plan: ConvertPlan
    models: tuple[SwapModel, ...]
    casting: Casting
    """Decided before: processes that decided for themselves might disagree."""
    painted: PaintedMasks | None
    settings: SettingsFor
    """Of each face."""
    work: Path
    is_spliced: bool
    looks: Looks | None = None
    """Colours of whole shots where they are wanted (`shot_look`)."""
    start_seconds: float = 0.0
    """When the first frame that is wanted is shown."""

    def renderer(self, index: FaceIndex, times: StageTimes, reader: SeekableReader | None = None) -> SegmentRenderer:
        """Return a renderer with an engine of its own.

        Args:
            reader: gives the frames of the index; None = the clip, opened anew.
        """
        chosen = self.chosen(index)
        reader = reader or VideoReader(self.plan.picture, self.plan.picture_stream, on_gpu=self.plan.on_gpu)
        feed = FrameFeed(reader, index.frames, times)
        is_tagged = reader.info.field_order is not None
        in_fields = engine_for(self.engine(times), self.plan.field_order, chosen, is_tagged=is_tagged)
        return SegmentRenderer(index, chosen, in_fields, feed, self.plan.config)

    def engine(self, times: StageTimes) -> SwapEngine | DeviceEngine:
        """Return an engine for progressive frames, or for fields: on the models' device where that can do what is asked."""
        is_on_device, _ = choose(self.models[0].compute.device, self.settings.all, self.plan.config)
        kind: type[SwapEngine | DeviceEngine] = SwapEngine
        if is_on_device:
            from faceswap.convert.device.engine import DeviceEngine

            kind = DeviceEngine
        return kind(self.models, self.casting.roles, self.plan.config, times, self.painted, self.settings, self.looks)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the user is told about where faces are finished."""
        _, remark = choose(self.models[0].compute.device, self.settings.all, self.plan.config)
        return () if remark is None else (remark,)

    def chosen(self, index: FaceIndex) -> Mapping[int, Sequence[Face]]:
        """Return the faces to swap, by frame."""
        found, _ = chosen_faces(index, self.casting, self.plan.config.choice)
        return self.settings.steadied(found, {shot.start for shot in index.shots})

    def sink(self, times: StageTimes, on_segment: Callable[[SegmentRecord], None]) -> SegmentSink:
        """Return where rendered frames go."""
        products = products_of(self.plan, self.start_seconds)
        return SegmentSink(WorkFolder(self.work), products, times, on_segment, is_spliced=self.is_spliced)


def suggested_jobs() -> int:
    """Return how many processes suit this machine: one for four cores, which an encoder and a network keep busy."""
    return max(1, min(_MAX_JOBS, (os.cpu_count() or 1) // 4))


def render_in_processes(
    job: RenderJob,
    segments: Sequence[Segment],
    num_processes: int,
    *,
    times: StageTimes,
    on_frames: Callable[[int], None],
    on_segment: Callable[[SegmentRecord], None],
    stop: StopRequest,
) -> list[str]:
    """Render segments in several processes at once; return the engines' remarks when all are done.

    Raises:
        InterruptedRunError: `stop` was set. ResourceError: a process was killed. Otherwise what a process raised.
    """
    from torch import multiprocessing

    context = multiprocessing.get_context("spawn")
    tasks, results = context.Queue(), context.Queue()
    for task in [*segments, *[None] * num_processes]:
        tasks.put(task)
    processes = [
        context.Process(target=_work, args=(job, tasks, results), daemon=True, name=f"render-{i}")
        for i in range(num_processes)
    ]
    try:
        for process in processes:
            process.start()
        return _collect(processes, results, times, on_frames, on_segment, stop)
    finally:
        for process in processes:
            if process.pid is not None:  # started
                process.kill()
                process.join()
        tasks.cancel_join_thread()


def _collect(
    processes: Sequence[Any],
    results: Any,
    times: StageTimes,
    on_frames: Callable[[int], None],
    on_segment: Callable[[SegmentRecord], None],
    stop: StopRequest,
) -> list[str]:
    num_running = len(processes)
    remarks: list[str] = []
    while num_running:
        if stop:
            raise InterruptedRunError("stopped", stop.signal_number)
        try:
            kind, value = results.get(timeout=_POLL_SECONDS)
        except Empty:
            if sum(process.is_alive() for process in processes) < num_running and results.empty():
                raise ResourceError(
                    "a rendering process was killed, most likely for want of memory; repeat the command with fewer --jobs"
                ) from None
            continue
        if kind == "frames":
            on_frames(value)
        elif kind == "segment":
            on_segment(value)
        elif kind == "error":
            raise value
        else:
            num_running -= 1
            seconds, of_process = value
            times.add(seconds)
            remarks += of_process
    return list(dict.fromkeys(remarks))


def _work(job: RenderJob, tasks: Any, results: Any) -> None:
    """Body of a rendering process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the first process decides
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    times = StageTimes()
    try:
        index = open_index(job.plan.index_path)
        sink = job.sink(times, lambda record: results.put(("segment", record)))
        with shared_cpu(job.models[0].compute):
            renderer = job.renderer(index, times)
            renderer.render(_until_none(tasks), sink, lambda count: results.put(("frames", count)), StopRequest())
        results.put(("done", (dict(times.seconds), tuple(renderer.engine.remarks))))
    except FaceswapError as error:
        results.put(("error", error))
    except BaseException as error:
        results.put(("error", FaceswapError(f"a rendering process failed: {type(error).__name__}: {error}")))


def _until_none(tasks: Any) -> Iterator[Segment]:
    while (segment := tasks.get()) is not None:
        yield segment


def _leave_with_parent() -> None:
    """End this process when the one that started it is gone, however it went: two runs must not write one folder."""
    from multiprocessing import parent_process

    parent = parent_process()
    if parent is not None:
        with suppress(OSError):
            connection.wait([parent.sentinel])
        os._exit(1)
