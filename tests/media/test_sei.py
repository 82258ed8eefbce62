from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceswap.media.sei import find_user_data, insert_user_data

UUID = bytes(range(16))
OTHER = bytes(16)
SLICES = {
    "h264": b"\x00\x00\x00\x01\x67spspps\x00\x00\x01\x65slice",
    "hevc": b"\x00\x00\x00\x01\x40\x01vps\x00\x00\x01\x26\x01slice",
}


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@given(payload=st.binary(min_size=1, max_size=700))
def test_any_payload_comes_back(codec: str, payload: bytes) -> None:
    marked = insert_user_data(SLICES[codec], codec, UUID, payload)
    assert find_user_data(marked, codec, UUID, None) == payload


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_the_pictures_own_units_stay_as_they_were(codec: str) -> None:
    marked = insert_user_data(SLICES[codec], codec, UUID, b"\x00\x00\x00\x01")
    head, tail = SLICES[codec].split(b"\x00\x00\x01", 2)[1:]
    assert head.rstrip(b"\x00") in marked
    assert marked.endswith(b"\x00\x00\x01" + tail)


@given(payload=st.binary(max_size=300))
def test_no_start_code_arises_inside_the_message(payload: bytes) -> None:
    marked = insert_user_data(SLICES["h264"], "h264", UUID, payload)
    assert marked.count(b"\x00\x00\x01") == SLICES["h264"].count(b"\x00\x00\x01") + 1


def test_length_prefixed_packets_are_read() -> None:
    marked = insert_user_data(SLICES["h264"], "h264", UUID, b"hello")
    sei = marked.split(b"\x00\x00\x00\x01")[2]
    packet = len(sei).to_bytes(4, "big") + sei
    assert find_user_data(packet, "h264", UUID, b"\x01\x64\x00\x1e\xff\xe1") == b"hello"


def test_other_uuids_are_passed_over() -> None:
    marked = insert_user_data(SLICES["h264"], "h264", OTHER, b"x")
    assert find_user_data(marked, "h264", UUID, None) is None


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@given(noise=st.binary(max_size=200), extradata=st.sampled_from([None, b"\x01", b"\x01" * 30, b"\x00"]))
def test_damaged_packets_are_read_without_error(codec: str, noise: bytes, extradata: bytes | None) -> None:
    for packet in (noise, b"\x00\x00\x01\x06\x05\xff\xff" + noise, b"\x00\x00\x01\x4e\x01\x05\xff" + noise):
        assert find_user_data(packet, codec, UUID, extradata) is None
