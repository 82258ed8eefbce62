"""Segmentation networks in ONNX files that the user has: XSeg's kind and face parsing's, told apart by their graphs.

XSeg (trained in DeepFaceLab): `in_face` (B, S, S, 3) BGR [0, 1], usually 256 px of the whole face, to (B, S, S, 1), 1 = face
that nothing covers. Face parsing (BiSeNet's kind, the 19 classes of CelebAMask-HQ, Lee et al. 2020): (B, 3, S, S) RGB with
ImageNet's mean and deviation taken out, usually 512 px, to (B, 19, S, S) class scores.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceswap import geometry
from faceswap.errors import UnsupportedInputError, UsageError
from faceswap.faces.session import make_session
from faceswap.files import sha256_file
from faceswap.types import CropSpec, Matrix

_XSEG_SIZE, _PARSING_SIZE = 256, 512
"""px where the graph leaves the size open."""
_NUM_CLASSES = 19
_FACE_CLASSES = (1, 2, 3, 4, 5, 10, 11, 12, 13)
"""Skin, brows, eyes, nose, inside of the mouth, lips. Not: ears and earrings, neck, necklace, cloth, hair, hat."""
_GLASSES = 6
_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], dtype=np.float32)
_PARSING_VIEW = (4.16, 0.116)
"""Side and distance of the centre below the eyes, in inter-ocular distances: the framing of FFHQ and CelebA-HQ (Karras et al.
2019: twice the larger of twice the eyes' and 1.8 times the eye-mouth distance), in which these networks were trained."""


class _OnnxSegmenter:
    """What both kinds share: a session that takes one picture at a time or a batch."""

    size: int
    patch_from_canonical: Matrix

    def __init__(self, path: Path, session: Any) -> None:
        self.name = f"{path.name}-{sha256_file(path)[:12]}"
        self._session = session
        self._input = session.get_inputs()[0]
        self._output = session.get_outputs()[0].name

    def _run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        is_single = self._input.shape[0] == 1
        parts = [batch[i : i + 1] for i in range(len(batch))] if is_single else [batch]
        results = [self._session.run([self._output], {self._input.name: part})[0] for part in parts]
        return np.concatenate(results).astype(np.float32)


class XSeg(_OnnxSegmenter):
    """A network that says what of a face nothing covers."""

    def __init__(self, path: Path, session: Any) -> None:
        super().__init__(path, session)
        self.size = _fixed(self._input.shape[1]) or _XSEG_SIZE
        self.patch_from_canonical = geometry.patch_from_canonical(CropSpec(self.size, "whole_face"))

    def segment(self, patches: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Segmenter.segment`."""
        if not len(patches):
            return np.zeros((0, self.size, self.size), dtype=np.float32)
        bgr = np.ascontiguousarray(patches[..., ::-1]).astype(np.float32) / 255
        return np.clip(self._run(bgr)[..., 0], 0, 1)


class FaceParser(_OnnxSegmenter):
    """A network that names the part of the head that each pixel shows."""

    def __init__(self, path: Path, session: Any, *, glasses: bool) -> None:
        super().__init__(path, session)
        self.name += "" if glasses else "-no-glasses"
        self._classes = (*_FACE_CLASSES, _GLASSES) if glasses else _FACE_CLASSES
        self.size = _fixed(self._input.shape[2]) or _PARSING_SIZE
        side, below_eyes = _PARSING_VIEW
        scale, middle = self.size / side, self.size / 2
        self.patch_from_canonical = np.array([[scale, 0, middle], [0, scale, middle - scale * below_eyes]])

    def segment(self, patches: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Segmenter.segment`."""
        if not len(patches):
            return np.zeros((0, self.size, self.size), dtype=np.float32)
        rgb = (patches.astype(np.float32) / 255 - _MEAN) / _DEVIATION
        scores = self._run(np.ascontiguousarray(rgb.transpose(0, 3, 1, 2)))
        # Shares instead of the winner alone: the edges stay soft.
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        return shares[:, list(self._classes)].sum(axis=1) / shares.sum(axis=1)


def open_segmenter(path: Path, *, glasses: bool, threads: int, device: str) -> XSeg | FaceParser:
    """Return the network of an ONNX file; `faces.registry.make_segmenter` has the details."""
    if not path.is_file():
        raise UsageError(f"there is no segmenter {path}; give the path of an .onnx file")
    try:
        session = make_session(path.read_bytes(), threads, device)
    except Exception as error:  # onnxruntime raises many kinds, none of which it exports
        raise UnsupportedInputError(f"{path} cannot be read as an ONNX network; is it complete?") from error
    inputs, outputs = session.get_inputs(), session.get_outputs()
    shapes = [list(value.shape) for value in (inputs[0], outputs[0])]
    if len(inputs) == 1 and all(len(shape) == 4 for shape in shapes):
        (taken, given) = shapes
        if taken[3] == 3 and given[3] == 1:
            return XSeg(path, session)
        if taken[1] == 3 and given[1] == _NUM_CLASSES:
            return FaceParser(path, session, glasses=glasses)
    raise UnsupportedInputError(
        f"{path} takes {shapes[0]} and gives {shapes[1]}; a segmenter takes (B, S, S, 3) and gives (B, S, S, 1) like XSeg, or "
        f"takes (B, 3, S, S) and gives (B, {_NUM_CLASSES}, S, S) like BiSeNet"
    )


def _fixed(length: object) -> int | None:
    """Return a side that the graph fixes; None = it is open."""
    return length if isinstance(length, int) and length > 0 else None
