"""Where H.264 and H.265 streams say that their chroma samples lie: read from the sequence parameter set.

FFmpeg knows it, PyAV does not show it. Sources: ITU-T H.264 7.3.2.1 and E.1.1, H.265 7.3.2.2, 7.3.3, 7.3.4, 7.3.7, E.2.1.
"""

from __future__ import annotations

from contextlib import suppress

from faceswap.media.sei import annex_b_units, unit_content, unit_type

_NAMES = ("left", "center", "topleft", "top", "bottomleft", "bottom")
_H264_SPS, _H265_SPS = 7, 33
_H264_HIGH_PROFILES = {44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244}
_CHROMA_444 = 3
_EXPLICIT_ASPECT = 255
_H265_PROFILE_BITS = 88


def siting_of(codec: str, extradata: bytes | None) -> str | None:
    """Return the name of the chroma siting that a stream states, None when it states none.

    Args:
        codec: FFmpeg's name; all but "h264" and "hevc" state nothing here.
        extradata: the stream's, as "avcC"/"hvcC" or with start codes.
    """
    if codec not in ("h264", "hevc") or not extradata:
        return None
    with suppress(IndexError, ValueError):  # cut off or damaged: as if it said nothing
        for unit in _parameter_sets(codec, extradata):
            is_h264 = codec == "h264"
            if unit_type(unit[0], codec) == (_H264_SPS if is_h264 else _H265_SPS):
                bits = _Bits(unit_content(unit, codec))
                number = _h264_siting(bits) if is_h264 else _h265_siting(bits)
                return None if number is None else _NAMES[number]
    return None


def _parameter_sets(codec: str, extradata: bytes) -> list[bytes]:
    if extradata[0] != 1:
        return [unit for _, unit in annex_b_units(extradata)]
    units, place = [], 6 if codec == "h264" else 23
    arrays = [extradata[5] & 31] if codec == "h264" else [0] * extradata[22]
    for count in arrays:
        if codec == "hevc":
            count, place = int.from_bytes(extradata[place + 1 : place + 3], "big"), place + 3
        for _ in range(count):
            size = int.from_bytes(extradata[place : place + 2], "big")
            units.append(extradata[place + 2 : place + 2 + size])
            place += 2 + size
    return [unit for unit in units if unit]


class _Bits:
    """A bit string that is read from its front."""

    def __init__(self, data: bytes) -> None:
        self._bits = "".join(f"{byte:08b}" for byte in data)
        self._place = 0

    def take(self, count: int) -> int:
        if self._place + count > len(self._bits):
            raise IndexError("parameter set too short")
        self._place += count
        return int(self._bits[self._place - count : self._place] or "0", 2)

    def flag(self) -> bool:
        return bool(self.take(1))

    def golomb(self) -> int:
        """Return an unsigned Exp-Golomb number; the signed ones are as long."""
        zeros = self._bits.index("1", self._place) - self._place
        self._place += zeros
        return self.take(zeros + 1) - 1

    def skip_golombs(self, count: int) -> None:
        for _ in range(count):
            self.golomb()


def _vui_siting(bits: _Bits) -> int | None:
    """Read the beginning of the VUI parameters, which is the same in both standards."""
    if bits.flag() and bits.take(8) == _EXPLICIT_ASPECT:
        bits.take(32)
    if bits.flag():
        bits.take(1)
    if bits.flag():
        bits.take(4)
        if bits.flag():
            bits.take(24)
    return bits.golomb() if bits.flag() else None


def _h264_siting(bits: _Bits) -> int | None:
    profile = bits.take(8)
    bits.take(16)
    bits.golomb()
    if profile in _H264_HIGH_PROFILES:
        _skip_h264_high_profile(bits)
    bits.golomb()
    order_type = bits.golomb()
    if order_type == 0:
        bits.golomb()
    elif order_type == 1:
        bits.take(1)
        bits.skip_golombs(2)
        bits.skip_golombs(bits.golomb())
    bits.golomb()
    bits.take(1)
    bits.skip_golombs(2)
    if not bits.flag():
        bits.take(1)
    bits.take(1)
    if bits.flag():
        bits.skip_golombs(4)
    return _vui_siting(bits) if bits.flag() else None


def _skip_h264_high_profile(bits: _Bits) -> None:
    chroma_format = bits.golomb()
    if chroma_format == _CHROMA_444:
        bits.take(1)
    bits.skip_golombs(2)
    bits.take(1)
    if bits.flag():
        for i in range(12 if chroma_format == _CHROMA_444 else 8):
            if bits.flag():
                _skip_h264_scaling_list(bits, 16 if i < 6 else 64)


def _skip_h264_scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            code = bits.golomb()
            delta = (code + 1) // 2 if code % 2 else -(code // 2)
            following = (last + delta) % 256
        last = following or last


def _h265_siting(bits: _Bits) -> int | None:
    bits.take(4)
    num_sub_layers = bits.take(3)
    bits.take(1 + _H265_PROFILE_BITS + 8)
    present = [(bits.flag(), bits.flag()) for _ in range(num_sub_layers)]
    if num_sub_layers:
        bits.take(2 * (8 - num_sub_layers))
    for has_profile, has_level in present:
        bits.take(_H265_PROFILE_BITS * has_profile + 8 * has_level)
    bits.golomb()
    if bits.golomb() == _CHROMA_444:
        bits.take(1)
    bits.skip_golombs(2)
    if bits.flag():
        bits.skip_golombs(4)
    bits.skip_golombs(2)
    order_bits = bits.golomb() + 4
    bits.skip_golombs(3 * (num_sub_layers + 1 if bits.flag() else 1))
    bits.skip_golombs(6)
    if bits.flag() and bits.flag():
        _skip_h265_scaling_lists(bits)
    bits.take(2)
    if bits.flag():
        bits.take(8)
        bits.skip_golombs(2)
        bits.take(1)
    _skip_h265_reference_sets(bits)
    if bits.flag():
        bits.take((order_bits + 1) * bits.golomb())
    bits.take(2)
    return _vui_siting(bits) if bits.flag() else None


def _skip_h265_scaling_lists(bits: _Bits) -> None:
    for size in range(4):
        for _ in range(2 if size == 3 else 6):
            if not bits.flag():
                bits.golomb()
            else:
                bits.skip_golombs((size > 1) + min(64, 1 << (4 + 2 * size)))


def _skip_h265_reference_sets(bits: _Bits) -> None:
    num_pictures = 0
    for i in range(bits.golomb()):
        if i and bits.flag():  # as a change of the set before
            bits.take(1)
            bits.golomb()
            num_pictures = sum(bits.flag() or bits.flag() for _ in range(num_pictures + 1))
        else:
            num_pictures = bits.golomb() + bits.golomb()
            for _ in range(num_pictures):
                bits.golomb()
                bits.take(1)
