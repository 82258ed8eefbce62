"""Making the output of a conversion: what can be copied, which segments are missing, rendering them, publishing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from faceswap import __version__
from faceswap.convert.assembly import Assembly
from faceswap.convert.casting import Casting
from faceswap.convert.check import CopyMismatchError
from faceswap.convert.config import CASTING_SETTINGS
from faceswap.convert.mask_files import files_used, painted_masks
from faceswap.convert.match import Looks
from faceswap.convert.network import settle_runners
from faceswap.convert.outputs import deliver_timeline, outputs_of, publish, write_outputs
from faceswap.convert.overrides import SettingsFor
from faceswap.convert.plan import ConvertPlan
from faceswap.convert.products import products_of
from faceswap.convert.range import span
from faceswap.convert.segments import Segment, plan_segments
from faceswap.convert.select import chosen_faces
from faceswap.convert.shot_look import LOOKS_FILE, look_at_shots, read_looks, write_looks
from faceswap.convert.sign import register_outputs, sign_outputs
from faceswap.convert.smart import CopyPlan, fitted, plan_copies
from faceswap.convert.work import SegmentRecord, WorkFolder, facts_in, open_work_folder
from faceswap.convert.workers import RenderJob, render_in_processes
from faceswap.device import shared_cpu
from faceswap.errors import (
    FaceswapError,
    InterruptedRunError,
    ResourceError,
    UnsupportedInputError,
    UsageError,
)
from faceswap.faces.cache import index_digest
from faceswap.faces.index import FaceIndex
from faceswap.files import disk_errors_named, file_state, require_space
from faceswap.interrupt import StopRequest
from faceswap.media.libraries import library_versions
from faceswap.media.sequence import PICTURES
from faceswap.models.probe import RunnerChoice
from faceswap.models.swap_model import SwapModel
from faceswap.progress import OnProgress, Progress, StageTimes
from faceswap.provenance.mark_id import id_text, mark_id
from faceswap.provenance.signer import installation_signer


@dataclass(frozen=True, slots=True)
class ConvertRun:
    """One conversion while it runs."""

    plan: ConvertPlan
    models: tuple[SwapModel, ...]
    jobs: int
    overwrite: bool
    times: StageTimes
    on_progress: OnProgress
    stop: StopRequest

    def watch(self, stage: str, done: int, total: int) -> None:
        """Report progress of a stage after rendering.

        Raises:
            InterruptedRunError: a signal came; all segments are finished.
        """
        self.on_progress(Progress(stage, done, total))
        if self.stop:
            raise InterruptedRunError(
                f"stopped while putting {self.plan.output} together; all of it is rendered and kept in "
                f"{self.plan.work_path}; repeat the command to go on from there",
                self.stop.signal_number,
            )


@dataclass(frozen=True, slots=True)
class Made:
    """What there is to say of a finished output."""

    notes: tuple[str, ...]
    checks: Mapping[str, str]
    delivered: tuple[Path, ...]
    """Everything that was written, the clip first."""
    frames: tuple[int, int]
    """The source's frames that are in it, half-open."""
    num_copied: int
    """Frames that are the source's own packets."""
    num_resumed: int
    """Frames that an earlier run had finished."""
    watermark: str | None
    """Id in the frames, ten hexadecimal digits; None = they have none."""
    runners: tuple[RunnerChoice, ...] = ()
    """What ran the network of each model."""


def make_output(run: ConvertRun, index: FaceIndex, casting: Casting, settings: SettingsFor) -> Made:
    """Make the output; where copied parts turn out not to be the source's pictures, everything is encoded instead."""
    plan = run.plan
    chosen, _ = chosen_faces(index, casting, plan.config.choice)
    num_faces = sum(map(len, chosen.values()))
    with run.times.measure("probe"):
        begun = facts_in(plan.work_path)
        runners = settle_runners(run.models, plan.config.runner, plan.config.batch, num_faces, begun)
    return replace(_copied_or_encoded(run, index, casting, settings), runners=runners)


def _copied_or_encoded(run: ConvertRun, index: FaceIndex, casting: Casting, settings: SettingsFor) -> Made:
    plan = run.plan
    notes: list[str] = []
    if plan.config.copy_untouched:
        try:
            copies = _plan_copies(run, index, casting)
            spliced = replace(plan, encode=fitted(plan.encode, plan.info))
            made = _make(replace(run, plan=spliced), index, casting, settings, copies)
            return replace(made, notes=(*_splice_notes(plan), *made.notes))
        except _NothingToCopyError as error:
            notes.append(f"nothing was copied from the source, everything was encoded: {error}")
        except CopyMismatchError as error:
            notes.append(f"everything was encoded: the parts copied from the source did not fit ({error})")
    made = _make(run, index, casting, settings, None)
    return replace(made, notes=(*notes, *made.notes))


class _NothingToCopyError(Exception):
    """No part of the source can be copied; the message says why."""


def _plan_copies(run: ConvertRun, index: FaceIndex, casting: Casting) -> CopyPlan:
    """Return what is copied from the source.

    Raises:
        _NothingToCopyError: nothing can be.
    """
    plan = run.plan
    if set(plan.config.deliver) - {"clip", "otio"}:
        raise _NothingToCopyError("overlay, matte and raw are made of every frame")
    if plan.encode.muxer == PICTURES:
        raise _NothingToCopyError("pictures are made of every frame")
    if plan.config.label is not None:
        raise _NothingToCopyError("the label is drawn on every frame")
    if plan.picture != plan.input:
        raise _NothingToCopyError("its picture went through a filter")
    if facts_in(plan.work_path) == _job_facts(run, casting, None):
        raise _NothingToCopyError(
            "an earlier run found that copied parts do not fit, and has begun to encode everything"
        )
    chosen, _ = chosen_faces(index, casting, plan.config.choice)
    try:
        return plan_copies(plan.info, plan.encode, index.frames, chosen.keys(), wanted_frames(plan, index))
    except UnsupportedInputError as error:
        raise _NothingToCopyError(str(error)) from error


def _splice_notes(plan: ConvertPlan) -> list[str]:
    if plan.encode.codec == "libx265" and plan.encode.muxer in ("mp4", "mov"):
        return [
            f"H.265 of two encoders in {plan.encode.muxer} is tagged hev1, which Apple's players refuse; .mkv has no tag"
        ]
    return []


def wanted_frames(plan: ConvertPlan, index: FaceIndex) -> tuple[int, int]:
    """Return the run of frames that the output holds, half-open."""
    if not plan.config.trim:
        return 0, index.num_frames
    return span(plan.config.choice.ranges(index))


def _make(run: ConvertRun, index: FaceIndex, casting: Casting, settings: SettingsFor, copies: CopyPlan | None) -> Made:
    facts = _job_facts(run, casting, copies)
    plan = run.plan.with_id(facts["id"])
    frames = wanted_frames(plan, index)
    painted = painted_masks(plan, index, casting, settings)
    segments = plan_segments(copies.runs if copies else [(*frames, False)], index.shots)
    with open_work_folder(plan.work_path, facts) as work:
        done = work.take_stock(segments, index.frames.pts.tolist())
        job = RenderJob(
            plan,
            run.models,
            casting,
            painted.masks,
            settings,
            work.path,
            any(s.is_copied for s in segments),
            start_seconds=float(index.frames.pts[frames[0]] * index.frames.time_base),
        )
        if any(not s.is_copied and s.number not in done for s in segments):
            job = replace(job, looks=_looks(run, job, index, work))
        remarks = _render(run, job, index, segments, done, work)
        require_space(plan.output.parent, work.num_bytes)
        products = products_of(plan)
        outputs = outputs_of(products, work)
        try:
            assembly = Assembly(plan, work, segments, index, frames, copies, run.watch)
            _require_same_input(plan)
            _require_same_files(plan, facts["files"])
            dropped, checks = write_outputs(outputs, assembly)
            _require_same_input(plan)
            sign_outputs(outputs, plan, work.path / "signed.tmp", frames[1] - frames[0], run.watch)
            work.note_publishing([name for output in outputs for name in output.names])
            register_outputs(outputs, plan, casting.identities)
            publish(outputs, plan, overwrite=run.overwrite)
        except (UsageError, ResourceError, InterruptedRunError):
            raise  # repeating the command helps: keep what is finished
        except FaceswapError:
            work.delete()
            raise
        finally:
            for output in outputs:
                output.discard()
        timelines, more = deliver_timeline(plan, products, index)
        work.delete()
    return Made(
        notes=(*job.remarks, *painted.remarks, *remarks, *dropped, *checks.notes, *more),
        delivered=(*(product.output for product in products), *timelines),
        checks=checks.figures,
        frames=frames,
        num_copied=copies.num_copied if copies else 0,
        num_resumed=sum(record.stop - record.start for record in done.values()),
        watermark=None if plan.watermark_id is None else id_text(plan.watermark_id),
    )


def _looks(run: ConvertRun, job: RenderJob, index: FaceIndex, work: WorkFolder) -> Looks:
    """Return the colours of whole shots, kept in the work folder: a run that goes on does so with the very same numbers."""
    path = work.path / LOOKS_FILE
    looks = read_looks(path)
    if looks is None:
        with shared_cpu(run.models[0].compute):
            looks = look_at_shots(job, index, run.times, run.on_progress, stop=run.stop)
        with disk_errors_named(path):
            write_looks(path, looks)
    return looks


def _require_same_input(plan: ConvertPlan) -> None:
    """Raise FaceswapError when the input was replaced or written to: its other streams would not fit the pictures."""
    if not plan.input.is_file():
        raise UsageError(f"{plan.input} is gone; put it back and repeat the command: what is rendered is kept")
    if file_state(plan.input) != plan.input_state:
        raise FaceswapError(f"{plan.input} changed while it was converted, so nothing was written; repeat the command")


def _require_same_files(plan: ConvertPlan, before: Mapping[str, str]) -> None:
    """Raise FaceswapError when painted masks or networks were changed meanwhile: segments would not fit each other."""
    if files_used(plan.config) != before:
        raise FaceswapError(
            f"the masks or networks for {plan.input} changed while it was converted, so nothing was written; repeat the command"
        )


def _job_facts(run: ConvertRun, casting: Casting, copies: CopyPlan | None) -> dict[str, Any]:
    """Return everything that the segments depend on: a work folder with other facts is of no use."""
    plan = run.plan
    facts = {
        "version": __version__,
        "source": plan.fingerprint,
        "source_mtime_ns": plan.input_state[2],
        "faces": index_digest(plan.index_path),
        "models": [model.manifest_sha256 for model in run.models],
        "compute": str(run.models[0].compute),
        "runners": [[model.runner, model.batch] for model in run.models],
        "casting": casting.facts(run.models),
        "config": plan.config.model_dump(mode="json", exclude={*CASTING_SETTINGS, "figures", "runner"}),
        "encoder": {"name": plan.encode.codec, "pix_fmt": plan.encode.pix_fmt, **plan.encode.options},
        "files": files_used(plan.config),
        "mark": plan.with_id("").mark.to_json(),
        "has_watermark": plan.watermark_id is not None,
        "container": plan.encode.muxer,
        "copied": [list(r) for r in copies.runs] if copies else [],
        "libraries": library_versions(),
    }
    # Said in other words, a conversion is still the same one: its id follows from who becomes whom, not from the options,
    # and not from when the source was copied.
    lasting = {name: value for name, value in facts.items() if name != "source_mtime_ns"}
    facts["id"] = id_text(mark_id(installation_signer().secret, [json.dumps(lasting, sort_keys=True)]))
    return json.loads(json.dumps(facts))


def _render(
    run: ConvertRun,
    job: RenderJob,
    index: FaceIndex,
    segments: list[Segment],
    done: dict[int, SegmentRecord],
    work: WorkFolder,
) -> Sequence[str]:
    """Render the segments that are missing; return what is to be said about it.

    Raises:
        InterruptedRunError: stopped; finished segments are kept.
    """
    waiting = [s for s in segments if not s.is_copied and s.number not in done]
    num_frames = sum(map(len, segments))
    num_done = num_frames - sum(map(len, waiting))
    if not waiting:
        return ()

    def on_frames(count: int) -> None:
        nonlocal num_done
        num_done += count
        run.on_progress(Progress("render", num_done, num_frames))

    try:
        if run.jobs > 1 and len(waiting) > 1:
            num_processes = min(run.jobs, len(waiting))
            return render_in_processes(
                job,
                waiting,
                num_processes,
                times=run.times,
                on_frames=on_frames,
                on_segment=work.add,
                stop=run.stop,
            )
        with shared_cpu(run.models[0].compute):
            renderer = job.renderer(index, run.times)
            renderer.render(iter(waiting), job.sink(run.times, work.add), on_frames, run.stop)
        return renderer.engine.remarks
    except InterruptedRunError as error:
        raise InterruptedRunError(
            f"stopped while rendering {run.plan.input}; {work.num_frames} of {num_frames} frames are finished and kept in "
            f"{work.path}; repeat the command to go on from there",
            run.stop.signal_number,
        ) from error
