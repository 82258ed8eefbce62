"""`faceswap faceset` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer.testing
from clips import _astronaut
from foreign_files import write_dfl
from portraits import blurred, brighter, covered, portrait_set, same

from faceswap.cli.main import app
from faceswap.errors import FaceswapError, PartialResultError, UsageError
from faceswap.facesets.store import FaceSet
from faceswap.media.pictures import write_picture

COMMANDS = (
    "show measure sort filter dedupe best trash restore label merge split report export import".split()  # noqa: SIM905
)


def faceset(*arguments: str | Path | int) -> str:
    """Run a command in this process; return what it prints."""
    done = typer.testing.CliRunner().invoke(app, ["faceset", *map(str, arguments)])
    if isinstance(done.exception, FaceswapError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def four(tmp_path: Path) -> Path:
    """A faceset: a blurred, a plain, a dark and a covered face."""
    return portrait_set(tmp_path / "set", [blurred(3), same, brighter(0.5), covered(0.35)]).path


def kept(path: Path) -> list[int]:
    return [record.frame for record in FaceSet.open(path).records()]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_two_examples_and_the_common_options(name: str) -> None:
    text = faceset(name, "--help")
    assert text.partition("Examples:")[2].count(f"faceswap faceset {name}") >= 2
    for option in ("--device", "--seed", "--quiet", "--verbose", "--log-file"):
        assert option in text


def test_every_command_is_listed() -> None:
    listed = faceset("--help")
    assert all(f" {name} " in listed for name in COMMANDS)


def test_filter_tells_first_and_then_does_and_restore_undoes(four: Path) -> None:
    assert "1 of 4 crops would be sorted out" in faceset("filter", four, "--drop-blurriest", "25%", "--dry-run")
    assert kept(four) == [0, 1, 2, 3]
    assert "1 of 4 crops sorted out, 3 stay" in faceset("filter", four, "--drop-blurriest", "25%")
    faceset("filter", four, "--max-occlusion", "0.15", "--brightness", "85:")
    assert kept(four) == [1]
    assert "sorted out: 1 (sharpness among the lowest)" in faceset("show", four)
    faceset("restore", four)
    assert kept(four) == [1, 2, 3]
    faceset("restore", four, "--all")
    assert kept(four) == [0, 1, 2, 3]


def test_sort_makes_a_folder_and_trash_takes_what_was_deleted_in_it(four: Path, tmp_path: Path) -> None:
    faceset("sort", four, "--by", "sharpness", "-o", tmp_path / "view")
    names = sorted(path.name for path in (tmp_path / "view").glob("*.png"))
    assert names[0].endswith("-000000-0.png")
    (tmp_path / "view" / names[0]).unlink()
    faceset("trash", four, "--missing-from", tmp_path / "view")
    assert kept(four) == [1, 2, 3]
    faceset("trash", four, "cccccccc:2-3", "--reason", "no good")
    assert kept(four) == [1]
    faceset("restore", four, "cccccccc:3")
    assert kept(four) == [1, 3]
    with pytest.raises(UsageError, match="--missing-from"):
        faceset("trash", four)


def test_sort_lists_as_events(four: Path) -> None:
    rows = list(map(json.loads, faceset("sort", four, "--by", "brightness", "--limit", 2, "--json", "-q").splitlines()))
    crops = [row for row in rows if row["event"] == "crop"]
    assert len(crops) == 2
    assert crops[0]["file"].endswith("-000002-0.png")


def test_sort_by_likeness_to_a_picture(four: Path, tmp_path: Path) -> None:
    write_picture(tmp_path / "photo.png", _astronaut())
    lines = faceset("sort", four, "--like", tmp_path / "photo.png", "--device", "cpu").splitlines()
    assert lines[-1].endswith("-000003-0.png")


def test_people_are_grouped_and_kept_by_number(tmp_path: Path) -> None:
    path = portrait_set(tmp_path / "set", [same] * 3).path
    portrait_set(path, [lambda rgb: rgb[:, ::-1, ::-1].copy()] * 2, clip="d" * 64)
    faceset("filter", path, "--people", "0")
    assert [record.clip[0] for record in FaceSet.open(path).records()] == ["c"] * 3
    with pytest.raises(UsageError, match="0,2"):
        faceset("filter", path, "--people", "one")


def test_identity_encoder_that_is_none_is_refused(four: Path) -> None:
    with pytest.raises(FaceswapError):
        faceset("sort", four, "--by", "cluster", "--id-encoder", "no-such-encoder")


def test_dedupe_and_best_keep_the_better_ones(tmp_path: Path) -> None:
    path = portrait_set(tmp_path / "set", [blurred(0.5), same, brighter(0.5), covered(0.35)]).path
    assert "1 of 4 crops sorted out" in faceset("dedupe", path)
    assert kept(path) == [1, 2, 3]
    faceset("best", path, 2)
    assert kept(path) == [1, 2]


def test_label_split_and_merge(four: Path, tmp_path: Path) -> None:
    faceset("label", four, "season 1", "cccc:0-1")
    faceset("split", four, "--by", "era", "-o", tmp_path / "parts")
    parts = sorted((tmp_path / "parts").iterdir())
    assert [part.name for part in parts] == ["anna-no-era", "anna-season_1"]
    faceset("merge", parts[0], "-o", tmp_path / "again", "--actor", "anna")
    assert kept(tmp_path / "again") == [2, 3]
    with pytest.raises(UsageError, match="--by"):
        faceset("split", four, "--by", "taste", "-o", tmp_path / "no")
    with pytest.raises(UsageError, match="--edges"):
        faceset("split", four, "--by", "yaw", "--edges", "a", "-o", tmp_path / "no")


def test_report_and_exports(four: Path, tmp_path: Path) -> None:
    assert "different faces" in faceset("report", four, four, "-o", tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size > 10_000
    faceset("export", four, "-o", tmp_path / "crops.csv")
    assert len((tmp_path / "crops.csv").read_text().splitlines()) == 5
    faceset("export", four, "-o", tmp_path / "crops")
    assert len(list((tmp_path / "crops").glob("*.png"))) == 4


def test_measure_names_missing_crops(four: Path) -> None:
    (four / FaceSet.open(four).records()[0].file).unlink()
    with pytest.raises(PartialResultError, match="1 crops"):
        faceset("measure", four)


def test_import_and_show(tmp_path: Path) -> None:
    write_dfl(tmp_path / "00012_0.jpg")
    faceset("import", tmp_path / "00012_0.jpg", "-o", tmp_path / "set", "--actor", "anna", "--size", 128)
    rows = list(map(json.loads, faceset("show", tmp_path / "set", "--json", "-q").splitlines()))
    assert (rows[0]["actor"], rows[0]["kept"], rows[1]["kept"]) == ("anna", 1, 1)
    with pytest.raises(UsageError, match="--coverage"):
        faceset("import", tmp_path / "a", "-o", tmp_path / "b", "--actor", "a", "--coverage", "all")
