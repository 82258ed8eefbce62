"""Tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal


def table(heads: Sequence[str], rows: Sequence[Sequence[object]], *, align: Literal["left", "right"] = "right") -> str:
    """Return rows under their heads."""
    sign = "<" if align == "left" else ">"
    lines = [list(heads), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    padded = ((f"{cell:{sign}{width}}" for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join("  ".join(line).rstrip() for line in padded)
