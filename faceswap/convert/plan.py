"""What a conversion will do, settled and checked before any work starts."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from faceswap.convert.config import ConvertConfig
from faceswap.errors import ProvenanceError, UsageError
from faceswap.faces.cache import index_path, load_index
from faceswap.faces.registry import DEFAULT_DETECTOR
from faceswap.files import fingerprint
from faceswap.interrupt import StopRequest
from faceswap.media.encode_plan import EncodePlan, default_output, plan_encode
from faceswap.media.ffmpeg_filter import filtered_clip
from faceswap.media.probe import ClipInfo
from faceswap.media.reader import VideoReader
from faceswap.models.swap_model import SwapModel
from faceswap.progress import OnProgress
from faceswap.provenance.mark import Mark


@dataclass(frozen=True, slots=True)
class ConvertPlan:
    """What a conversion will do, settled before any work."""

    input: Path
    picture: Path
    """The clip whose frames are read: the input, or what a filter made of it. All other streams come from the input."""
    output: Path
    info: ClipInfo
    encode: EncodePlan
    identity: str
    fingerprint: str
    """Of the picture."""
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
    detector: str = DEFAULT_DETECTOR,
) -> ConvertPlan:
    """Check everything that can be checked before work starts.

    Raises:
        UsageError: bad names or settings, or an output that exists. UnsupportedInputError: an input that cannot be used.
    """
    config = config or ConvertConfig()
    _check_choice(config)
    source = Path(input_path)
    identity = to if to is not None else model.identities[0]
    model.index_of(identity)
    info = VideoReader(source).info
    target = Path(output) if output is not None else default_output(source, "_swapped")
    _check_output(source, target, overwrite)
    encode = plan_encode(info, target, config.encode)
    _check_mark(encode)
    digest = fingerprint(source)
    place = index_path(source, target, digest)
    return ConvertPlan(
        input=source,
        picture=source,
        output=target,
        info=info,
        encode=encode,
        identity=identity,
        fingerprint=digest,
        index_path=place,
        has_index=load_index(place, digest, detector, config.min_face_px) is not None,
        mark=Mark(model_sha256=model.manifest_sha256),
        notes=(*info.notes, *encode.losses),
    )


def with_filter(
    plan: ConvertPlan, config: ConvertConfig, detector: str, on_progress: OnProgress, stop: StopRequest
) -> ConvertPlan:
    """Run the picture through the user's filter, if there is one, and plan on with the result.

    Raises:
        UsageError: the filter fails or moves frames. InterruptedRunError: stopped meanwhile.
    """
    graph = config.ffmpeg_filter
    if graph is None:
        return plan
    folder = plan.index_path.parent
    picture = filtered_clip(plan.input, graph, folder, on_progress=on_progress, stop=stop)
    info = VideoReader(picture).info
    encode = plan_encode(info, plan.output, config.encode)
    digest = fingerprint(picture)
    place = index_path(plan.input, plan.output, digest)
    return replace(
        plan,
        picture=picture,
        info=info,
        encode=encode,
        fingerprint=digest,
        index_path=place,
        has_index=load_index(place, digest, detector, config.min_face_px) is not None,
        notes=(f"the picture went through FFmpeg's filter {graph!r} first", *info.notes, *encode.losses),
    )


def _check_choice(config: ConvertConfig) -> None:
    """Refuse words that are not understood before any work."""
    if config.choice.is_everything and config.trim:
        raise UsageError("--trim keeps the chosen frames only; choose some with --shots, --start or --end")


def _check_mark(encode: EncodePlan) -> None:
    if encode.muxer == "mpegts" and not encode.codec.startswith(("libx26", "h264", "hevc")):
        raise ProvenanceError(
            f"neither {encode.muxer} nor {encode.codec} could carry the mark that the clip is AI-modified; "
            "use .mp4, .mov or .mkv, or H.264/H.265"
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
