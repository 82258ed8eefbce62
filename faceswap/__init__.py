"""faceswap: re-face or de-age an actor in real footage.

The public names below are the library; everything is loaded on first use, so `import faceswap` does no work.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from faceswap.convert.config import ConvertConfig
    from faceswap.convert.pipeline import convert_clip
    from faceswap.convert.report import ConvertReport
    from faceswap.errors import FaceswapError
    from faceswap.faces.index import FaceIndex
    from faceswap.facesets.build import extract_faces
    from faceswap.facesets.store import FaceSet
    from faceswap.models.swap_model import SwapModel
    from faceswap.provenance.verify import verify_clip
    from faceswap.recipes import load_recipe
    from faceswap.train.loop import train_model

_HOME_OF = {
    "ConvertConfig": "faceswap.convert.config",
    "ConvertReport": "faceswap.convert.report",
    "FaceIndex": "faceswap.faces.index",
    "FaceSet": "faceswap.facesets.store",
    "FaceswapError": "faceswap.errors",
    "SwapModel": "faceswap.models.swap_model",
    "convert_clip": "faceswap.convert.pipeline",
    "extract_faces": "faceswap.facesets.build",
    "load_recipe": "faceswap.recipes",
    "train_model": "faceswap.train.loop",
    "verify_clip": "faceswap.provenance.verify",
}

__all__ = [
    "ConvertConfig",
    "ConvertReport",
    "FaceIndex",
    "FaceSet",
    "FaceswapError",
    "SwapModel",
    "__version__",
    "convert_clip",
    "extract_faces",
    "load_recipe",
    "train_model",
    "verify_clip",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'faceswap' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)
