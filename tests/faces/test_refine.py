"""The second look at a face: points come back to where they are in the frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from makers import face_at, noise_frame
from numpy.typing import NDArray

from faceswap import geometry
from faceswap.faces.base import Detection
from faceswap.faces.refine import Refiner
from faceswap.faces.viewer import Viewer
from faceswap.schemes import FIVE
from faceswap.types import CropSpec, Frame

SPOT = (101.5, 62.5)
"""Middle of the bright square, px of the frame."""


class SpotFinder:
    """Stands in for a landmarker: all its points lie on the middle of what is bright."""

    name, size, scheme = "spot-1", 128, FIVE
    patch_from_canonical = geometry.patch_from_canonical(CropSpec(128, "whole_face"))

    def landmarks(self, patches: NDArray[np.uint8]) -> list[tuple[NDArray[np.float64], float]]:
        y, x = np.indices((self.size, self.size)) + 0.5
        lights = np.clip(patches[..., 1].astype(np.float64) - 100, 0, None)
        return [
            (np.tile([(x * light).sum(), (y * light).sum()], (5, 1)) / light.sum(), 0.5 + 0.1 * (i == 0))
            for i, light in enumerate(lights)
        ]


def dark_frame_with_spot() -> Frame:
    frame = noise_frame("yuv444p", (128, 192))
    luma, *chroma = (np.full_like(plane, value) for plane, value in zip(frame.planes, (16, 128, 128), strict=True))
    luma[60:65, 99:104] = 235
    return replace(frame, planes=(luma, *chroma))


@pytest.mark.parametrize("repeats", [1, 5])
@pytest.mark.parametrize("angle", [0.0, 0.5, np.pi])
def test_points_are_where_they_are_in_the_frame(repeats: int, angle: float) -> None:
    face = face_at(96, 60, 24, angle=angle)
    refiner = Refiner(SpotFinder(), Viewer(), repeats)
    ((found,),) = refiner.refined([dark_frame_with_spot()], [[Detection(face.box, 0.9, face.landmarks)]])
    np.testing.assert_allclose(found.landmarks, np.tile(SPOT, (5, 1)), atol=0.1)
    np.testing.assert_array_equal(found.box, face.box)


def test_a_network_that_is_unsure_lowers_the_score() -> None:
    face = face_at(96, 60, 24)
    ((found,),) = Refiner(SpotFinder(), Viewer(), 2).refined(
        [dark_frame_with_spot()], [[Detection(face.box, 0.8, face.landmarks)]]
    )
    assert found.score == pytest.approx(0.8 * 0.55)
