"""Segmentation networks of two kinds: XSeg's and face parsing's.

XSeg (trained in DeepFaceLab): (B, S, S, 3) BGR [0, 1], usually 256 px of the whole face, to (B, S, S, 1), 1 = face that nothing
covers. Face parsing (BiSeNet's kind, the 19 classes of CelebAMask-HQ, Lee et al. 2020): (B, 3, S, S) RGB with ImageNet's mean
and deviation taken out, usually 512 px, to (B, 19, S, S) class scores.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceswap import geometry
from faceswap.faces.graph import Graph
from faceswap.faces.session import Runner
from faceswap.faces.views import square_view
from faceswap.types import CropSpec

_XSEG_SIZE, _PARSING_SIZE = 256, 512
"""px where the file leaves the size open."""
_NUM_CLASSES = 19
_FACE_CLASSES = (1, 2, 3, 4, 5, 10, 11, 12, 13)
"""Skin, brows, eyes, nose, inside of the mouth, lips. Not: ears and earrings, neck, necklace, cloth, hair, hat."""
_GLASSES = 6
_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], dtype=np.float32)
_SIDE, _BELOW_EYES = 4.16, 0.116
"""The framing of FFHQ and CelebA-HQ, on which these networks are trained (Karras et al. 2019: twice the larger of twice the
eyes' and 1.8 times the eye-mouth distance), for the mean face in inter-ocular distances."""


def is_xseg(graph: Graph) -> bool:
    """True for a file of XSeg's kind."""
    taken, given = graph.inputs[0].shape, graph.outputs[0].shape
    return len(taken) == len(given) == 4 and taken[3] == 3 and given[3] == 1


def is_parsing(graph: Graph) -> bool:
    """True for a face parsing file; some exports give the same scores at more depths after the first."""
    taken, given = graph.inputs[0].shape, graph.outputs[0].shape
    return len(taken) == len(given) == 4 and taken[1] == 3 and given[1] == _NUM_CLASSES


class XSeg:
    """A `Segmenter` that says what of a face nothing covers."""

    def __init__(self, graph: Graph, name: str, *, threads: int, device: str, glasses: bool = True) -> None:
        """Wrap a graph; what counts as face was decided when it was trained, glasses too."""
        self.name = name
        self.size = graph.inputs[0].shape[1] or _XSEG_SIZE
        self.patch_from_canonical = geometry.patch_from_canonical(CropSpec(self.size, "whole_face"))
        self._run = Runner(graph, name, threads, device)
        self._run.check((self.size, self.size, 3))

    def segment(self, patches: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Segmenter.segment`."""
        bgr = patches[..., ::-1].astype(np.float32) / 255
        found = [outputs[0].reshape(self.size, self.size) for outputs in self._run(bgr)]
        return np.clip(np.stack(found), 0, 1).astype(np.float32)


class FaceParser:
    """A `Segmenter` by the part of the head that each pixel shows."""

    def __init__(self, graph: Graph, name: str, *, threads: int, device: str, glasses: bool = True) -> None:
        """Wrap a graph.

        Args:
            glasses: they count as part of the face.
        """
        self.name = name if glasses else f"{name}-no-glasses"
        self._classes = [*_FACE_CLASSES, _GLASSES] if glasses else list(_FACE_CLASSES)
        self.size = graph.inputs[0].shape[2] or _PARSING_SIZE
        self.patch_from_canonical = square_view(self.size, _SIDE, _BELOW_EYES)
        self._run = Runner(graph, name, threads, device)
        self._run.check((3, self.size, self.size))

    def segment(self, patches: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Segmenter.segment`."""
        rgb = (patches.astype(np.float32) / 255 - _MEAN) / _DEVIATION
        return np.stack([self._share(outputs[0]) for outputs in self._run(rgb.transpose(0, 3, 1, 2))])

    def _share(self, scores: NDArray) -> NDArray[np.float32]:
        """Return (S, S): the chances of all classes of the face together. The winner alone would have hard edges."""
        scores = scores.reshape(_NUM_CLASSES, self.size, self.size).astype(np.float32)
        chances = np.exp(scores - scores.max(axis=0))
        return chances[self._classes].sum(axis=0) / chances.sum(axis=0)
