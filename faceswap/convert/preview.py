"""Single frames of a clip as `convert` would make them, and grids that compare settings, without converting the clip."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from faceswap.convert.batches import WARM_UP
from faceswap.convert.cast import CastingDesk, People
from faceswap.convert.casting import Casting
from faceswap.convert.clip_part import ClipPart, part_around
from faceswap.convert.config import ConvertConfig
from faceswap.convert.grid import Grid, grid_of
from faceswap.convert.make import wanted_frames
from faceswap.convert.mask_files import painted_masks
from faceswap.convert.network import settle_runners
from faceswap.convert.overrides import SettingsFor
from faceswap.convert.pipeline import loaded_models, people_of
from faceswap.convert.plan import ConvertPlan
from faceswap.convert.preview_checks import known_index, plan_preview, require_whole_index, require_writable
from faceswap.convert.preview_sheet import Kind, SheetPlan, View, sheet_of
from faceswap.convert.rendered import Rendered
from faceswap.convert.safeguard import require_decent
from faceswap.convert.segments import Segment, plan_segments
from faceswap.convert.select import chosen_faces
from faceswap.convert.shot_look import look_at_shots
from faceswap.convert.side_by_side import render_frames
from faceswap.convert.sign import write_signed
from faceswap.convert.timecode import ClipClock, Moment
from faceswap.convert.work import facts_in
from faceswap.convert.workers import RenderJob
from faceswap.device import shared_cpu
from faceswap.errors import NoFaceError, UsageError
from faceswap.faces.base import Detector, IdentityEncoder
from faceswap.faces.explicit import ExplicitDetector
from faceswap.faces.index import FaceIndex
from faceswap.faces.registry import make_detector
from faceswap.files import disk_errors_named
from faceswap.media.picture_files import png_bytes
from faceswap.media.reader import VideoReader
from faceswap.models.swap_model import SwapModel
from faceswap.progress import OnProgress, StageTimes, ignore_progress
from faceswap.provenance.picture_mark import texts_of
from faceswap.provenance.wish import ProvenanceWish

_OPTION = "--frame"


@dataclass(frozen=True, slots=True)
class PreviewWish:
    """What is to be shown."""

    frames: tuple[str, ...]
    """Moments, written like `--start`."""
    grid: tuple[str, ...] = ()
    """Settings to compare, as for `grid_of`."""
    show: tuple[Kind, ...] = ("original", "swapped")
    view: View | None = None
    """None = whole frames, or enlarged faces in a grid."""
    is_quick: bool = False
    """Look at no more than `WARM_UP` frames before each: nearly the pixels of a conversion, where its segments are long."""


@dataclass(frozen=True, slots=True)
class PreviewFrame:
    """One frame of a preview."""

    frame: int
    """Its number in the clip."""
    faces: tuple[dict[str, Any], ...]
    """{track, to} of each face that is swapped."""


@dataclass(frozen=True, slots=True)
class PreviewReport:
    """What a preview shows."""

    input: Path
    output: Path
    model_sha256: str
    frames: tuple[PreviewFrame, ...]
    variants: tuple[str, ...]
    """Titles of the grid's cells; one empty title without a grid."""
    size: tuple[int, int]
    """(h, w) px of the picture."""
    has_reused_index: bool
    is_exact: bool
    """The pixels are those of `convert` before it marks and encodes."""
    seconds: float
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "input": str(self.input), "output": str(self.output)}


@dataclass(frozen=True, slots=True)
class _Job:
    """All that is the same for each frame of a preview."""

    plan: ConvertPlan
    models: tuple[SwapModel, ...]
    grid: Grid
    detector: Detector
    encoder: IdentityEncoder | None
    people: People
    on_progress: OnProgress


@dataclass(frozen=True, slots=True, eq=False)
class _Shown:
    """A frame in every variant."""

    frame: int
    rendered: list[Rendered]
    casting: Casting

    @property
    def row(self) -> PreviewFrame:
        tracks = dict.fromkeys(layer.track for layer in self.rendered[0].layers)
        faces = tuple({"track": track, "to": self.casting.roles[track].identity} for track in tracks)
        return PreviewFrame(self.frame, faces)


def preview_clip(
    input_path: Path | str,
    model: SwapModel | Path | str | Sequence[SwapModel | Path | str],
    output: Path | str | None = None,
    *,
    wish: PreviewWish,
    to: str | None = None,
    config: ConvertConfig | None = None,
    overwrite: bool = False,
    device: str = "auto",
    detector: Detector | None = None,
    encoder: IdentityEncoder | None = None,
    provenance: ProvenanceWish | None = None,
    safeguard: ExplicitDetector | None = None,
    on_progress: OnProgress = ignore_progress,
) -> PreviewReport:
    """Render single frames of a clip into a marked PNG picture.

    Where the clip's face index is kept (beside the clip or the output), the pixels are those of `convert` before it marks and
    encodes. Otherwise only a stretch around each frame is analysed, which nearly gives the same.

    Args:
        output: a .png file; None = <input>_preview.png. Earlier previews are replaced, other files only with `overwrite`.
        model, to, config, detector, encoder, provenance, safeguard: as for `convert_clip`.

    Raises:
        UsageError, UnsupportedInputError, NoFaceError, CheckpointError, ResourceError, ConsentError: as for
            `convert_clip`.
    """
    start = time.perf_counter()
    source = Path(input_path)
    target = Path(output) if output is not None else source.with_name(f"{source.stem}_preview.png")
    if not wish.frames or not wish.show:
        raise UsageError(f"nothing to preview; name at least one moment with {_OPTION} and one picture with --show")
    moments = [Moment.parse(text, _OPTION) for text in wish.frames]
    grid = grid_of(config or ConvertConfig(), wish.grid)
    require_writable(target, overwrite)
    models = loaded_models(model, device)
    detector = detector or make_detector(device=device)
    configs = [each.config for each in grid.variants]
    plan = plan_preview(source, models, target, to, configs, detector, on_progress, provenance)
    people = people_of(plan.wish, detector, encoder)
    job = _Job(plan, models, grid, detector, encoder, people, on_progress)
    index = known_index(plan, detector)
    with shared_cpu(models[0].compute):
        shown, notes = _of_index(job, index, moments, wish.is_quick) if index else _of_parts(job, moments)
    notes += _without_faces(shown, index)
    require_decent({each.frame: each.rendered[0].source for each in shown}, plan.info.upright_from_stored, safeguard)
    return PreviewReport(
        input=source,
        output=target,
        model_sha256=plan.mark.model_sha256,
        frames=tuple(each.row for each in shown),
        variants=tuple(each.title for each in grid.variants),
        size=_written(target, job, wish, shown),
        has_reused_index=index is not None,
        is_exact=index is not None and not wish.is_quick,
        seconds=round(time.perf_counter() - start, 3),
        notes=(*plan.info.notes, *dict.fromkeys(notes)),
    )


def _written(target: Path, job: _Job, wish: PreviewWish, shown: Sequence[_Shown]) -> tuple[int, int]:
    """Write the marked picture; return its (h, w)."""
    info = job.plan.info
    view: View = wish.view or ("face" if wish.grid else "frame")
    frames = {f"frame {each.frame}": each.rendered for each in shown}
    sheet = sheet_of(SheetPlan(job.grid, wish.show, view, info), frames)
    data = png_bytes(sheet, texts_of(job.plan.mark), info.tags)
    shown_faces = dict.fromkeys(face["to"] for each in shown for face in each.row.faces)
    with disk_errors_named(target):
        write_signed(target, data, job.plan, list(shown_faces))
    return sheet.shape[0], sheet.shape[1]


def _of_index(job: _Job, index: FaceIndex, moments: Sequence[Moment], is_quick: bool) -> tuple[list[_Shown], list[str]]:
    """Return frames of a clip whose index is kept."""
    clock = ClipClock.of(index.frames)
    numbers = [clock.frame_at(moment, _OPTION) for moment in moments]
    for number, moment in zip(numbers, moments, strict=True):
        if number == index.num_frames:
            raise UsageError(
                f"{_OPTION} {moment.text!r} is the end of the clip, behind its last frame; {clock.describe()}"
            )
    numbers = list(dict.fromkeys(numbers))
    wanted: dict[Segment, list[int]] = {}
    for number in sorted(numbers):
        segment = _alone(number) if is_quick else _segment_of(job, index, number)
        wanted.setdefault(segment, []).append(number)
    reader = VideoReader(job.plan.picture, job.plan.picture_stream)
    rendered, casting = _rendered(job, index, wanted, reader)
    return [_Shown(number, rendered[number], casting) for number in numbers], list(casting.notes)


def _alone(number: int) -> Segment:
    """Return a segment of one frame: what is rendered before it is `WARM_UP` frames, as before every segment."""
    return Segment(-1, number, number + 1)


def _segment_of(job: _Job, index: FaceIndex, number: int) -> Segment:
    """Return the frames from which a frame can be rendered as a conversion does, in its batches."""
    segments = plan_segments([(*wanted_frames(job.plan, index), False)], index.shots)
    segment = next((each for each in segments if each.start <= number < each.stop), None)
    if segment is None:  # outside what --trim keeps: nothing is swapped there
        return _alone(number)
    if any(each.remembers for variant in job.grid.variants for each in variant.config.of_faces):
        return segment
    batch = job.plan.config.batch
    start = number - (number - segment.start) % batch
    return Segment(segment.number, start, min(start + batch, segment.stop))


def _of_parts(job: _Job, moments: Sequence[Moment]) -> tuple[list[_Shown], list[str]]:
    """Return frames of a clip without an index: a stretch around each is analysed."""
    for variant in job.grid.variants:
        require_whole_index(variant.config, job.plan)
    reader = VideoReader(job.plan.picture, job.plan.picture_stream)
    shown = []
    notes = [
        f"no face index of the clip is kept: up to {WARM_UP} frames before each moment and some after it were analysed; "
        "a conversion may differ a little in colours and masks, and in who is largest in a shot; "
        "`faceswap shots INPUT` makes the index"
    ]
    for moment in moments:
        around = part_around(reader, moment, _OPTION, job.detector, job.plan.config.min_face_px, job.on_progress)
        if moment.unit == "frame" and not around.is_steady:
            notes.append(
                f"{_OPTION} {moment.text} was counted by the clip's average rate, which its frames do not keep; "
                "name a time instead, or make the index"
            )
        wanted = {_alone(around.frame): [around.frame]}
        if around.index.faces:
            rendered, casting = _rendered(job, around.index, wanted, around.part)
            shown.append(_Shown(around.number, rendered[around.frame], casting))
            notes += casting.notes
        else:
            frame = next(around.part.frames_from(around.frame, around.index.frames))
            same = [Rendered(frame, frame) for _ in job.grid.variants]
            shown.append(_Shown(around.number, same, Casting({}, {})))
    return shown, notes


def _rendered(
    job: _Job, index: FaceIndex, wanted: dict[Segment, list[int]], reader: VideoReader | ClipPart
) -> tuple[dict[int, list[Rendered]], Casting]:
    """Return the wanted frames in every variant, and who becomes whom in them."""
    plan, config = job.plan, job.plan.config
    desk = CastingDesk(
        reader, index, job.models, config.choice, job.encoder, job.people, config.min_cosine, job.on_progress
    )
    casting = desk.cast(plan.wish)
    settings = [SettingsFor.of(variant.config, index) for variant in job.grid.variants]
    painted = painted_masks(plan, index, casting, settings[0]).masks
    chosen, _ = chosen_faces(index, casting, config.choice)
    num_faces = sum(map(len, chosen.values()))
    settle_runners(job.models, config.runner, config.batch, num_faces, facts_in(plan.work_path))
    for each in settings:
        each.require_regions(chosen)
    jobs = [
        RenderJob(
            replace(plan, config=variant.config), job.models, casting, painted, each, plan.work_path, is_spliced=False
        )
        for variant, each in zip(job.grid.variants, settings, strict=True)
    ]
    times = StageTimes()
    jobs = [replace(each, looks=look_at_shots(each, index, times, job.on_progress, reader)) for each in jobs]
    return render_frames(jobs, index, wanted, times, job.on_progress, reader), casting


def _without_faces(shown: Sequence[_Shown], index: FaceIndex | None) -> list[str]:
    """Return what is to be said of frames in which nothing is swapped.

    Raises:
        NoFaceError: those are all.
    """
    empty = [each.frame for each in shown if not each.rendered[0].layers]
    near = "; `faceswap index show` lists who is seen when" if index is not None else "; try another moment"
    if len(empty) == len(shown):
        raise NoFaceError(f"there is no face to swap in frame {', '.join(map(str, empty))}{near}")
    return [f"there is no face to swap in frame {frame}{near}" for frame in empty]
