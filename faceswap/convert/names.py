"""How the files of one conversion are called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from faceswap.media.sequence import sequence_stem

TIMELINE_SUFFIXES = (".edl", ".xml", ".fcpxml")
"""Of what is written beside the .otio file where adapters for it are installed."""


def product_path(name: str, clip_output: Path) -> Path:
    """Return the path of a product beside the clip: `<stem>_overlay.mov` and so on, `<stem>.otio` for the timeline."""
    if name == "clip":
        return clip_output
    stem = sequence_stem(clip_output)
    return clip_output.with_name(f"{stem}.otio" if name == "otio" else f"{stem}_{name}.mov")


def product_paths(clip_output: Path, names: Sequence[str]) -> list[Path]:
    """Return every path that a conversion may write, by the names of what it delivers."""
    paths = [product_path(name, clip_output) for name in names]
    timelines = [path for path in paths if path.suffix == ".otio"]
    return paths + [path.with_suffix(suffix) for path in timelines for suffix in TIMELINE_SUFFIXES]
