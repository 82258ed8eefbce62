"""What a conversion did, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from faceswap.convert.figures import ClipFigures


@dataclass(frozen=True, slots=True)
class ConvertReport:
    """Figures and remarks of one conversion."""

    input: Path
    output: Path
    identity: str
    """Whose face appears; several separated by commas."""
    model_sha256: str
    """Several separated by commas, as in the mark."""
    consents: tuple[str, ...]
    """Ids of the records that allow the faces which are shown."""
    watermark: str | None
    """Id in the frames' watermark, ten hexadecimal digits; None = they have none."""
    casting: tuple[Mapping[str, Any], ...]
    """For each track who it becomes and why (docs/formats/events.md)."""
    frames: int
    """Written."""
    faces: int
    """Swapped."""
    frames_copied: int
    """Of these the source's own packets (`copy_untouched`)."""
    frames_resumed: int
    """Of these finished by an earlier run that was stopped."""
    skipped: Mapping[str, int]
    """Faces or frames left as they were, by reason."""
    seconds: float
    """Everything, from loading the model to the final rename."""
    cpu_seconds: float
    """The processor's, all threads and processes together, for the same."""
    fps: float
    ms_per_frame: Mapping[str, float]
    """Busy milliseconds per frame of each stage; stages overlap, so their sum exceeds the wall time."""
    network: tuple[Mapping[str, Any], ...]
    """For each model its `runner`, the `reason` it was taken for, `ms` a face of those that were measured, and
    all that in `words`."""
    settings: Mapping[str, Any]
    """Everything the conversion was told or took as default, by key of `ConvertConfig`."""
    settings_file: Path | None
    """The same as TOML for `--settings`, with what made the conversion; None = it could not be written (`notes`)."""
    checks: Mapping[str, str]
    """What of the finished file was compared with the source, and the outcome."""
    safeguard: str
    """What the content safeguard looked at, or that it is not installed."""
    figures: ClipFigures | None
    """How good the result is, from a few places in it; None = not measured."""
    is_complete: bool
    """False when the input is cut off or damaged, so that frames are missing; the notes say how many."""
    has_reused_index: bool
    delivered: tuple[Path, ...]
    """Every file or folder that was written, the output first."""
    notes: tuple[str, ...]
    """What was taken for granted and what was lost."""

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        values = asdict(self)
        return {
            **values,
            "input": str(self.input),
            "output": str(self.output),
            "settings_file": None if self.settings_file is None else str(self.settings_file),
            "delivered": list(map(str, self.delivered)),
        }
