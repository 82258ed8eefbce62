"""What a conversion will do, settled and checked before any work starts."""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from faceswap.convert.config import ConvertConfig
from faceswap.convert.names import product_paths
from faceswap.convert.timeline import open_otio
from faceswap.errors import ProvenanceError, UnsupportedInputError, UsageError
from faceswap.faces.index import FaceIndex
from faceswap.faces.registry import DEFAULT_DETECTOR
from faceswap.files import fingerprint
from faceswap.media.encode_plan import EncodePlan, default_output, plan_encode
from faceswap.media.picture_files import open_exr_package
from faceswap.media.probe import ClipInfo
from faceswap.media.reader import VideoReader
from faceswap.media.sequence import KINDS, SequenceTarget, plan_pictures, sequence_target
from faceswap.models.swap_model import SwapModel
from faceswap.provenance.mark import Mark
from faceswap.types import FieldOrder


@dataclass(frozen=True, slots=True)
class ConvertPlan:
    """What a conversion will do, settled before any work."""

    input: Path
    output: Path
    info: ClipInfo
    encode: EncodePlan
    config: ConvertConfig
    identity: str
    fingerprint: str
    """Of the input."""
    work_path: Path
    """Folder of the job while it runs."""
    index_path: Path
    has_index: bool
    mark: Mark
    notes: tuple[str, ...]

    @property
    def field_order(self) -> FieldOrder | None:
        """First field of frames whose fields are swapped one by one; None = frames are swapped as a whole."""
        return None if self.config.interlaced == "progressive" else self.info.field_order


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
    source = Path(input_path)
    identity = to if to is not None else model.identities[0]
    model.index_of(identity)
    info = _with_field_order(VideoReader(source, config.video_stream).info, config.interlaced)
    target = Path(output) if output is not None else _default_output(source, config.codec)
    pictures = sequence_target(target, config.codec)
    if pictures is not None:
        _check_pictures(pictures, overwrite)
        encode = plan_pictures(info, pictures)
    else:
        _check_output(source, target, overwrite)
        encode = plan_encode(info, target, config.encode)
        _check_mark(encode)
    for path in product_paths(target, config.deliver):
        if path != target:
            _check_output(source, path, overwrite)
    _check_packages(encode, config)
    digest = fingerprint(source)
    index_path = target.parent / ".faceswap" / _index_name(source, digest, info.video_stream)
    return ConvertPlan(
        input=source,
        output=target,
        info=info,
        encode=encode,
        config=config,
        identity=identity,
        fingerprint=digest,
        work_path=target.parent / ".faceswap" / f"{_short(target.name)}.work",
        index_path=index_path,
        has_index=load_index(index_path, digest, config, detector) is not None,
        mark=Mark(model_sha256=model.manifest_sha256),
        notes=(*info.notes, *encode.losses),
    )


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


def _check_pictures(target: SequenceTarget, overwrite: bool) -> None:
    if target.folder.exists() and not target.folder.is_dir():
        raise UsageError(f"{target.folder} is a file, not a folder for pictures; choose another -o")
    if not target.folder.parent.is_dir():
        raise UsageError(f"the folder {target.folder.parent} does not exist; make it or choose another -o")
    taken = target.taken_names()
    if taken and not overwrite:
        raise UsageError(
            f"{target.folder} holds {len(taken)} files such as {taken[0]}; use --overwrite to replace them, or another -o"
        )
    if not os.access(target.folder if target.folder.exists() else target.folder.parent, os.W_OK):
        raise UsageError(f"{target.folder} cannot be written to; choose another -o")


def _short(name: str) -> str:
    """Return a name that leaves room for what is added to it (names have at most 255 bytes), and still is its own."""
    encoded = os.fsencode(name)
    return name if len(encoded) <= 180 else f"{os.fsdecode(encoded[:170])}-{zlib.crc32(encoded):08x}"


def _index_name(source: Path, digest: str, video_stream: int) -> str:
    of_stream = f"-v{video_stream}" if video_stream else ""
    return f"{_short(source.stem)}-{digest[:12]}{of_stream}.faces.db"


def _check_packages(encode: EncodePlan, config: ConvertConfig) -> None:
    """Raise UsageError for an optional package that is needed and missing."""
    if encode.codec == "exr":
        open_exr_package()
    if "otio" in config.deliver:
        open_otio()


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


def load_index(path: Path, digest: str, config: ConvertConfig, detector: str) -> FaceIndex | None:
    """Return the stored index when it is of this clip and these settings."""
    if not path.is_file():
        return None
    try:
        index = FaceIndex.load(path)
    except UnsupportedInputError:
        return None  # an index of another version, or damaged: the clip is analysed anew
    fits = index.fingerprint == digest and index.detector == detector and index.min_face_px == config.min_face_px
    return index if fits and index.every == 1 else None
