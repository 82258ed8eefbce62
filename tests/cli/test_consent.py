"""The commands about consent, as a user types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from clips import astronaut_picture, make_clip
from makers import tiny_config, tiny_consent, tiny_model, tiny_state

from faceswap.facesets.store import FaceSet


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACESWAP_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def faceswap(*arguments: Any, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "faceswap", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment)


def made(*arguments: Any) -> dict[str, Any]:
    """Make a record and return it."""
    done = faceswap("consent", "new", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_record_is_made_shown_listed_exported_and_revoked(home: Path, tmp_path: Path) -> None:
    (tmp_path / "release.pdf").write_bytes(b"signed")
    words = ["Anna B.", "--basis", "written_consent", "--adult", "--project", "pilot", "--end", "2099-12-31"]
    record = made(*words, "--evidence", f"release={tmp_path / 'release.pdf'}", "--by", "me")
    number = record["record_id"]
    assert number.startswith("anna-b-")
    assert (record["scope"]["projects"], record["obtained_by"]) == (["pilot"], "me")
    assert record["evidence"][0]["kind"] == "release"
    assert (home / "consent" / f"{number}.json").is_file()
    shown = faceswap("consent", "show", "anna").stdout
    assert number in shown
    assert "2099-12-31" in shown
    assert number in faceswap("consent", "list").stdout
    file = tmp_path / "anna.json"
    assert faceswap("consent", "export", "anna", "-o", file).returncode == 0
    assert json.loads(file.read_bytes())["record_id"] == number
    assert faceswap("consent", "export", "anna", "-o", file).returncode == 2
    assert faceswap("consent", "revoke", "anna", "--reason", "asked").returncode == 0
    assert "revoked on" in faceswap("consent", "list").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["anna", "--basis", "licence"], "--adult"),
        (["anna", "--basis", "friendship", "--adult"], "'friendship'"),
        (["anna", "--basis", "parody_or_commentary", "--adult"], "reason"),
        (["anna", "--basis", "licence", "--adult", "--end", "soon"], "scope.end"),
        (["anna", "--basis", "licence", "--adult", "--evidence", "no.pdf"], "no file"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(home: Path, words: list[str], said: str) -> None:
    done = faceswap("consent", "new", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not home.exists()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(
        tmp_path / "in.mp4", size=(160, 200), num_frames=3, picture=lambda n: astronaut_picture((160, 200), n)
    )


def model_without_records(path: Path) -> Path:
    tiny_state(("anna", "bert")).save(path, tiny_config())
    return path


def test_convert_refuses_with_the_one_command_that_solves_it(home: Path, tmp_path: Path, clip: Path) -> None:
    convert = (
        "convert",
        clip,
        "-m",
        model_without_records(tmp_path / "model"),
        "-o",
        tmp_path / "out.mp4",
        "--no-figures",
    )
    refused = faceswap(*convert)
    assert refused.returncode == 5
    assert not (tmp_path / "out.mp4").exists()
    command = refused.stderr.split("repeat this one: faceswap ")[1].split()
    assert command == ["consent", "new", "anna", "--basis", "BASIS", "--adult"]
    assert faceswap(*(word.replace("BASIS", "own_likeness") for word in command)).returncode == 0
    done = faceswap(*convert)
    assert done.returncode == 0, done.stderr
    assert "consent on record: anna-" in done.stdout
    assert faceswap("consent", "revoke", "anna").returncode == 0
    again = faceswap(*convert, "--overwrite")
    assert again.returncode == 5
    assert "was revoked on" in again.stderr


def test_a_record_for_a_project_asks_for_it(home: Path, tmp_path: Path, clip: Path) -> None:
    record = made("anna", "--basis", "licence", "--adult", "--project", "pilot")
    convert = ("convert", clip, "-m", model_without_records(tmp_path / "model"), "-n", "--consent", record["record_id"])
    refused = faceswap(*convert)
    assert (refused.returncode, "--project pilot" in refused.stderr) == (5, True)
    assert faceswap(*convert, "--project", "other").returncode == 5
    done = faceswap(*convert, "--project", "pilot")
    assert done.returncode == 0
    assert record["record_id"] in done.stdout


def test_no_watermark_needs_a_reason_that_stands_in_the_record(home: Path, tmp_path: Path, clip: Path) -> None:
    model = tiny_model(tmp_path / "model")
    plate = ("convert", clip, "-m", model, "-o", tmp_path / "plate.mp4", "--no-figures", "--no-watermark")
    for words in ((), ("--reason", "because")):
        refused = faceswap(*plate, *words)
        assert (refused.returncode, "--reason" in refused.stderr) == (2, True)
    done = faceswap(*plate, "--reason", "a plate for the compositor")
    assert done.returncode == 0, done.stderr
    shown = faceswap("consent", "show", tiny_consent("anna").record_id).stdout
    assert "made an output without watermark" in shown
    assert "a plate for the compositor" in shown
    assert faceswap("verify", tmp_path / "plate.mp4").returncode == 0  # all other marks stay


def test_a_record_out_of_a_file_is_named_in_a_faceset(home: Path, tmp_path: Path, clip: Path) -> None:
    (tmp_path / "anna.json").write_bytes(tiny_consent("anna").to_bytes())
    extract = ("extract", clip, "-o", tmp_path / "faces", "--actor", "anna")
    done = faceswap(*extract)
    assert done.returncode == 0
    assert "names no consent record" in done.stderr
    done = faceswap(*extract, "--consent", tmp_path / "anna.json")
    assert done.returncode == 0, done.stderr
    assert "names no consent record" not in done.stderr
    assert FaceSet.open(tmp_path / "faces").consents() == (tiny_consent("anna"),)
    assert tiny_consent("anna").record_id in faceswap("consent", "list").stdout


def test_attach_passes_marks_on(home: Path, tmp_path: Path, clip: Path) -> None:
    model = tiny_model(tmp_path / "model")
    output, edited = tmp_path / "out.mp4", tmp_path / "edited.mp4"
    assert faceswap("convert", clip, "-m", model, "-o", output, "--no-figures").returncode == 0
    edited.write_bytes(clip.read_bytes())
    assert faceswap("verify", edited).returncode == 1
    done = faceswap("provenance", "attach", edited, "--parent", output)
    assert done.returncode == 0, done.stderr
    said = faceswap("verify", edited, "--json")
    assert said.returncode == 0
    event = json.loads(said.stdout.splitlines()[-1])
    assert (event["verdict"], event["manifest"]["parent"], event["manifest"]["num_manifests"]) == (
        "intact",
        "out.mp4",
        2,
    )
