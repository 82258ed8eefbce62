"""Conversions that are killed, stopped and repeated: the file comes out as if nothing had happened."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from convert_job import make_long_clip, release, said_by, start, wait_until_held
from makers import tiny_model
from signed import content_of

SETTINGS = {"preset": "ultrafast"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_long_clip(tmp_path_factory.mktemp("clips") / "in.mp4")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory, clip: Path, model: Path) -> tuple[bytes, float]:
    """The finished file, and how long it took."""
    output = tmp_path_factory.mktemp("whole") / "out.mp4"
    begin = time.monotonic()
    finish(start(clip, model, output, **SETTINGS))
    return content_of(output), time.monotonic() - begin


def finish(process: Any) -> None:
    process.join()
    assert process.exitcode == 0


def journal_of(output: Path) -> Path:
    return output.parent / ".faceswap" / f"{output.name}.work" / "journal"


def kill_at_place(hold: int | tuple[str, int], clip: Path, model: Path, output: Path, **settings: Any) -> None:
    """Start a conversion and kill it where `hold` says."""
    process = start(clip, model, output, hold=hold, **settings)
    wait_until_held(process, output)
    process.kill()
    process.join()


def assert_clean(output: Path) -> None:
    """Nothing is left but the output and the face index."""
    assert sorted(p.name for p in output.parent.iterdir()) == [".faceswap", output.name]
    assert sorted(p.suffix for p in (output.parent / ".faceswap").iterdir()) == [".db", ".toml"]


def kill_at(seconds: float, clip: Path, model: Path, output: Path) -> bool:
    """Start a conversion and kill it after some time; True when it was still running."""
    process = start(clip, model, output, **SETTINGS)
    process.join(seconds)
    was_running = process.is_alive()
    process.kill()
    process.join()
    return was_running


@pytest.mark.parametrize("seed", range(3))
def test_conversion_killed_anywhere_is_finished_by_the_same_command(
    tmp_path: Path, clip: Path, model: Path, uninterrupted: tuple[bytes, float], seed: int
) -> None:
    expected, seconds = uninterrupted
    check_killed_run(tmp_path, clip, model, expected, random.Random(seed).random() * seconds)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(100, 160))
def test_conversion_killed_at_sixty_places_is_finished_by_the_same_command(
    tmp_path: Path, clip: Path, model: Path, uninterrupted: tuple[bytes, float], seed: int
) -> None:
    expected, seconds = uninterrupted
    check_killed_run(tmp_path, clip, model, expected, random.Random(seed).random() * seconds)


def check_killed_run(tmp_path: Path, clip: Path, model: Path, expected: bytes, seconds: float) -> None:
    output = tmp_path / "out.mp4"
    was_running = kill_at(seconds, clip, model, output)
    assert not (was_running and output.exists()) or content_of(output) == expected
    finish(start(clip, model, output, **SETTINGS))
    assert content_of(output) == expected
    assert_clean(output)


def test_conversion_that_goes_on_keeps_the_runner_it_began_with(tmp_path: Path, clip: Path, model: Path) -> None:
    """Neither the setting of the second command nor what a probe would say now may mix two runners in one file."""
    asked = {"runner": "onnxruntime", **SETTINGS}
    whole, output = tmp_path / "whole" / "out.mp4", tmp_path / "killed" / "out.mp4"
    for path in (whole, output):
        path.parent.mkdir()
    finish(start(clip, model, whole, **asked))
    kill_at_place(("before a journal line", 3), clip, model, output, **asked)
    first = journal_of(output).read_bytes()
    process = start(clip, model, output, hold=("before a journal line", 1), **SETTINGS)
    wait_until_held(process, output)
    assert journal_of(output).read_bytes() == first  # what was finished counts
    release(output)
    finish(process)
    assert content_of(output) == content_of(whole)


def files_in(folder: Path) -> dict[str, bytes]:
    """Return the content of everything that is to be seen."""
    found = [path for path in folder.rglob("*") if path.is_file() and ".faceswap" not in path.parts]
    return {str(path.relative_to(folder)): content_of(path) for path in found if path.suffix not in (".held", ".go")}


KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "clip": ("out.mp4", SETTINGS),
    "clip and overlay": ("out.mp4", {"deliver": "clip,overlay", **SETTINGS}),
    "clip and sidecar": ("out.mkv", SETTINGS),
    "pictures": ("out", {"codec": "png", "deliver": "clip,matte"}),
}
PLACES = [
    *(("clip", "while signing", count, 1) for count in (1, 4, 12)),
    ("clip and sidecar", "while signing", 3, 1),
    ("clip and sidecar", "when signed", 1, 1),
    ("clip and sidecar", "between two names", 1, 1),
    ("pictures", "while signing", 300, 1),
    *((kind, "before a journal line", 3, jobs) for kind in KINDS for jobs in (1, 2)),
    ("clip and overlay", "while putting together", 120, 1),
    ("clip and overlay", "before publishing", 1, 1),
    ("clip and overlay", "between two names", 1, 1),
    ("pictures", "between two names", 1, 1),
    ("pictures", "before the end", 1, 1),
    ("clip", "before the end", 1, 1),
]


@pytest.fixture(scope="module")
def expected_files(tmp_path_factory: pytest.TempPathFactory, clip: Path, model: Path) -> dict[str, dict[str, bytes]]:
    """What each kind of conversion leaves when nothing happens to it."""
    expected = {}
    for kind, (name, settings) in KINDS.items():
        folder = tmp_path_factory.mktemp("expected")
        finish(start(clip, model, folder / name, **settings))
        expected[kind] = files_in(folder)
    return expected


@pytest.mark.parametrize(("kind", "place", "count", "jobs"), PLACES)
def test_a_kill_at_any_step_is_made_good_by_the_same_command(
    tmp_path: Path,
    clip: Path,
    model: Path,
    expected_files: dict[str, dict[str, bytes]],
    kind: str,
    place: str,
    count: int,
    jobs: int,
) -> None:
    name, settings = KINDS[kind]
    kill_at_place((place, count), clip, model, tmp_path / name, jobs=jobs, **settings)
    assert not (tmp_path / name).exists() or place in ("between two names", "before the end")
    finish(start(clip, model, tmp_path / name, jobs=jobs, overwrite=False, **settings))
    assert files_in(tmp_path) == expected_files[kind]
    assert sorted(p.suffix for p in (tmp_path / ".faceswap").iterdir()) == [".db", ".toml"]


def test_a_kill_costs_at_most_the_segment_under_way(
    tmp_path: Path, clip: Path, model: Path, uninterrupted: tuple[bytes, float]
) -> None:
    output = tmp_path / "out.mp4"
    kill_at_place(2, clip, model, output, **SETTINGS)
    finished = {path.name: path.stat().st_mtime_ns for path in journal_of(output).parent.glob("seg-*.clip")}
    assert len(finished) >= 2
    again = start(clip, model, output, hold=1, **SETTINGS)
    wait_until_held(again, output)
    for name, time_ns in finished.items():
        assert (journal_of(output).parent / name).stat().st_mtime_ns == time_ns
    release(output)
    finish(again)
    assert content_of(output) == uninterrupted[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_keeps_finished_segments_and_says_how_to_go_on(
    tmp_path: Path,
    clip: Path,
    model: Path,
    uninterrupted: tuple[bytes, float],
    number: signal.Signals,
) -> None:
    output = tmp_path / "out.mp4"
    process = start(clip, model, output, hold=1, **SETTINGS)
    wait_until_held(process, output)
    os.kill(process.pid, number)
    release(output)
    process.join()
    assert process.exitcode == 128 + number
    assert "repeat the command to go on from there" in said_by(output).read_text()
    assert not output.exists()
    finish(start(clip, model, output, **SETTINGS))
    assert content_of(output) == uninterrupted[0]


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "journal cut", "journal garbage"])
def test_a_damaged_segment_is_rendered_again(
    tmp_path: Path, clip: Path, model: Path, uninterrupted: tuple[bytes, float], damage: str
) -> None:
    output = tmp_path / "out.mp4"
    kill_at_place(2, clip, model, output, **SETTINGS)
    segment = journal_of(output).parent / "seg-00001.clip"
    data, journal = segment.read_bytes(), journal_of(output)
    if damage == "flip":
        segment.write_bytes(data[:50] + bytes([data[50] ^ 1]) + data[51:])
    elif damage == "truncate":
        segment.write_bytes(data[:-3])
    elif damage == "remove":
        segment.unlink()
    elif damage == "journal cut":
        journal.write_bytes(journal.read_bytes()[:-9])
    else:
        journal.write_bytes(b"\x00\xff" * 40 + journal.read_bytes())
    finish(start(clip, model, output, **SETTINGS))
    assert content_of(output) == uninterrupted[0]


def test_other_settings_start_afresh(
    tmp_path: Path, clip: Path, model: Path, uninterrupted: tuple[bytes, float]
) -> None:
    output = tmp_path / "out.mp4"
    kill_at_place(2, clip, model, output, feather=0.2, **SETTINGS)
    finish(start(clip, model, output, **SETTINGS))
    assert content_of(output) == uninterrupted[0]


def test_a_source_that_changed_starts_afresh(
    tmp_path: Path, clip: Path, model: Path, uninterrupted: tuple[bytes, float]
) -> None:
    source, output = tmp_path / "source" / "in.mp4", tmp_path / "out" / "out.mp4"
    for folder in (source.parent, output.parent):
        folder.mkdir()
    make_long_clip(source, num_frames=64)
    kill_at_place(2, source, model, output, **SETTINGS)
    source.write_bytes(clip.read_bytes())
    finish(start(source, model, output, **SETTINGS))
    assert content_of(output) == uninterrupted[0]


def test_several_processes_give_the_same_file(
    tmp_path: Path, clip: Path, model: Path, uninterrupted: tuple[bytes, float]
) -> None:
    finish(start(clip, model, tmp_path / "out.mp4", jobs=2, **SETTINGS))
    assert content_of(tmp_path / "out.mp4") == uninterrupted[0]
    assert_clean(tmp_path / "out.mp4")


def test_two_jobs_in_one_folder_do_not_meet(
    tmp_path: Path, clip: Path, model: Path, uninterrupted: tuple[bytes, float]
) -> None:
    outputs = [tmp_path / "out.mp4", tmp_path / "out.mkv"]
    processes = [start(clip, model, output, **SETTINGS) for output in outputs]
    for process in processes:
        finish(process)
    assert content_of(outputs[0]) == uninterrupted[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".faceswap", "out.c2pa", "out.mkv", "out.mp4"]


def test_a_second_job_for_the_same_output_is_refused(
    tmp_path: Path, clip: Path, model: Path, uninterrupted: tuple[bytes, float]
) -> None:
    output = tmp_path / "out.mp4"
    first = start(clip, model, output, hold=1, **SETTINGS)
    wait_until_held(first, output)
    second = start(clip, model, output, **SETTINGS)
    second.join()
    assert second.exitcode == 2
    assert f"in use by process {first.pid}" in said_by(output).read_text()
    release(output)
    finish(first)
    assert content_of(output) == uninterrupted[0]
