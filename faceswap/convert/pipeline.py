"""A clip goes in, a swapped and marked clip comes out: analyse (or reuse the index), then make the output."""

from __future__ import annotations

import time
from pathlib import Path

from faceswap.convert.config import ConvertConfig
from faceswap.convert.make import ConvertRun, make_output
from faceswap.convert.plan import plan_convert, with_filter
from faceswap.convert.report import ConvertReport
from faceswap.convert.select import chosen_faces
from faceswap.errors import UsageError
from faceswap.faces.analyse import analyse
from faceswap.faces.base import Detector
from faceswap.faces.cache import load_index
from faceswap.faces.index import FaceIndex
from faceswap.faces.registry import make_detector
from faceswap.files import remove_stale_temporaries, temporary_beside
from faceswap.interrupt import stop_on_signal
from faceswap.media.reader import VideoReader
from faceswap.models.swap_model import SwapModel
from faceswap.progress import OnProgress, StageTimes, ignore_progress


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
    jobs: int = 1,
    on_progress: OnProgress = ignore_progress,
) -> ConvertReport:
    """Swap the faces of a clip and write a marked clip.

    The output appears under its name only when it is complete. What is finished of it waits in `.faceswap/` beside it: the
    same call continues a conversion that was stopped or killed, and the file comes out the same. The face index stays
    there and is reused by the next conversion of the same clip.

    Args:
        model: a loaded model or its folder.
        to: identity whose face will appear; default: the model's first.
        jobs: processes that render segments at once; the output does not depend on it. They import the calling script: with
            more than one its work belongs under `if __name__ == "__main__"`.

    Raises:
        UsageError, UnsupportedInputError, NoFaceError, CheckpointError, ResourceError: in one line, with the remedy.
        InterruptedRunError: stopped by a signal; the same call continues.
    """
    start = time.perf_counter()
    if jobs < 1:
        raise UsageError(f"--jobs {jobs} is not a number of processes; use 1 or more")
    if not isinstance(model, SwapModel):
        model = SwapModel.load(model, device=device)
    detector = detector or make_detector(device=device)
    plan = plan_convert(input_path, model, output, to=to, config=config, overwrite=overwrite, detector=detector.name)
    remove_stale_temporaries(plan.output)
    with stop_on_signal(on_second=lambda: temporary_beside(plan.output).unlink(missing_ok=True)) as stop:
        plan = with_filter(plan, detector.name, on_progress, stop)
        run = ConvertRun(plan, model, jobs, overwrite, StageTimes(), on_progress, stop)
        index = load_index(plan.index_path, plan.fingerprint, detector.name, plan.config.min_face_px)
        index = index or _analyse(run, detector)
        made = make_output(run, index)
    chosen, skipped = chosen_faces(index, plan.config.faces, plan.config.choice)
    seconds = time.perf_counter() - start
    num_frames = made.frames[1] - made.frames[0]
    return ConvertReport(
        input=plan.input,
        output=plan.output,
        identity=plan.identity,
        model_sha256=model.manifest_sha256,
        frames=num_frames,
        faces=sum(map(len, chosen.values())),
        frames_copied=made.num_copied,
        frames_resumed=made.num_resumed,
        skipped=skipped,
        seconds=round(seconds, 3),
        fps=round(num_frames / seconds, 2),
        ms_per_frame=run.times.ms_per(num_frames),
        checks=made.checks,
        is_complete=not index.shortfalls,
        has_reused_index=plan.has_index,
        delivered=made.delivered,
        notes=(*plan.notes, *made.notes, *index.shortfalls, *index.remarks),
    )


def _analyse(run: ConvertRun, detector: Detector) -> FaceIndex:
    reader = VideoReader(run.plan.picture, run.plan.picture_stream)
    with run.times.measure("analyse"):
        index = analyse(
            reader, detector, min_face_px=run.plan.config.min_face_px, on_progress=run.on_progress, stop=run.stop
        )
    index.save(run.plan.index_path)
    # Read back, so that a run that reuses the file renders from the very same (rounded) numbers.
    return FaceIndex.load(run.plan.index_path)
