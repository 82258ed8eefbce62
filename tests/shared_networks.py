"""Real network files beside the checkout, for the contracts; none of them is part of the project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "models"

_NAMES = {
    "detector": ("yunet", "retinaface", "ultraface", "det_", "scrfd"),
    "landmarker": ("facemesh", "lm", "2d106"),
    "encoder": ("w600k", "glint", "arcface", "face_recognition_sface"),
}
"""How the names of files for a role begin, or what follows "openseeface_"."""


def shared_networks(role: str) -> list[Any]:
    """Return parameters with the paths of a role's files; one that is skipped with the reason when there are none."""
    found = [
        path
        for path in sorted(FOLDER.glob("*.onnx"))
        if path.name.removeprefix("openseeface_").startswith(_NAMES[role])
    ]
    if not found:
        reason = f"no file of a {role} lies beside the checkout"
        return [pytest.param("", id=f"shared {role}", marks=[pytest.mark.shared, pytest.mark.skip(reason=reason)])]
    return [pytest.param(str(path), id=path.stem, marks=pytest.mark.shared) for path in found]
