from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from clips import make_clip
from makers import table_of

from faceswap.convert.smart import CopyPlan, plan_copies
from faceswap.errors import UnsupportedInputError
from faceswap.media.encode_plan import EncodeSettings, plan_encode
from faceswap.media.gops import CopiedRun, Gop, SourcePacket, copied_packets, gops_of, read_source_packets
from faceswap.media.reader import VideoReader


def copies_of(clip: Path, swapped: set[int], codec: str = "libx264") -> CopyPlan:
    reader = VideoReader(clip)
    encode = plan_encode(reader.info, clip.with_name(f"out{clip.suffix}"), EncodeSettings(codec))
    return plan_copies(reader.info, encode, table_of(reader), swapped)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Groups of 8 frames with B-frames, 32 frames."""
    return make_clip(tmp_path_factory.mktemp("clips") / "in.mp4", num_frames=32)


def test_a_group_is_rendered_from_its_first_swapped_frame_to_its_end(clip: Path) -> None:
    plan = copies_of(clip, {17})
    assert plan.runs[-1] == (24, 32, True)
    (rendered,) = [run for run in plan.runs if not run[2]]
    assert 16 <= rendered[0] <= 17
    assert rendered[1] == 24
    assert plan.num_copied == 32 - (24 - rendered[0])


def test_the_packets_of_a_copied_run_are_those_of_its_frames(clip: Path) -> None:
    plan, table = copies_of(clip, {9, 20}), table_of(VideoReader(clip))
    for start, stop, is_copied in plan.runs:
        if is_copied:
            assert sorted(plan.copied[start].pts) == table.pts[start:stop].tolist()


def test_copied_packets_are_read_in_their_order(clip: Path) -> None:
    info = VideoReader(clip).info
    for gop in gops_of(read_source_packets(info)):
        packets = list(copied_packets(info, CopiedRun(gop.pts, gop.dts)))
        assert [packet.pts for packet in packets] == list(gop.pts)
        assert packets[0].is_key
        assert packets[0].data[:4] == b"\x00\x00\x00\x01"


def test_packets_that_are_not_there_are_an_error(clip: Path) -> None:
    info = VideoReader(clip).info
    (first, second, *_) = gops_of(read_source_packets(info))
    with pytest.raises(UnsupportedInputError, match="not found in order"):
        list(copied_packets(info, CopiedRun((*first.pts, *second.pts[::-1]), first.dts)))


def test_a_clip_that_begins_with_a_face_in_its_only_group_cannot_be_copied(clip: Path) -> None:
    with pytest.raises(UnsupportedInputError, match="begins with a face"):
        copies_of(clip, {0, 8, 16, 24})


def test_frames_of_all_intra_codecs_are_copied_one_by_one(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mov", num_frames=8, codec="prores_ks", pix_fmt="yuv422p10le")
    assert copies_of(clip, {3, 4}, "prores_ks").runs == ((0, 3, True), (3, 5, False), (5, 8, True))


@pytest.mark.parametrize(
    ("codec", "message"), [("libx265", "cannot stand beside h264"), ("mpeg4", "cannot stand beside h264")]
)
def test_another_encoder_is_refused(clip: Path, codec: str, message: str) -> None:
    with pytest.raises(UnsupportedInputError, match=message):
        copies_of(clip, set(), codec)


def test_another_pixel_format_is_refused(clip: Path) -> None:
    info = VideoReader(clip).info
    encode = plan_encode(info, clip.with_name("out.mp4"), EncodeSettings(pix_fmt="yuv422p"))
    with pytest.raises(UnsupportedInputError, match="stored as yuv422p"):
        plan_copies(info, encode, table_of(VideoReader(clip)), set())


def test_frames_that_do_not_fit_the_packets_are_refused(clip: Path) -> None:
    reader = VideoReader(clip)
    table = table_of(reader)
    shorter = replace(table, pts=table.pts[:-1], duration=table.duration[:-1], digest=table.digest[:-1])
    encode = plan_encode(reader.info, clip.with_name("out.mp4"), EncodeSettings())
    with pytest.raises(UnsupportedInputError, match="do not correspond"):
        plan_copies(reader.info, encode, shorter, set())


def packet(pts: int, *, cut: bool = False, shown: bool = True) -> SourcePacket:
    return SourcePacket(pts, None, cut, False, shown)


def test_groups_end_where_the_next_can_be_cut() -> None:
    packets = [packet(0, cut=True), packet(2), packet(1), packet(3, cut=True), packet(4)]
    assert gops_of(packets) == [Gop((0, 2, 1)), Gop((3, 4))]


@pytest.mark.parametrize(
    ("packets", "message"),
    [
        ([], "first picture"),
        ([packet(0)], "first picture"),
        ([packet(0, cut=True), packet(1, shown=False)], "edit list"),
        ([packet(0, cut=True), packet(3), packet(2, cut=True)], "overlap"),
    ],
)
def test_streams_that_cannot_be_cut_say_why(packets: list[SourcePacket], message: str) -> None:
    with pytest.raises(UnsupportedInputError, match=message):
        gops_of(packets)
