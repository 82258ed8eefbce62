"""What a conversion will do, settled and checked before any work starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from faceswap.convert.config import CASTING_SETTINGS, DEFAULT_CODEC, ConvertConfig
from faceswap.convert.plan_checks import check_mark, check_masks, check_packages, check_places, check_words
from faceswap.convert.smart import matching_encoder
from faceswap.convert.wish import Wish, wish_of
from faceswap.convert.work import outputs_under_way
from faceswap.errors import UsageError
from faceswap.faces.cache import INDEX_FOLDER, index_path, load_index, replaced_notes
from faceswap.faces.registry import DEFAULT_DETECTOR
from faceswap.files import file_state, fingerprint, short_name
from faceswap.interrupt import StopRequest
from faceswap.media.encode_plan import EncodePlan, default_output, plan_encode
from faceswap.media.ffmpeg_filter import filtered_clip
from faceswap.media.hardware import why_not_on_gpu
from faceswap.media.probe import ClipInfo
from faceswap.media.reader import VideoReader
from faceswap.media.sequence import KINDS, plan_pictures, sequence_target
from faceswap.models.runners import AUTO, checked_runner
from faceswap.models.swap_model import SwapModel
from faceswap.progress import OnProgress
from faceswap.provenance.consent import ConsentRecord
from faceswap.provenance.consent_rules import ConsentDesk, require_reason
from faceswap.provenance.label import Label
from faceswap.provenance.mark import Mark
from faceswap.provenance.mark_id import MarkId, id_of_text, id_text, mark_id
from faceswap.provenance.registry import Registry
from faceswap.provenance.signer import installation_signer, signer_of
from faceswap.provenance.wish import ProvenanceWish
from faceswap.types import FieldOrder


@dataclass(frozen=True, slots=True)
class ConvertPlan:
    """What a conversion will do, settled before any work."""

    input: Path
    picture: Path
    """Where frames come from: the input, or what a filter made of its picture."""
    output: Path
    info: ClipInfo
    encode: EncodePlan
    config: ConvertConfig
    wish: Wish
    """Whom to swap, and what they become."""
    fingerprint: str
    """Of the file that the frames come from."""
    input_state: tuple[int, int, int]
    """Inode, size and time of change (ns) of the input when it was looked at."""
    work_path: Path
    """Folder of the job while it runs."""
    under_way: frozenset[Path]
    """Outputs that an earlier run was giving their names when it was killed: they may be replaced."""
    index_path: Path
    has_index: bool
    mark: Mark
    provenance: ProvenanceWish
    consents: tuple[ConsentRecord, ...]
    """That allow the faces which are shown."""
    on_gpu: bool
    """The clip is decoded on the GPU."""
    notes: tuple[str, ...]

    def with_id(self, number: str) -> ConvertPlan:
        """Return the plan with the mark of one conversion."""
        return replace(self, mark=replace(self.mark, id=number))

    @property
    def watermark_id(self) -> MarkId | None:
        """The id that swapped frames are to carry; None = a record and a reason allow that they carry none."""
        return None if self.provenance.no_watermark else id_of_text(self.mark.id)

    @property
    def picture_stream(self) -> int | None:
        """Which video stream of `picture` is read; None = FFmpeg's best."""
        return self.config.video_stream if self.picture == self.input else None

    @property
    def field_order(self) -> FieldOrder | None:
        """First field of frames whose fields are swapped one by one; None = frames are swapped as a whole."""
        return None if self.config.interlaced == "progressive" else self.info.field_order


def plan_convert(
    input_path: Path | str,
    models: SwapModel | Sequence[SwapModel],
    output: Path | str | None = None,
    *,
    to: str | None = None,
    config: ConvertConfig | None = None,
    overwrite: bool = False,
    detector: str = DEFAULT_DETECTOR,
    provenance: ProvenanceWish | None = None,
) -> ConvertPlan:
    """Check everything that can be checked before work starts.

    Args:
        to, provenance: as for `convert_clip`.

    Raises:
        UsageError: bad names or settings, or an output that exists. UnsupportedInputError: an input that cannot be used.
        ConsentError: no record allows a face that would be shown.
    """
    config = config or ConvertConfig()
    check_words(config)
    source = Path(input_path)
    models = [models] if isinstance(models, SwapModel) else models
    if config.runner != AUTO:
        for model in models:
            if model.has_runners:
                checked_runner(config.runner, model.compute)
    wish = wish_of(config, [model.identities for model in models], to)
    info = _with_field_order(VideoReader(source, config.video_stream).info, config.interlaced)
    if config.ffmpeg_filter is not None:
        info = replace(info, field_order=None)  # the filter may be a deinterlacer: only its result tells
    config = config.model_copy(update={"codec": _codec(info, config)})
    target = Path(output) if output is not None else _default_output(source, config.encoder)
    work_path = target.parent / INDEX_FOLDER / f"{short_name(target.name)}.work"
    under_way = outputs_under_way(work_path)
    pictures = sequence_target(target, config.encoder)
    check_places(source, target, pictures, config, under_way, overwrite=overwrite)
    encode = _plan_pictures_or_clip(info, target, config)
    check_packages(encode, config)
    check_masks(config, info)
    if config.label_wish is not None:
        Label(config.label_wish, info)  # refused now if it cannot be drawn
    provenance = provenance or ProvenanceWish()
    consents = _consents(wish, models, provenance)
    not_on_gpu = why_not_on_gpu(info) if config.decode == "gpu" else None
    if provenance.reason is not None and not provenance.no_watermark:
        raise UsageError("--reason says why there is no watermark; give it with --no-watermark, or leave it out")
    if provenance.no_watermark:
        require_reason(consents, provenance.reason)
    Registry.of_user().check()
    digest = fingerprint(source)
    place = index_path(source, target, digest, info.video_stream)
    has_index = load_index(place, digest, detector, config.min_face_px) is not None
    return ConvertPlan(
        input=source,
        picture=source,
        output=target,
        info=info,
        encode=encode,
        config=config,
        wish=wish,
        fingerprint=digest,
        input_state=file_state(source),
        work_path=work_path,
        under_way=under_way,
        index_path=place,
        has_index=has_index,
        mark=_mark(digest, models, consents, config, provenance),
        provenance=provenance,
        consents=consents,
        on_gpu=config.decode == "gpu" and not_on_gpu is None,
        notes=(
            *info.notes,
            *([not_on_gpu] if not_on_gpu else []),
            *encode.losses,
            *(() if has_index else replaced_notes(place, digest)),
        ),
    )


def _consents(wish: Wish, models: Sequence[SwapModel], provenance: ProvenanceWish) -> tuple[ConsentRecord, ...]:
    """Return the records that allow each face which may be shown; all of them must."""
    desk = ConsentDesk.open(provenance.consent)
    found = {}
    for role in wish.shown([model.identities for model in models]):
        for record in desk.records_for(role.identity, models[role.model].consents.get(role.identity, ())):
            found[record.record_id] = record
    return tuple(found.values())


def _mark(
    source: str,
    models: Sequence[SwapModel],
    consents: Sequence[ConsentRecord],
    config: ConvertConfig,
    provenance: ProvenanceWish,
) -> Mark:
    """Return the mark, with an id that is the same whenever the same is repeated here; `with_id` makes it the conversion's.

    Raises:
        UsageError, ProvenanceError: nobody can sign (asked now, since signing comes last).
    """
    signer_of(provenance)
    hashes = [model.manifest_sha256 for model in models]
    records = [record.sha256 for record in consents]
    how = config.model_dump_json(exclude={"figures", *CASTING_SETTINGS})
    facts = [source, *hashes, *records, how, *(["no watermark"] if provenance.no_watermark else [])]
    return Mark.of_models(hashes, records, id_text(mark_id(installation_signer().secret, facts)))


def with_filter(plan: ConvertPlan, detector: str, on_progress: OnProgress, stop: StopRequest) -> ConvertPlan:
    """Run the picture through the user's filter, if there is one, and plan on with the result.

    Raises:
        UsageError: the filter fails or moves frames. InterruptedRunError: stopped meanwhile.
    """
    config, graph = plan.config, plan.config.ffmpeg_filter
    if graph is None:
        return plan
    picture = filtered_clip(
        plan.input, graph, plan.index_path.parent, video_stream=config.video_stream, on_progress=on_progress, stop=stop
    )
    # The number stays the source's: it says which of its streams is not copied.
    info = replace(VideoReader(picture).info, video_stream=plan.info.video_stream)
    info = _with_field_order(info, config.interlaced)
    encode = _plan_pictures_or_clip(info, plan.output, config)
    digest = fingerprint(picture)
    place = index_path(plan.input, plan.output, digest, 0)
    return replace(
        plan,
        picture=picture,
        info=info,
        encode=encode,
        fingerprint=digest,
        index_path=place,
        has_index=load_index(place, digest, detector, config.min_face_px) is not None,
        on_gpu=False,  # what the filter made may be of another kind
        notes=(f"the picture went through FFmpeg's filter {graph!r} first", *info.notes, *encode.losses),
    )


def _codec(info: ClipInfo, config: ConvertConfig) -> str:
    """Return the encoder to use: the one asked for, or the one that fits."""
    fitting = matching_encoder(info) if config.copy_untouched and config.ffmpeg_filter is None else None
    return config.codec or fitting or DEFAULT_CODEC


def _plan_pictures_or_clip(info: ClipInfo, target: Path, config: ConvertConfig) -> EncodePlan:
    pictures = sequence_target(target, config.encoder)
    if pictures is not None:
        return plan_pictures(info, pictures)
    encode = plan_encode(info, target, config.encode)
    check_mark(encode)
    return encode


def _with_field_order(info: ClipInfo, said: str) -> ClipInfo:
    """Return the facts of a clip with what the user said about its fields."""
    if said in ("tff", "bff"):
        return replace(info, field_order=cast(FieldOrder, said))
    if info.field_order is None or said == "progressive":
        return info
    first = "upper" if info.field_order == "tff" else "lower"
    note = f"the clip is interlaced, {first} field first: its fields are swapped one by one"
    return replace(info, notes=(*info.notes, note))


def _default_output(source: Path, codec: str) -> Path:
    is_pictures = codec in KINDS
    return source.with_name(f"{source.stem}_swapped") if is_pictures else default_output(source, "_swapped", codec)
