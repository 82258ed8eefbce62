"""A clip goes in, a swapped and marked clip comes out: analyse (or reuse the index), then render.

Every frame that is written goes through `_render`, and what it writes is marked: there is no unmarked path.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from faceswap.convert.config import ConvertConfig
from faceswap.convert.engine import SwapEngine
from faceswap.convert.report import ConvertReport
from faceswap.convert.select import chosen_faces
from faceswap.convert.threads import WriteBehind, read_ahead
from faceswap.errors import FaceswapError, InterruptedRunError, UnsupportedInputError, UsageError
from faceswap.faces.analyse import analyse
from faceswap.faces.base import Detector
from faceswap.faces.index import FaceIndex
from faceswap.faces.registry import make_detector
from faceswap.files import fingerprint, sync_file, sync_folder, temporary_beside
from faceswap.interrupt import StopRequest, stop_on_signal
from faceswap.media.marks import packet_times
from faceswap.media.probe import ClipInfo
from faceswap.media.reader import VideoReader
from faceswap.media.remux import source_metadata
from faceswap.media.writer import ClipWriter, EncodePlan, default_output, plan_encode
from faceswap.models.swap_model import SwapModel
from faceswap.progress import OnProgress, Progress, StageTimes, ignore_progress
from faceswap.provenance.mark import Mark, marked_metadata, packet_marker
from faceswap.types import Face, Frame

_QUEUE_DEPTH = 12
"""Decoded frames that may wait between threads; bounds memory."""
_MAX_TIME_ERROR = 0.001


@dataclass(frozen=True, slots=True)
class ConvertPlan:
    """What a conversion will do, settled before any work."""

    input: Path
    output: Path
    info: ClipInfo
    encode: EncodePlan
    identity: str
    index_path: Path
    has_index: bool
    mark: Mark
    notes: tuple[str, ...]


def plan_convert(
    input_path: Path | str,
    model: SwapModel,
    output: Path | str | None = None,
    *,
    to: str | None = None,
    config: ConvertConfig | None = None,
    overwrite: bool = False,
) -> ConvertPlan:
    """Check everything that can be checked before work starts.

    Raises:
        UsageError: bad names or settings, or an output that exists. UnsupportedInputError: an input that cannot be used.
    """
    config = config or ConvertConfig()
    source = Path(input_path)
    identity = to if to is not None else model.identities[0]
    model.index_of(identity)
    info = VideoReader(source).info
    target = Path(output) if output is not None else default_output(source, "_swapped")
    _check_output(source, target, overwrite)
    encode = plan_encode(info, target, config.encode)
    digest = fingerprint(source)
    index_path = target.parent / ".faceswap" / f"{source.stem[:80]}-{digest[:12]}.faces.db"
    return ConvertPlan(
        input=source,
        output=target,
        info=info,
        encode=encode,
        identity=identity,
        index_path=index_path,
        has_index=_load_index(index_path, digest, config) is not None,
        mark=Mark(model_sha256=model.manifest_sha256),
        notes=(*info.notes, *encode.losses),
    )


def _check_output(source: Path, target: Path, overwrite: bool) -> None:
    if not target.parent.is_dir():
        raise UsageError(f"the folder {target.parent} does not exist; make it or choose another -o")
    if target.is_dir():
        raise UsageError(f"{target} is a folder; give the output a file name")
    if target.exists() and target.samefile(source):
        raise UsageError(f"{target} is the input itself; give another -o")
    if target.exists() and not overwrite:
        raise UsageError(f"{target} exists; use --overwrite to replace it, or another -o")
    if not os.access(target.parent, os.W_OK):
        raise UsageError(f"{target.parent} cannot be written to; choose another -o")


def _load_index(path: Path, digest: str, config: ConvertConfig) -> FaceIndex | None:
    """Return the stored index when it is of this clip and these settings."""
    if not path.is_file():
        return None
    try:
        index = FaceIndex.load(path)
    except UnsupportedInputError:
        return None  # an index of another version, or damaged: the clip is analysed anew
    fits = index.fingerprint == digest and index.every == 1 and index.min_face_px == config.min_face_px
    return index if fits else None


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
    plan = plan_convert(input_path, model, output, to=to, config=config, overwrite=overwrite)
    times = StageTimes()
    reader = VideoReader(plan.input)
    with stop_on_signal() as stop:
        index = _load_index(plan.index_path, fingerprint(plan.input), config) if plan.has_index else None
        if index is None:
            with times.measure("analyse"):
                index = analyse(
                    reader,
                    detector or make_detector(),
                    min_face_px=config.min_face_px,
                    on_progress=on_progress,
                    stop=stop,
                )
            index.save(plan.index_path)
        engine = SwapEngine(model, plan.identity, config, times)
        num_faces, skipped, dropped = _render(plan, reader, index, engine, config, times, on_progress, stop)
    seconds = time.perf_counter() - start
    damaged = [f"{reader.num_damaged} packets of the input did not decode"] if reader.num_damaged else []
    return ConvertReport(
        input=plan.input,
        output=plan.output,
        identity=plan.identity,
        model_sha256=model.manifest_sha256,
        frames=index.num_frames,
        faces=num_faces,
        skipped=skipped,
        seconds=round(seconds, 3),
        fps=round(index.num_frames / seconds, 2),
        ms_per_frame=times.ms_per(index.num_frames),
        has_reused_index=plan.has_index,
        notes=(*plan.notes, *dropped, *damaged),
    )


def _render(
    plan: ConvertPlan,
    reader: VideoReader,
    index: FaceIndex,
    engine: SwapEngine,
    config: ConvertConfig,
    times: StageTimes,
    on_progress: OnProgress,
    stop: StopRequest,
) -> tuple[int, Mapping[str, int], list[str]]:
    """Write the output under a temporary name and publish it; return faces swapped, faces skipped, streams dropped."""
    chosen, skipped = chosen_faces(index, config.faces)
    temporary = temporary_beside(plan.output)
    writer = ClipWriter(
        temporary,
        plan.info,
        plan.encode,
        source=plan.input,
        metadata=marked_metadata(source_metadata(plan.input), plan.mark),
        edit_key_packet=packet_marker(plan.mark),
    )
    expected = []

    def write(frame: Frame) -> None:
        with times.measure("encode"):
            writer.write(frame)

    try:
        sink = WriteBehind(write, _QUEUE_DEPTH)
        try:
            with closing(read_ahead(_timed(reader, times), _QUEUE_DEPTH)) as frames:
                for batch in _batches(frames, config.batch):
                    faces: list[list[Face]] = [chosen.get(frame.index, []) for frame in batch]
                    shots = [index.shot_of(frame.index) for frame in batch]
                    for frame in engine.process(batch, faces, shots):
                        expected.append(frame.time.pts * frame.time.time_base)
                        sink.put(frame)
                    on_progress(Progress("render", len(expected), index.num_frames))
                    if stop:
                        raise InterruptedRunError(
                            f"stopped while rendering {plan.input}; no output is left, its face index is kept in "
                            f"{plan.index_path}; repeat the command to start rendering again",
                            stop.signal_number,
                        )
            sink.close()
        except BaseException:
            sink.abandon()
            writer.abort()
            raise
        writer.close()
        _check_result(plan, temporary, expected, index)
        sync_file(temporary)
        os.replace(temporary, plan.output)
        sync_folder(plan.output.parent)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
    return sum(map(len, chosen.values())), skipped, writer.dropped


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
    if len(written) != len(expected) or (shift > _MAX_TIME_ERROR and plan.encode.muxer != "avi"):
        raise FaceswapError(
            f"the encoded clip does not match {plan.input}: {len(written)} of {len(expected)} frames, "
            f"largest time error {shift * 1000:.1f} ms; please report this with the output of `faceswap convert -n`"
        )
