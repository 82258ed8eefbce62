"""A clip goes in, a swapped and marked clip comes out: analyse (or reuse the index), then make the output."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from faceswap.convert.cast import CastingDesk, People
from faceswap.convert.casting import Casting, casting_rows
from faceswap.convert.config import ConvertConfig
from faceswap.convert.figures import measure_result
from faceswap.convert.make import ConvertRun, make_output
from faceswap.convert.overrides import SettingsFor
from faceswap.convert.plan import ConvertPlan, plan_convert, with_filter
from faceswap.convert.report import ConvertReport
from faceswap.convert.safeguard import NOT_INSTALLED, Safeguard, installed_safeguard, opencv_note
from faceswap.convert.select import chosen_faces
from faceswap.convert.settings_file import write_settings
from faceswap.convert.wish import Wish
from faceswap.errors import ResourceError, UsageError
from faceswap.faces.analyse import analyse
from faceswap.faces.base import Detector, IdentityEncoder
from faceswap.faces.cache import load_index, open_index
from faceswap.faces.explicit import ExplicitDetector
from faceswap.faces.identity import reference_vectors
from faceswap.faces.index import FaceIndex
from faceswap.faces.registry import make_detector
from faceswap.files import remove_stale_temporaries, temporary_beside
from faceswap.interrupt import stop_on_signal
from faceswap.media.reader import Reader, VideoReader
from faceswap.models.swap_model import SwapModel
from faceswap.progress import OnProgress, StageTimes, ignore_progress, used_cpu_seconds
from faceswap.provenance.plate import note_plate
from faceswap.provenance.wish import ProvenanceWish


def convert_clip(
    input_path: Path | str,
    model: SwapModel | Path | str | Sequence[SwapModel | Path | str],
    output: Path | str | None = None,
    *,
    to: str | None = None,
    config: ConvertConfig | None = None,
    overwrite: bool = False,
    device: str = "auto",
    detector: Detector | None = None,
    encoder: IdentityEncoder | None = None,
    jobs: int = 1,
    provenance: ProvenanceWish | None = None,
    safeguard: ExplicitDetector | None = None,
    on_progress: OnProgress = ignore_progress,
) -> ConvertReport:
    """Swap the faces of a clip and write a marked clip.

    The output appears under its name only when it is complete. What is finished of it waits in `.faceswap/` beside it: the
    same call continues a conversion that was stopped or killed, and the file comes out the same. The face index stays
    there and is reused by the next conversion of the same clip.

    Args:
        model: a loaded model or its folder; or several, when `config.map` says who becomes whom, or `config.faces` is
            "auto": then each model's people become its own first identity.
        to: identity whose face will appear; default: the model's first.
        encoder: tells people apart by the pictures of `config.person`.
        safeguard: looks for explicit footage instead of the network of the package nudenet.
        jobs: processes that render segments at once; the output does not depend on it. They import the calling script: with
            more than one its work belongs under `if __name__ == "__main__"`.
        provenance: consent records, the project, and who signs; None = the model's records, this installation's key.

    Raises:
        UsageError, UnsupportedInputError, NoFaceError, CheckpointError, ResourceError: in one line, with the remedy.
        ConsentError: no consent is on record for a face that would be shown, or it does not allow this.
        ProvenanceError: a shot that would get a swapped face is explicit, or the output could not be marked.
        InterruptedRunError: stopped by a signal; the same call continues.
    """
    start, cpu_start = time.perf_counter(), used_cpu_seconds()
    if jobs < 1:
        raise UsageError(f"--jobs {jobs} is not a number of processes; use 1 or more")
    models = loaded_models(model, device)
    detector = detector or make_detector(device=device)
    plan = plan_convert(
        input_path,
        models,
        output,
        to=to,
        config=config,
        overwrite=overwrite,
        detector=detector.name,
        provenance=provenance,
    )
    people = people_of(plan.wish, detector, encoder)
    remove_stale_temporaries(plan.output)
    with stop_on_signal(on_second=lambda: temporary_beside(plan.output).unlink(missing_ok=True)) as stop:
        plan = with_filter(plan, detector.name, on_progress, stop)
        run = ConvertRun(plan, models, jobs, overwrite, StageTimes(), on_progress, stop)
        guard = _safeguard(plan, safeguard)
        index = load_index(plan.index_path, plan.fingerprint, detector.name, plan.config.min_face_px)
        index = index or _analyse(run, detector, guard)
        settings = SettingsFor.of(plan.config, index)
        with run.times.measure("who is who"):
            casting = cast_clip(plan, models, index, encoder, people, on_progress)
        with run.times.measure("safeguard"):
            looked = _require_decent(plan, index, casting, guard)
        note_plate(plan.consents, plan.provenance, plan.output)
        made = make_output(run, index, casting, settings)
        figures = None
        if plan.config.figures:
            with run.times.measure("figures"):
                figures = measure_result(plan, index, casting, made, detector, on_progress)
    settings_file, lost = _settings_file(plan, models, detector)
    chosen, skipped = chosen_faces(index, casting, plan.config.choice)
    seconds = time.perf_counter() - start
    num_frames = made.frames[1] - made.frames[0]
    return ConvertReport(
        input=plan.input,
        output=plan.output,
        identity=", ".join(casting.identities),
        model_sha256=plan.mark.model_sha256,
        consents=tuple(record.record_id for record in plan.consents),
        watermark=made.watermark,
        casting=tuple(casting_rows(index, casting)),
        frames=num_frames,
        faces=sum(map(len, chosen.values())),
        frames_copied=made.num_copied,
        frames_resumed=made.num_resumed,
        skipped=skipped,
        seconds=round(seconds, 3),
        cpu_seconds=round(used_cpu_seconds() - cpu_start, 3),
        fps=round(num_frames / seconds, 2),
        ms_per_frame=run.times.ms_per(num_frames),
        network=tuple({**asdict(choice), "words": choice.words} for choice in made.runners),
        settings=plan.config.model_dump(mode="json"),
        settings_file=settings_file,
        checks=made.checks,
        safeguard=looked,
        figures=figures,
        is_complete=not index.shortfalls,
        has_reused_index=plan.has_index,
        delivered=made.delivered,
        notes=(*plan.notes, *opencv_note(), *casting.notes, *made.notes, *lost, *index.shortfalls, *index.remarks),
    )


def _settings_file(
    plan: ConvertPlan, models: Sequence[SwapModel], detector: Detector
) -> tuple[Path | None, tuple[str, ...]]:
    """Write the settings file; a full disk then is no reason to fail a conversion whose output is finished."""
    try:
        return write_settings(plan, models, detector.name), ()
    except (ResourceError, UsageError) as error:
        return None, (f"the settings were not written: {error}",)


def people_of(wish: Wish, detector: Detector, encoder: IdentityEncoder | None) -> People:
    """Return the vectors of the people whose pictures were given, before anything else takes time.

    Raises:
        UsageError: no encoder, or a picture of several people. NoFaceError: one of nobody.
    """
    if not wish.needs_encoder:
        return {}
    if encoder is None:
        raise UsageError(
            "--person needs a network that tells people apart: give one with --id-encoder FILE.onnx; "
            "without any, --auto lets the model itself say who is who, and --track takes numbers"
        )
    return reference_vectors(wish.references, detector, encoder)


def cast_clip(
    plan: ConvertPlan,
    models: Sequence[SwapModel],
    index: FaceIndex,
    encoder: IdentityEncoder | None = None,
    people: People | None = None,
    on_progress: OnProgress = ignore_progress,
) -> Casting:
    """Return who becomes whom in a clip that is analysed.

    Args:
        people: from `people_of`.

    Raises:
        UsageError: tracks or names that the clip does not have. NoFaceError: nobody to swap was recognised.
    """
    reader = VideoReader(plan.picture, plan.picture_stream)
    config = plan.config
    desk = CastingDesk(reader, index, models, config.choice, encoder, people or {}, config.min_cosine, on_progress)
    return desk.cast(plan.wish)


def loaded_models(
    model: SwapModel | Path | str | Sequence[SwapModel | Path | str], device: str
) -> tuple[SwapModel, ...]:
    """Return one or several models, loaded from their folders where they are not yet."""
    given = [model] if isinstance(model, (SwapModel, Path, str)) else model
    if not given:
        raise UsageError("no model was given; at least one is needed")
    return tuple(m if isinstance(m, SwapModel) else SwapModel.load(m, device=device) for m in given)


def _safeguard(plan: ConvertPlan, detector: ExplicitDetector | None) -> Safeguard | None:
    if detector is not None:
        return Safeguard.open(detector, plan.index_path, plan.fingerprint)
    return installed_safeguard(plan.index_path, plan.fingerprint)


def _require_decent(plan: ConvertPlan, index: FaceIndex, casting: Casting, guard: Safeguard | None) -> str:
    """Return what the safeguard did; see `Safeguard.require`."""
    if guard is None:
        return NOT_INSTALLED
    chosen, _ = chosen_faces(index, casting, plan.config.choice)
    return guard.require(lambda: VideoReader(plan.picture, plan.picture_stream), index, chosen)


def _analyse(run: ConvertRun, detector: Detector, guard: Safeguard | None) -> FaceIndex:
    reader: Reader = VideoReader(run.plan.picture, run.plan.picture_stream, on_gpu=run.plan.on_gpu)
    reader = guard.watching(reader) if guard else reader
    with run.times.measure("analyse"):
        index = analyse(
            reader, detector, min_face_px=run.plan.config.min_face_px, on_progress=run.on_progress, stop=run.stop
        )
    index.save(run.plan.index_path)
    # Read back, so that a run that reuses the file renders from the very same (rounded) numbers.
    return open_index(run.plan.index_path)
