from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from faceswap.convert.segments import Segment
from faceswap.convert.work import SegmentRecord, WorkFolder, facts_in, open_work_folder, outputs_under_way
from faceswap.errors import UsageError

JOB = {"source": "ab", "settings": {"crf": 18}}
SEGMENTS = [Segment(0, 0, 10), Segment(1, 10, 20)]
PTS = list(range(100, 120))


def add_segment(work: WorkFolder, segment: Segment, data: bytes = b"pictures") -> None:
    path = work.segment_file(segment, "clip")
    path.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    ends = 100 + segment.start, 100 + segment.stop - 1
    work.add(SegmentRecord(segment.number, segment.start, segment.stop, *ends, {path.name: digest}))


def test_finished_segments_are_found_again(tmp_path: Path) -> None:
    with open_work_folder(tmp_path / "w", JOB) as work:
        assert work.take_stock(SEGMENTS, PTS) == {}
        add_segment(work, SEGMENTS[0])
    with open_work_folder(tmp_path / "w", JOB) as work:
        assert list(work.take_stock(SEGMENTS, PTS)) == [0]
        add_segment(work, SEGMENTS[1])
        assert list(work.take_stock(SEGMENTS, PTS)) == [0, 1]


def test_another_job_finds_nothing(tmp_path: Path) -> None:
    with open_work_folder(tmp_path / "w", JOB) as work:
        add_segment(work, SEGMENTS[0])
        (work.path / "seg-00001.exr").mkdir()
    with open_work_folder(tmp_path / "w", {**JOB, "settings": {"crf": 19}}) as work:
        assert work.take_stock(SEGMENTS, PTS) == {}
        assert sorted(p.name for p in work.path.iterdir()) == [".lock", "job.json"]


def test_segments_of_another_length_do_not_count(tmp_path: Path) -> None:
    with open_work_folder(tmp_path / "w", JOB) as work:
        add_segment(work, Segment(0, 0, 12))
        assert work.take_stock(SEGMENTS, PTS) == {}


@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_a_segment_whose_file_is_not_whole_does_not_count(tmp_path: Path, damage: str) -> None:
    with open_work_folder(tmp_path / "w", JOB) as work:
        for segment in SEGMENTS:
            add_segment(work, segment)
        file = work.segment_file(SEGMENTS[0], "clip")
        file.write_bytes(b"other") if damage == "changed" else file.unlink()
        assert list(work.take_stock(SEGMENTS, PTS)) == [1]


@pytest.mark.parametrize("cut", [1, 40, 120])
def test_a_line_cut_off_by_a_crash_is_passed_over(tmp_path: Path, cut: int) -> None:
    with open_work_folder(tmp_path / "w", JOB) as work:
        for segment in SEGMENTS:
            add_segment(work, segment)
        journal = work.path / "journal"
        journal.write_bytes(journal.read_bytes()[:-cut])
        expected = [0, 1] if cut == 1 else [0]  # the last byte only ends the line
        assert list(work.take_stock(SEGMENTS, PTS)) == expected
        add_segment(work, SEGMENTS[1])
        assert list(work.take_stock(SEGMENTS, PTS)) == [0, 1]


def test_half_written_files_are_cleared_away(tmp_path: Path) -> None:
    with open_work_folder(tmp_path / "w", JOB) as work:
        (work.path / "seg-00000.clip.tmp").write_bytes(b"half")
        (work.path / "seg-00000.exr.tmp").mkdir()
    with open_work_folder(tmp_path / "w", JOB) as work:
        assert sorted(p.name for p in work.path.iterdir()) == [".lock", "job.json"]


def test_the_folder_belongs_to_one_process(tmp_path: Path) -> None:
    with (
        open_work_folder(tmp_path / "w", JOB),
        pytest.raises(UsageError, match="in use by process"),
        open_work_folder(tmp_path / "w", JOB),
    ):
        pass


def test_segments_of_other_times_do_not_count(tmp_path: Path) -> None:
    with open_work_folder(tmp_path / "w", JOB) as work:
        add_segment(work, SEGMENTS[0])
        assert work.take_stock(SEGMENTS, [pts + 1 for pts in PTS]) == {}


def test_what_no_line_names_is_cleared_away(tmp_path: Path) -> None:
    with open_work_folder(tmp_path / "w", JOB) as work:
        add_segment(work, SEGMENTS[0])
        work.segment_file(SEGMENTS[1], "clip").write_bytes(b"renamed, then killed")
        work.segment_file(SEGMENTS[1], "matte").mkdir()
        (work.segment_file(SEGMENTS[1], "matte") / "000010.png").write_bytes(b"a picture")
        assert list(work.take_stock(SEGMENTS, PTS)) == [0]
        assert sorted(p.name for p in work.path.glob("seg-*")) == ["seg-00000.clip"]


def test_outputs_under_way_are_known_until_the_folder_goes(tmp_path: Path) -> None:
    assert outputs_under_way(tmp_path / "w") == frozenset()
    with open_work_folder(tmp_path / "w", JOB) as work:
        work.note_publishing([tmp_path / "a.mp4", tmp_path / "b.mov"])
    assert outputs_under_way(tmp_path / "w") == {tmp_path / "a.mp4", tmp_path / "b.mov"}
    with open_work_folder(tmp_path / "w", JOB) as work:
        work.delete()
    assert outputs_under_way(tmp_path / "w") == frozenset()
    assert not (tmp_path / "w").exists()


def test_facts_of_a_folder_are_read_back(tmp_path: Path) -> None:
    assert facts_in(tmp_path / "w") is None
    with open_work_folder(tmp_path / "w", JOB):
        assert facts_in(tmp_path / "w") == JOB
