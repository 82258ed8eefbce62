from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from makers import noise_frame

from faceswap.media.digest import frame_digest


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le"])
def test_digest_tells_one_changed_sample(pix_fmt: str) -> None:
    frame = noise_frame(pix_fmt)
    for i in range(3):
        planes = [plane.copy() for plane in frame.planes]
        planes[i][-1, -1] += 1
        assert frame_digest(replace(frame, planes=tuple(planes))) != frame_digest(frame)


def test_padding_at_line_ends_does_not_count() -> None:
    frame = noise_frame()
    padded = tuple(np.pad(plane, ((0, 0), (0, 13)), constant_values=7)[:, :-13] for plane in frame.planes)
    assert frame_digest(replace(frame, planes=padded)) == frame_digest(frame)
