from __future__ import annotations

from types import SimpleNamespace

import pytest

from faceswap.media.sieve import PacketSieve, lacks_facts


def packet(dts: int | None, pts: int | None = 0, index: int = 1) -> SimpleNamespace:
    return SimpleNamespace(dts=dts, pts=pts, stream_index=index, stream=SimpleNamespace(type="audio"))


def test_packets_in_order_pass() -> None:
    sieve = PacketSieve("mpegts", "mp4")
    assert all(sieve.keeps(packet(dts)) for dts in (-5, 0, 0, 7))
    assert sieve.notes == []


def test_packets_that_go_back_are_left_out_and_said() -> None:
    sieve = PacketSieve("mpegts", "mp4")
    assert [sieve.keeps(packet(dts)) for dts in (0, 10, 4, 9, 11)] == [True, True, False, False, True]
    assert sieve.notes == ["2 packets of audio stream 1 go back in time and are left out"]


def test_streams_do_not_mix() -> None:
    sieve = PacketSieve("mpegts", "mp4")
    assert sieve.keeps(packet(100, index=1))
    assert sieve.keeps(packet(0, index=2))


def test_packets_without_any_time_are_left_out_and_those_without_a_decoding_time_pass() -> None:
    sieve = PacketSieve("mpegts", "mp4")
    assert not sieve.keeps(packet(None, None))
    assert sieve.keeps(packet(None, 40))
    assert sieve.notes == ["1 packets of audio stream 1 carry no time and are left out"]


@pytest.mark.parametrize(
    ("kind", "facts", "is_lacking"),
    [
        ("video", {"width": 0}, True),
        ("video", {"width": 64}, False),
        ("audio", {"sample_rate": 0}, True),
        ("subtitle", {}, False),
    ],
)
def test_streams_with_half_a_header_are_known(kind: str, facts: dict[str, int], is_lacking: bool) -> None:
    assert lacks_facts(SimpleNamespace(type=kind, codec_context=SimpleNamespace(**facts))) == is_lacking
