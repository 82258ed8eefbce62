from __future__ import annotations

import hashlib
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceswap.errors import UnsupportedInputError
from faceswap.media.packets import (
    EncodedPicture,
    PacketFile,
    decode_times,
    read_packet_times,
    read_packets,
    reorder_depth,
)

PICTURES = [
    EncodedPicture(-40, 40, True, b"key"),
    EncodedPicture(80, 0, False, b""),
    EncodedPicture(0, 40, False, b"b" * 999),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    packets = PacketFile(tmp_path / "packets")
    packets.write(PICTURES[:1])
    packets.write(PICTURES[1:])
    packets.close()
    assert packets.pts == [-40, 80, 0]
    assert packets.sha256 == hashlib.sha256((tmp_path / "packets").read_bytes()).hexdigest()
    return tmp_path / "packets"


def test_packets_come_back(file: Path) -> None:
    assert list(read_packets(file)) == PICTURES
    assert read_packet_times(file) == [-40, 80, 0]


@pytest.mark.parametrize("cut", [1, 500, 1004])
def test_a_file_that_is_cut_off_is_noticed(file: Path, cut: int) -> None:
    file.write_bytes(file.read_bytes()[:-cut])
    with pytest.raises(UnsupportedInputError, match="cut off"):
        list(read_packets(file))


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"something else entirely")
    with pytest.raises(UnsupportedInputError, match="not a packet file"):
        list(read_packets(tmp_path / "x"))


@given(st.lists(st.integers(-1000, 10**9), min_size=1, max_size=60, unique=True))
def test_decoding_times_rise_and_are_never_late(pts: list[int]) -> None:
    depth = reorder_depth(pts)
    dts = decode_times(pts, depth)
    assert len(dts) == len(pts)
    assert all(a < b for a, b in pairwise(dts))
    assert all(decoded <= shown for decoded, shown in zip(dts, pts, strict=True))
    if depth:  # one less would be too little
        shallow = decode_times(pts, depth - 1)
        assert any(decoded > shown for decoded, shown in zip(shallow, pts, strict=True))


def test_decoding_times_of_b_frames() -> None:
    pts = [0, 120, 40, 80, 240, 160, 200]
    assert reorder_depth(pts) == 1
    assert decode_times(pts, 1) == [-40, 0, 40, 80, 120, 160, 200]


def test_decoding_times_of_nothing_and_of_one() -> None:
    assert decode_times([], 0) == []
    assert decode_times([7], 0) == [7]
