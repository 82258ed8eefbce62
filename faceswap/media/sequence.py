"""A clip as a folder of pictures: where they go and what they hold. `sequence_files` writes and publishes them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from faceswap.errors import UsageError
from faceswap.media.containers import MUXERS
from faceswap.media.encode_plan import EncodePlan
from faceswap.media.h273 import FULL_RANGE, IDENTITY
from faceswap.media.layouts import layout_of
from faceswap.media.picture_texts import SUFFIXES
from faceswap.media.probe import ClipInfo
from faceswap.types import ColorInfo

KINDS = {"png": ".png", "tiff": ".tif", "exr": ".exr"}
"""`--codec` name -> suffix."""
PICTURES = "pictures"
_NUMBER = re.compile(r"%(?:0(\d+))?d")


@dataclass(frozen=True, slots=True)
class SequenceTarget:
    """Where the pictures of a clip go."""

    folder: Path
    pattern: str
    """File name with one printf number, e.g. "shot_%06d.png"."""
    kind: str
    """ "png", "tiff" or "exr"."""

    @property
    def table_name(self) -> str:
        """Name of the JSON file beside the pictures."""
        stem = _NUMBER.sub("", Path(self.pattern).stem).strip("_-. ")
        return f"{stem}_frames.json" if stem else "frames.json"

    @property
    def sidecar_name(self) -> str:
        """Name of the file with the table's signature."""
        return str(Path(self.table_name).with_suffix(".c2pa"))

    @property
    def name_parts(self) -> tuple[str, int, str]:
        """What stands before the number, how many digits it is filled up to with zeros (0 = not at all), what follows."""
        number = _NUMBER.search(self.pattern)
        assert number is not None, "sequence_target has checked it"
        return self.pattern[: number.start()], int(number.group(1) or 0), self.pattern[number.end() :]

    def taken_names(self) -> list[str]:
        """Return the names in the folder that pictures of this sequence could have."""
        before, num_digits, after = self.name_parts
        ours = re.compile(f"{re.escape(before)}[0-9]{{{max(num_digits, 1)},}}{re.escape(after)}")
        if not self.folder.is_dir():
            return []
        others = (self.table_name, self.sidecar_name)
        return sorted(p.name for p in self.folder.iterdir() if ours.fullmatch(p.name) or p.name in others)

    def name_of(self, frame: int) -> str:
        """Return the file name of a frame."""
        return self.pattern % frame


def sequence_target(output: Path, codec: str) -> SequenceTarget | None:
    """Return where pictures go, or None when the output is a clip.

    Args:
        output: a folder (with codec "png", "tiff" or "exr") or a pattern such as `name_%06d.png` (with any codec).

    Raises:
        UsageError: a picture file without a number, or a folder that is named like a clip.
    """
    kind = SUFFIXES.get(output.suffix.lower())
    if kind is not None:
        if len(_NUMBER.findall(output.name)) != 1 or output.name.count("%") != 1:
            stem = re.sub(r"%\w*", "", output.stem).strip("_-. ") or "frame"
            raise UsageError(
                f"{output.name!r} must have one place for the frame's number, as in {stem}_%06d{output.suffix}"
            )
        if codec in KINDS and codec != kind:
            raise UsageError(f"{output.name!r} is no {codec.upper()} file; use {KINDS[codec]} or leave --codec out")
        return SequenceTarget(output.parent, output.name, kind)
    if codec not in KINDS:
        return None
    if output.suffix.lower() in MUXERS:
        raise UsageError(
            f"--codec {codec} writes pictures; give -o a folder or a name like {output.stem}_%06d{KINDS[codec]}"
        )
    return SequenceTarget(output, f"%06d{KINDS[codec]}", codec)


def sequence_stem(output: Path) -> str:
    """Return the name that other files of the same conversion are built on; of a clip, its own stem."""
    return _NUMBER.sub("", output.stem).strip("_-. ") or output.parent.name or "clip"


def plan_pictures(info: ClipInfo, target: SequenceTarget) -> EncodePlan:
    """Return what is written into pictures, in the form of an encoder's plan; its muxer is `PICTURES`."""
    bits = 8 if target.kind == "png" and info.color.bit_depth == 8 else 16
    layout, _ = layout_of("gbrp" if bits == 8 else "gbrp16le")
    losses = ["pictures hold no audio, subtitles or chapters"]
    if info.layout.has_alpha:
        losses.append("alpha is dropped")
    if info.light:
        losses.append("pictures have no place for the HDR10 mastering display and light levels")
    color = ColorInfo("rgb", full_range=True, bit_depth=bits)
    tags = replace(info.tags, matrix=IDENTITY, range=FULL_RANGE)
    return EncodePlan(target.kind, layout, color, tags, PICTURES, {}, tuple(losses))
