from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import make_clip

from faceswap.errors import UnsupportedInputError
from faceswap.media.pictures import encode_picture
from faceswap.media.probe import probe


def test_tagged_clip_keeps_its_tags(tmp_path: Path) -> None:
    info = probe(make_clip(tmp_path / "hdr.mp4", pix_fmt="yuv420p10le", color_tags=(9, 16, 9, 1), num_frames=2))
    assert (info.tags.primaries, info.tags.transfer, info.tags.matrix, info.tags.range) == (9, 16, 9, 1)
    assert (info.color.matrix, info.color.full_range, info.color.is_guessed) == ("bt2020", False, False)


@pytest.mark.parametrize(("size", "matrix"), [((480, 640), "bt601"), ((720, 1280), "bt709")])
def test_untagged_clip_is_guessed_by_size_and_says_so(tmp_path: Path, size: tuple[int, int], matrix: str) -> None:
    info = probe(make_clip(tmp_path / "plain.mp4", size=size, num_frames=1))
    assert info.color.matrix == matrix
    assert info.color.is_guessed
    assert any(matrix in note for note in info.notes)


def test_full_range_is_seen(tmp_path: Path) -> None:
    info = probe(make_clip(tmp_path / "full.mp4", pix_fmt="yuvj420p", color_tags=(1, 1, 1, 2), num_frames=1))
    assert info.color.full_range
    assert info.layout.name == "yuv420p"


def test_pixel_aspect_is_seen(tmp_path: Path) -> None:
    info = probe(make_clip(tmp_path / "wide.mp4", pixel_aspect=Fraction(16, 15), num_frames=1))
    assert info.pixel_aspect == Fraction(16, 15)


@pytest.mark.parametrize(
    ("rotation", "turn"), [(90, [[0, 1], [-1, 0]]), (-90, [[0, -1], [1, 0]]), (180, [[-1, 0], [0, -1]])]
)
def test_rotation_is_a_right_angle_turn(tmp_path: Path, rotation: int, turn: list[list[int]]) -> None:
    info = probe(make_clip(tmp_path / "turned.mp4", rotation=rotation, num_frames=1))
    np.testing.assert_array_equal(info.upright_from_stored, turn)


def test_upright_clip_has_no_turn(tmp_path: Path) -> None:
    assert probe(make_clip(tmp_path / "clip.mp4", num_frames=1)).upright_from_stored is None


def test_audio_alone_is_refused(tmp_path: Path) -> None:
    import av

    with av.open(str(tmp_path / "sound.m4a"), "w", format="mp4") as output:
        stream = output.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48000
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    with pytest.raises(UnsupportedInputError, match="no video stream"):
        probe(tmp_path / "sound.m4a")


def test_jpeg_with_exif_data_is_probed(tmp_path: Path) -> None:
    tiff = b"II*\0\x08\0\0\0" + b"\x01\0" + b"\x12\x01\x03\0\x01\0\0\0\x01\0\0\0" + bytes(4)
    exif = b"Exif\0\0" + tiff
    jpeg = encode_picture(".jpg", np.full((48, 64, 3), 90, dtype=np.uint8))
    path = tmp_path / "photo.jpg"
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:])
    assert probe(path).size == (48, 64)
