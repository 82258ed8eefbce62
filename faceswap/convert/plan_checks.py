"""What is checked before a conversion starts: places to write to, optional packages, room for the mark."""

from __future__ import annotations

import os
from collections.abc import Set
from pathlib import Path

from faceswap.convert.config import ConvertConfig
from faceswap.convert.names import product_path, product_paths
from faceswap.convert.overrides import words_of
from faceswap.convert.painted_files import find_painted
from faceswap.convert.timeline import open_otio
from faceswap.errors import ProvenanceError, UsageError
from faceswap.faces.registry import make_restorer, make_segmenter
from faceswap.faces.views import upright_from_frame
from faceswap.media.encode_plan import EncodePlan
from faceswap.media.picture_files import open_exr_package
from faceswap.media.probe import ClipInfo
from faceswap.media.sequence import SequenceTarget
from faceswap.provenance.manifest import format_of, sidecar_of


def check_places(
    source: Path,
    target: Path,
    pictures: SequenceTarget | None,
    config: ConvertConfig,
    replaceable: Set[Path],
    *,
    overwrite: bool,
) -> None:
    """Refuse outputs that exist, are folders, or cannot be written.

    Args:
        target: of the clip, whether it is written or only gives the others their names.
        pictures: set when the clip is written as pictures.
        replaceable: absolute paths that may exist even without `overwrite`.

    Raises:
        UsageError: with the remedy.
    """
    if "clip" not in config.deliver:
        _check_folder(target.parent)
    elif pictures is not None:
        _check_pictures(pictures, overwrite or pictures.folder.absolute() in replaceable)
    else:
        _check_output(source, target, overwrite or target.absolute() in replaceable)
    is_again = bool(replaceable)  # a timeline is written after the outputs whose names are noted
    if "clip" in config.deliver and pictures is None and format_of(target) is None:
        _check_output(source, sidecar_of(target), overwrite or sidecar_of(target).absolute() in replaceable)
    for path in product_paths(target, config.deliver):
        if path != target:
            is_timeline = path.stem == product_path("otio", target).stem
            is_ours = path.absolute() in replaceable or (is_again and is_timeline)
            _check_output(source, path, overwrite or is_ours)


def check_words(config: ConvertConfig) -> None:
    """Refuse settings that contradict each other.

    Raises:
        UsageError: with the remedy.
    """
    for number, override in enumerate(config.override, start=1):
        words_of(override, number)
    if config.choice.is_everything and config.trim:
        raise UsageError("--trim keeps the chosen frames only; choose some with --shots, --start or --end")
    if config.trim and "otio" in config.deliver:
        raise UsageError("a timeline shows the whole clip; leave out --trim or otio in --deliver")


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


def check_packages(encode: EncodePlan, config: ConvertConfig) -> None:
    """Raise UsageError for an optional package that is needed and missing."""
    if encode.codec == "exr":
        open_exr_package()
    if "otio" in config.deliver:
        open_otio()


def check_masks(config: ConvertConfig, info: ClipInfo) -> None:
    """Refuse painted masks, segmenters and restorers that cannot be used, as far as can be told before the clip is analysed.

    Raises:
        UsageError: with the remedy. UnsupportedInputError: a network of no known kind.
    """
    if config.mask is not None:
        files = find_painted(Path(config.mask))
        if config.ffmpeg_filter is None:  # a filter may change the size
            files.require_fit(upright_from_frame(info.size, info.upright_from_stored)[1])
    elif any(each.mask_use == "replace" for each in config.of_faces):
        raise UsageError("--mask-use replace needs painted masks; give them with --mask")
    for file, glasses in {(each.segmenter, each.glasses) for each in config.of_faces if each.segmenter is not None}:
        make_segmenter(file, glasses=glasses, device="cpu")
    for file in {each.restore for each in config.of_faces if each.restore is not None}:
        make_restorer(file, device="cpu")


def check_mark(encode: EncodePlan) -> None:
    if encode.muxer == "mpegts" and not encode.codec.startswith(("libx26", "h264", "hevc")):
        raise ProvenanceError(
            f"neither {encode.muxer} nor {encode.codec} could carry the mark that the clip is AI-modified; "
            "use .mp4, .mov or .mkv, or H.264/H.265"
        )


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise UsageError(f"the folder {folder} does not exist; make it or choose another -o")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"{folder} cannot be written to; choose another -o")


def _check_output(source: Path, target: Path, overwrite: bool) -> None:
    _check_folder(target.parent)
    if target.is_dir():
        raise UsageError(f"{target} is a folder; give the output a file name")
    if target.exists() and target.samefile(source):
        raise UsageError(f"{target} is the input itself; give another -o")
    if target.exists() and not overwrite:
        raise UsageError(f"{target} exists; use --overwrite to replace it, or another -o")
