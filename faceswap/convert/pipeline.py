"""A clip goes in, a swapped and marked clip comes out: analyse (or reuse the index), then render.

Every frame that is written goes through `_render`, and what it writes is marked: there is no unmarked path.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from faceswap.convert.config import ConvertConfig
from faceswap.convert.engine import SwapEngine
from faceswap.convert.plan import ConvertPlan, plan_convert, with_filter
from faceswap.convert.report import ConvertReport
from faceswap.convert.select import chosen_faces
from faceswap.convert.threads import WriteBehind, read_ahead
from faceswap.device import shared_cpu
from faceswap.errors import FaceswapError, InterruptedRunError, ProvenanceError, UsageError
from faceswap.faces.analyse import analyse
from faceswap.faces.base import Detector
from faceswap.faces.cache import load_index
from faceswap.faces.index import FaceIndex
from faceswap.faces.registry import make_detector
from faceswap.files import remove_stale_temporaries, sync_file, sync_folder, temporary_beside
from faceswap.interrupt import StopRequest, stop_on_signal
from faceswap.media.marks import packet_times
from faceswap.media.reader import VideoReader
from faceswap.media.remux import source_metadata
from faceswap.media.writer import ClipWriter
from faceswap.models.swap_model import SwapModel
from faceswap.progress import OnProgress, Progress, StageTimes, ignore_progress
from faceswap.provenance.mark import marked_metadata, packet_marker
from faceswap.provenance.verify import verify_clip
from faceswap.types import Face, Frame

_QUEUE_DEPTH = 12
"""Decoded frames that may wait between threads; bounds memory."""
_FRAME_COUNT_SLACK = 0.03
"""Share by which headers may promise more frames than there are: edit lists, average rates, rounding."""
_MAX_TIME_ERROR = 0.001
"""Seconds by which a written frame's time may differ from the source's."""


@dataclass(frozen=True, slots=True)
class _Job:
    """One conversion while it runs."""

    plan: ConvertPlan
    config: ConvertConfig
    reader: VideoReader
    times: StageTimes
    on_progress: OnProgress
    stop: StopRequest


def convert_clip(
    input_path: Path | str,
    model: SwapModel | Path | str,
    output: Path | str | None = None,
    *,
    to: str | None = None,
    config: ConvertConfig | None = None,
    overwrite: bool = False,
    device: str = "auto",
    detector: Detector | None = None,
    on_progress: OnProgress = ignore_progress,
) -> ConvertReport:
    """Swap the faces of a clip and write a marked clip.

    The output appears under its name only when it is complete. The face index stays in `.faceswap/` beside it and is
    reused by the next conversion of the same clip.

    Args:
        model: a loaded model or its folder.
        to: identity whose face will appear; default: the model's first.

    Raises:
        UsageError, UnsupportedInputError, NoFaceError, CheckpointError, ResourceError: in one line, with the remedy.
        InterruptedRunError: stopped by a signal; no half-written output is left.
    """
    start = time.perf_counter()
    config = config or ConvertConfig()
    if not isinstance(model, SwapModel):
        model = SwapModel.load(model, device=device)
    detector = detector or make_detector(device=device)
    plan = plan_convert(input_path, model, output, to=to, config=config, overwrite=overwrite, detector=detector.name)
    temporary = temporary_beside(plan.output)
    remove_stale_temporaries(plan.output)
    with stop_on_signal(on_second=lambda: temporary.unlink(missing_ok=True)) as stop:
        plan = with_filter(plan, config, detector.name, on_progress, stop)
        job = _Job(plan, config, VideoReader(plan.picture), StageTimes(), on_progress, stop)
        index = (
            load_index(plan.index_path, plan.fingerprint, detector.name, config.min_face_px) if plan.has_index else None
        )
        index = index or _analyse(job, detector)
        chosen, skipped = chosen_faces(index, config.faces, config.choice)
        try:
            with shared_cpu(model.compute):
                dropped = _render(job, temporary, index, chosen, SwapEngine(model, plan.identity, config, job.times))
            _publish(plan, temporary, overwrite)
        finally:
            temporary.unlink(missing_ok=True)
    seconds = time.perf_counter() - start
    missing = _missing(job.reader, index)
    return ConvertReport(
        input=plan.input,
        output=plan.output,
        identity=plan.identity,
        model_sha256=model.manifest_sha256,
        frames=index.num_frames,
        faces=sum(map(len, chosen.values())),
        skipped=skipped,
        seconds=round(seconds, 3),
        fps=round(index.num_frames / seconds, 2),
        ms_per_frame=job.times.ms_per(index.num_frames),
        is_complete=not missing,
        has_reused_index=plan.has_index,
        notes=(*plan.notes, *dropped, *missing),
    )


def _missing(reader: VideoReader, index: FaceIndex) -> list[str]:
    """Return what the input should have given and did not."""
    notes = []
    if reader.num_damaged:
        notes.append(f"{reader.num_damaged} places of the input are damaged and did not decode")
    promised = reader.info.num_frames
    if promised is not None and index.num_frames < promised * (1 - _FRAME_COUNT_SLACK) - 2:
        notes.append(
            f"the input holds {index.num_frames} of about {promised} frames; it is cut off or its header is wrong"
        )
    return notes


def _analyse(job: _Job, detector: Detector) -> FaceIndex:
    with job.times.measure("analyse"):
        index = analyse(
            job.reader,
            detector,
            min_face_px=job.config.min_face_px,
            on_progress=job.on_progress,
            stop=job.stop,
        )
    index.save(job.plan.index_path)
    # Read back, so that a run that reuses the file renders from the very same (rounded) numbers.
    return FaceIndex.load(job.plan.index_path)


def _render(job: _Job, path: Path, index: FaceIndex, chosen: dict[int, list[Face]], engine: SwapEngine) -> list[str]:
    """Write all frames to `path` and compare them with the source; return the streams that were dropped."""
    plan = job.plan
    writer = ClipWriter(
        path,
        plan.info,
        plan.encode,
        source=plan.input,
        metadata=marked_metadata(source_metadata(plan.input), plan.mark),
        edit_key_packet=packet_marker(plan.mark),
    )

    def write(frame: Frame) -> None:
        with job.times.measure("encode"):
            writer.write(frame)

    sink = WriteBehind(write, _QUEUE_DEPTH)
    times: list[Fraction] = []
    try:
        for frame in _swapped_frames(job, index, chosen, engine):
            times.append(frame.time.pts * frame.time.time_base)
            sink.put(frame)
        sink.close()
        writer.close()
    except BaseException:
        sink.abandon()
        writer.abort()
        raise
    _check_result(plan, path, times, index)
    return writer.dropped


def _swapped_frames(job: _Job, index: FaceIndex, chosen: dict[int, list[Face]], engine: SwapEngine) -> Iterator[Frame]:
    with closing(read_ahead(_timed(job.reader, job.times), _QUEUE_DEPTH)) as frames:
        for batch in _batches(frames, job.config.batch):
            faces = [chosen.get(frame.index, []) for frame in batch]
            rendered = engine.process(batch, faces, [index.shot_of(frame.index) for frame in batch])
            yield from (each.frame for each in rendered)
            job.on_progress(Progress("render", batch[-1].index + 1, index.num_frames))
            if job.stop:
                raise InterruptedRunError(
                    f"stopped while rendering {job.plan.input}; no output is left, its face index is kept in "
                    f"{job.plan.index_path}; repeat the command to start rendering again",
                    job.stop.signal_number,
                )


def _publish(plan: ConvertPlan, path: Path, overwrite: bool) -> None:
    """Give the finished clip its name, if it carries its marks.

    Raises:
        ProvenanceError: it does not; the container and codec have no place for them.
    """
    if not verify_clip(path).is_marked:
        raise ProvenanceError(
            f"{plan.output} was withheld: neither {plan.encode.muxer} nor {plan.encode.codec} could carry the mark "
            "that it is AI-modified; use .mp4, .mov or .mkv, or H.264/H.265"
        )
    if plan.output.exists() and not overwrite:
        raise UsageError(f"{plan.output} appeared meanwhile; use --overwrite to replace it, or another -o")
    sync_file(path)
    os.replace(path, plan.output)
    sync_folder(plan.output.parent)


def _timed(reader: VideoReader, times: StageTimes) -> Iterator[Frame]:
    frames = iter(reader)
    while True:
        with times.measure("decode"):
            frame = next(frames, None)
        if frame is None:
            return
        yield frame


def _batches(frames: Iterator[Frame], size: int) -> Iterator[list[Frame]]:
    batch: list[Frame] = []
    for frame in frames:
        batch.append(frame)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _check_result(plan: ConvertPlan, path: Path, expected: list, index: FaceIndex) -> None:
    """Compare what was written with what was read: count and times of frames."""
    if len(expected) != index.num_frames:
        raise FaceswapError(
            f"{plan.input} gave {index.num_frames} frames when analysed and {len(expected)} when rendered; "
            "did it change meanwhile? Repeat the command"
        )
    written = packet_times(path)
    shift = max((abs(float(a - b)) for a, b in zip(written, sorted(expected), strict=False)), default=0.0)
    if len(written) != len(expected) or (shift > _MAX_TIME_ERROR):
        raise FaceswapError(
            f"the encoded clip does not match {plan.input}: {len(written)} of {len(expected)} frames, "
            f"largest time error {shift * 1000:.1f} ms; please report this with the output of `faceswap convert -n`"
        )
