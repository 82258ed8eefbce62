from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from faceswap.convert.segments import Segment
from faceswap.convert.work import SegmentRecord, WorkFolder, open_work_folder
from faceswap.errors import UsageError

JOB = {"source": "ab", "settings": {"crf": 18}}
SEGMENTS = [Segment(0, 0, 10), Segment(1, 10, 20)]


def add_segment(work: WorkFolder, segment: Segment, data: bytes = b"pictures") -> None:
    path = work.segment_file(segment, "clip")
    path.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    work.add(SegmentRecord(segment.number, segment.start, segment.stop, 0, 9, {path.name: digest}))


def test_finished_segments_are_found_again(tmp_path: Path) -> None:
    with open_work_folder(tmp_path / "w", JOB) as work:
        assert work.records(SEGMENTS) == {}
        add_segment(work, SEGMENTS[0])
    with open_work_folder(tmp_path / "w", JOB) as work:
        assert list(work.records(SEGMENTS)) == [0]
        add_segment(work, SEGMENTS[1])
        assert list(work.records(SEGMENTS)) == [0, 1]


def test_another_job_finds_nothing(tmp_path: Path) -> None:
    with open_work_folder(tmp_path / "w", JOB) as work:
        add_segment(work, SEGMENTS[0])
        (work.path / "seg-00001.exr").mkdir()
    with open_work_folder(tmp_path / "w", {**JOB, "settings": {"crf": 19}}) as work:
        assert work.records(SEGMENTS) == {}
        assert sorted(p.name for p in work.path.iterdir()) == [".lock", "job.json"]


def test_segments_of_another_length_do_not_count(tmp_path: Path) -> None:
    with open_work_folder(tmp_path / "w", JOB) as work:
        add_segment(work, Segment(0, 0, 12))
        assert work.records(SEGMENTS) == {}


@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_a_segment_whose_file_is_not_whole_does_not_count(tmp_path: Path, damage: str) -> None:
    with open_work_folder(tmp_path / "w", JOB) as work:
        for segment in SEGMENTS:
            add_segment(work, segment)
        file = work.segment_file(SEGMENTS[0], "clip")
        file.write_bytes(b"other") if damage == "changed" else file.unlink()
        assert list(work.records(SEGMENTS)) == [1]


@pytest.mark.parametrize("cut", [1, 40, 120])
def test_a_line_cut_off_by_a_crash_is_passed_over(tmp_path: Path, cut: int) -> None:
    with open_work_folder(tmp_path / "w", JOB) as work:
        for segment in SEGMENTS:
            add_segment(work, segment)
        journal = work.path / "journal"
        journal.write_bytes(journal.read_bytes()[:-cut])
        expected = [0, 1] if cut == 1 else [0]  # the last byte only ends the line
        assert list(work.records(SEGMENTS)) == expected
        add_segment(work, SEGMENTS[1])
        assert list(work.records(SEGMENTS)) == [0, 1]


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
