"""Giving a face to models that hold none: files of inswapper's kind take the source's face from a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from faceswap.errors import UsageError
from faceswap.faces.base import Detector, IdentityEncoder
from faceswap.faces.identity import reference_vectors
from faceswap.models.onnx_model import OnnxModel
from faceswap.models.swap_model import SwapModel


def with_sources(
    models: Sequence[SwapModel], pictures: Sequence[Path], detector: Detector, encoder: IdentityEncoder | None
) -> list[SwapModel]:
    """Return the models, those that want a source with the face of the pictures; the first picture names the identity.

    Args:
        pictures: of one person; several are averaged.

    Raises:
        UsageError: a model wants a source and there is no picture or no encoder, or pictures that no model wants.
        NoFaceError: a picture shows nobody.
    """
    wanting = [model for model in models if isinstance(model, OnnxModel) and model.wants_source]
    if not wanting:
        if pictures:
            raise UsageError(f"{pictures[0]}: no model of this conversion takes a source picture; leave --source out")
        return list(models)
    if not pictures or encoder is None:
        raise UsageError(
            f"{wanting[0]!r} takes the source's face from a picture: give --source PICTURE and, with --id-encoder, the "
            "network it was trained with (w600k_r50 for inswapper_128)"
        )
    name = pictures[0].stem
    vector = reference_vectors({name: pictures}, detector, encoder)[name]
    return [
        model.with_source(name, vector) if isinstance(model, OnnxModel) and model.wants_source else model
        for model in models
    ]
