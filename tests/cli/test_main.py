"""The command line as a script sees it."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from clips import astronaut_picture, gradient_picture, make_clip, truncated
from makers import tiny_model
from people import make_two_person_clip

from faceswap.cli.main import main

COMMANDS = [
    "demo",
    "extract",
    "train",
    "shots",
    "preview",
    "convert",
    "evaluate",
    "export",
    "import-model",
    "verify",
    "bench",
]
COMMANDS += ["recipes list", "recipes show"]
COMMANDS += [f"index {name}" for name in ("show", "drop", "move", "reassign", "add", "undo")]
COMMANDS += ["faceset show", "provenance attach"]
COMMANDS += [f"consent {name}" for name in ("new", "show", "list", "revoke", "export")]
HEAVY = ("torch", "av", "cv2", "onnxruntime", "skimage")


def faceswap(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "faceswap", *map(str, arguments)], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_every_command_has_two_examples_and_the_common_options(name: str) -> None:
    done = faceswap(*name.split(), "--help")
    assert done.returncode == 0
    assert done.stdout.partition("Examples:")[2].count(f"faceswap {name.split()[0]}") >= 2
    for option in ("--device", "--seed", "--quiet", "--verbose", "--log-file"):
        assert option in done.stdout


@pytest.mark.parametrize("statement", ["import faceswap", "import faceswap.cli.main"])
def test_importing_is_light(statement: str) -> None:
    code = f"{statement}\nimport sys\nprint([name for name in {HEAVY!r} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_version() -> None:
    from faceswap import __version__

    assert faceswap("--version").stdout.strip() == f"faceswap {__version__}"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["recipes", "show", "df-129"], 2, "did you mean 'df-128'?"),
        (["verify", "no.mp4"], 2, "does not exist"),
        (["verify", "empty.mp4"], 3, "0 bytes"),
        (["convert", "in.mp4", "-m", "nowhere"], 2, "no model at nowhere"),
        (["extract", "in.mp4", "-o", "fs", "--actor", "a", "--size", "100"], 2, "64 to 1024"),
        (["extract", "in.mp4", "-o", "fs", "--actor", "a"], 3, "no face"),
        (["extract", "empty.mp4", "-o", "fs", "--actor", "a"], 3, "0 bytes"),
        (["train", "--source", "a", "--target", "b", "-m", "m", "--budget", "soon"], 2, "90s, 10m, 2h"),
        (["train", "--source", "a", "--target", "b", "-m", "m", "--steps", "5"], 2, "is not a faceset"),
        (["train", "--source", "a", "--target", "b", "-m", "m", "--set", "bach=2"], 2, "did you mean 'batch'?"),
        (["train", "--source", "a", "--target", "b", "-m", "m"], 2, "needs an end"),
        (["demo", "--budget", "fast"], 2, "90s, 10m, 2h"),
        (["bench", "swap"], 2, "no benchmark 'swap'"),
        (["evaluate", "in.mp4"], 2, "at least one result"),
        (["evaluate", "in.mp4", "in.mp4"], 3, "no face"),
        (["evaluate", "in.mp4", "in.mp4", "-o", "page.txt"], 2, "ends in .html"),
        (["evaluate", "models", "a"], 2, "--clip INPUT"),
        (["evaluate", "in.mp4", "in.mp4", "--protocol", "mine"], 2, "per-actor-v1"),
    ],
)
def test_bad_input_is_one_line_with_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    make_clip(tmp_path / "in.mp4", num_frames=3)
    (tmp_path / "empty.mp4").touch()
    done = faceswap(*arguments, "--quiet")
    assert done.returncode == code
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"in.mp4", "empty.mp4"}


def test_unknown_option_is_a_usage_error() -> None:
    assert faceswap("convert", "--no-such-option").returncode == 2


def test_verify_json_says_unmarked_with_exit_code_one(tmp_path: Path) -> None:
    done = faceswap("verify", make_clip(tmp_path / "in.mp4", num_frames=2), "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["is_marked"] is False


def test_verify_counts_the_marked_pictures_of_a_folder(tmp_path: Path) -> None:
    from faceswap.media.pictures import write_picture

    write_picture(tmp_path / "a.png", gradient_picture((32, 32), 0))
    done = faceswap("verify", tmp_path, "--json")
    assert done.returncode == 1
    last = json.loads(done.stdout.splitlines()[-1])
    assert (last["pictures"], last["unmarked"], last["is_marked"]) == (1, ["a.png"], False)


@pytest.mark.parametrize(
    "arguments", [["verify", "no.mp4"], ["convert", "in.mp4"], ["convert", "-m", "x", "--crf", "a"]]
)
def test_errors_are_events_under_json(tmp_path: Path, arguments: list[str]) -> None:
    done = faceswap(*arguments, "--json")
    assert json.loads(done.stdout)["exit_code"] == done.returncode == 2


def test_convert_json_ends_with_the_summary(tmp_path: Path) -> None:
    clip = make_clip(
        tmp_path / "in.mp4", size=(160, 200), num_frames=4, picture=lambda i: astronaut_picture((160, 200), i)
    )
    done = faceswap("convert", clip, "-m", tiny_model(tmp_path / "model"), "-o", tmp_path / "out.mp4", "--json")
    summary = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, summary["event"], summary["frames"], summary["faces"]) == (0, "summary", 4, 4)
    assert summary["output"] == str(tmp_path / "out.mp4")


def test_convert_plan_writes_nothing(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", num_frames=2)
    model = tiny_model(tmp_path / "model")
    before = sorted(tmp_path.rglob("*"))
    done = faceswap("convert", clip, "-m", model, "-n")
    assert done.returncode == 0
    assert "in_swapped.mp4" in done.stdout
    assert sorted(tmp_path.rglob("*")) == before


def test_cut_off_clip_is_converted_with_exit_code_four(tmp_path: Path) -> None:
    whole = make_clip(
        tmp_path / "in.mkv", size=(160, 200), num_frames=50, picture=lambda i: astronaut_picture((160, 200), i)
    )
    done = faceswap("convert", truncated(whole, 0.5), "-m", tiny_model(tmp_path / "model"), "-o", tmp_path / "out.mkv")
    assert done.returncode == 4
    assert "cut off" in done.stderr or "damaged" in done.stderr
    assert (tmp_path / "out.mkv").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--shots", "3;4"], "like 3,7-9"),
        (["--start", "soon"], "00:01:02:12"),
        (["--trim"], "--shots, --start or --end"),
    ],
)
def test_bad_choice_of_frames_is_refused_before_any_work(tmp_path: Path, options: list[str], message: str) -> None:
    clip = make_clip(tmp_path / "in.mp4", num_frames=2)
    done = faceswap("convert", clip, "-m", tiny_model(tmp_path / "model"), *options)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / ".faceswap").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--largest", "--auto"], "contradict"),
        (["--track", "1", "--auto"], "contradict"),
        (["--map", "alice"], "alice=data-tng"),
        (["--person", "nobody.jpg"], "no picture nobody.jpg"),
        (["--id-encoder", "nothing.onnx"], "nothing.onnx"),
    ],
)
def test_bad_choice_of_people_is_refused_before_any_work(tmp_path: Path, options: list[str], message: str) -> None:
    clip = make_clip(tmp_path / "in.mp4", num_frames=2)
    done = faceswap("convert", clip, "-m", tiny_model(tmp_path / "model"), *options)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / ".faceswap").exists()


def test_people_of_a_clip_are_cast_by_number_and_shown(tmp_path: Path) -> None:
    clip = make_two_person_clip(tmp_path / "in.mp4")
    models = [tiny_model(tmp_path / "a"), tiny_model(tmp_path / "b", ("carl", "dora"))]
    options = ("-m", models[0], "-m", models[1], "--map", "track:0=bert,track:1=dora", "-o", tmp_path / "out.mp4")
    first = faceswap("convert", clip, *options, "-n", "--json")
    assert json.loads(first.stdout)["casting"] is None  # not analysed yet
    done = faceswap("convert", clip, *options)
    assert "track 0 (frames 0-11) -> bert: chosen by number" in done.stdout
    assert "track 1 (frames 0-11) -> dora: chosen by number" in done.stdout
    plan = json.loads(faceswap("convert", clip, *options, "-n", "--json", "--overwrite").stdout)
    assert [(row["track"], row["model"], row["to"]) for row in plan["casting"]] == [(0, 0, "bert"), (1, 1, "dora")]
    wrong = faceswap("convert", clip, "-m", models[0], "--track", "7", "-o", tmp_path / "other.mp4")
    assert wrong.returncode == 2
    assert "no track 7; the clip has the tracks 0 (shot 1" in wrong.stderr


def test_shots_lists_what_convert_takes_and_shares_its_index(tmp_path: Path) -> None:
    def picture(frame: int) -> np.ndarray:
        face = astronaut_picture((160, 200), frame)
        return face if frame < 9 else np.ascontiguousarray(255 - face[:, ::-1] // 2)

    clip = make_clip(tmp_path / "in.mp4", size=(160, 200), num_frames=14, picture=picture)
    done = faceswap("shots", clip, "--json", "--quiet")
    rows = [row for row in map(json.loads, done.stdout.splitlines()) if row["event"] == "shot"]
    assert [(row["shot"], row["start_frame"], row["end_frame"], row["transition"]) for row in rows] == [
        (1, 0, 9, "start"),
        (2, 9, 14, "cut"),
    ]
    assert rows[0]["end"] == rows[1]["start"] == "00:00:00:09"
    assert (rows[0]["faces"], rows[0]["tracks"]) == (9, 1)
    assert len(faceswap("shots", clip).stdout.splitlines()) == 3
    options = ("-m", tiny_model(tmp_path / "model"), "-o", tmp_path / "out.mp4", "--json", "--shots", "1")
    summary = json.loads(faceswap("convert", clip, *options).stdout.splitlines()[-1])
    assert (summary["has_reused_index"], summary["frames"], summary["faces"]) == (True, 14, 9)


def test_shots_of_a_clip_without_faces_are_listed(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", num_frames=5)
    done = faceswap("shots", clip)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 2
    assert not (tmp_path / ".faceswap").exists()


@pytest.mark.parametrize("command", ["extract", "verify"])
def test_unknown_device_is_refused_everywhere(tmp_path: Path, command: str) -> None:
    extra = ["-o", "fs", "--actor", "a"] if command == "extract" else []
    assert faceswap(command, tmp_path / "in.mp4", *extra, "--device", "tpu").returncode == 2


def test_log_file_keeps_what_is_said(tmp_path: Path) -> None:
    faceswap("recipes", "list", "--log-file", tmp_path / "log.txt")
    assert "quick-64" in (tmp_path / "log.txt").read_text()


def test_recipe_says_what_its_network_costs() -> None:
    assert "54.5 M parameters, 15.3 GFLOP a swap" in faceswap("recipes", "show", "df-128").stderr


def test_recipes_are_listed_and_shown() -> None:
    listed = faceswap("recipes", "list").stdout
    assert all(name in listed for name in ("quick-64", "df-128", "df-256"))
    assert 'name = "df"' in faceswap("recipes", "show", "df-256").stdout


def test_index_shows_tracks_and_takes_edits(tmp_path: Path) -> None:
    clip = make_clip(
        tmp_path / "in.mp4", size=(160, 200), num_frames=6, picture=lambda i: astronaut_picture((160, 200), i)
    )
    done = faceswap("index", "show", clip, "--json", "--sheet", tmp_path / "sheet.png")
    (track,) = [json.loads(line) for line in done.stdout.splitlines() if '"track"' in line and '"progress"' not in line]
    assert (track["track"], track["faces"], track["shot"]) == (0, 6, 1)
    assert (tmp_path / "sheet.png").stat().st_size > 1000
    assert faceswap("index", "drop", clip, "--track", "0", "--frames", "2-3").returncode == 0
    assert "drop the face in the frames 2-3" in faceswap("index", "show", clip).stdout
    summary = faceswap("convert", clip, "-m", tiny_model(tmp_path / "model"), "--json").stdout.splitlines()[-1]
    assert json.loads(summary)["faces"] == 4
    assert faceswap("index", "undo", clip).returncode == 0
    assert faceswap("index", "drop", clip, "--track", "9").returncode == 2


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOENT, 1), (errno.EACCES, 1), (errno.ENOSPC, 6), (errno.EMFILE, 6)]
)
def test_what_the_system_refuses_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int, code: int
) -> None:
    def refuse(**_options: object) -> None:
        raise OSError(number, "no", "/some/place")

    monkeypatch.setattr("faceswap.cli.main.app", refuse)
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == code
    assert capsys.readouterr().err.startswith("faceswap: /some/place: no")


def test_evaluate_writes_a_page_and_says_everything_as_json(tmp_path: Path) -> None:
    clip = make_clip(
        tmp_path / "in.mp4", size=(160, 200), num_frames=10, picture=lambda i: astronaut_picture((160, 200), i)
    )
    model = tiny_model(tmp_path / "model")
    assert faceswap("convert", clip, "-m", model, "-o", tmp_path / "out.mp4", "--strict").returncode == 4
    done = faceswap("evaluate", clip, tmp_path / "out.mp4", "-o", tmp_path / "page.html", "--json", "--strict")
    last = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, last["event"], last["verdict"]) == (4, "evaluation", "poor")
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    both = faceswap("evaluate", "models", model, tmp_path / "out.mp4", "--clip", clip, "-o", tmp_path / "both.html")
    assert both.returncode == 0
    assert "2 results" in (tmp_path / "both.html").read_text()


def test_preview_says_what_it_shows_and_is_marked(tmp_path: Path) -> None:
    clip = make_clip(
        tmp_path / "in.mp4", size=(160, 200), num_frames=10, picture=lambda i: astronaut_picture((160, 200), i)
    )
    model = tiny_model(tmp_path / "model")
    options = ("-m", model, "--frame", "3", "--frame", "0.2s", "--grid", "match", "-o", tmp_path / "p.png")
    done = faceswap("preview", clip, *options, "--json")
    last = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, last["event"], last["has_reused_index"]) == (0, "preview", False)
    assert [row["frame"] for row in last["frames"]] == [3, 5]
    assert last["frames"][0]["faces"] == [{"track": 0, "to": "anna"}]
    assert last["variants"] == [f"match={kind}" for kind in ("mkl", "reinhard", "mean", "histogram", "poisson", "none")]
    assert faceswap("verify", tmp_path / "p.png").returncode == 0
    assert not (tmp_path / ".faceswap").exists()
    said = faceswap("preview", clip, "-m", model, "--frame", "3")
    assert "frame 3: track 0 -> anna" in said.stdout
    assert (tmp_path / "in_preview.png").is_file()
    for options, message in (
        (("--show", "faces"), "allowed: original, swapped, mask, raw"),
        (("--view", "big"), "allowed: frame, face"),
        (("--runner", "abacus"), "no runner 'abacus' on cpu"),
        (("--grid", "feater=1"), "did you mean 'feather'?"),
    ):
        wrong = faceswap("preview", clip, "-m", model, "--frame", "3", *options)
        assert wrong.returncode == 2
        assert message in wrong.stderr


def test_settings_file_is_read_and_its_mistakes_are_named(tmp_path: Path) -> None:
    clip = make_clip(
        tmp_path / "in.mp4", size=(160, 200), num_frames=4, picture=lambda i: astronaut_picture((160, 200), i)
    )
    model = tiny_model(tmp_path / "model")
    file = tmp_path / "film.toml"
    file.write_text('feather = 0.2\ntrim = true\nend = 3\n[[override]]\nshots = 1\nkeep = "mouth"\n')
    options = ("-m", model, "-o", tmp_path / "out.mkv", "--settings", file)
    plan = json.loads(faceswap("convert", clip, *options, "-n", "--json").stdout)
    assert plan["overrides"] == "shots 1: keep mouth"
    done = faceswap("convert", clip, *options, "--feather", "0.1", "--json")
    summary = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, summary["frames"], summary["settings"]["feather"]) == (0, 3, 0.1)
    assert summary["settings"]["override"] == [{"keep": ["mouth"], "shots": "1"}]
    whole = faceswap("convert", clip, *options, "--no-trim", "--overwrite", "--json")
    assert json.loads(whole.stdout.splitlines()[-1])["frames"] == 4
    file.write_text("[[override]]\nshots = 2\nfeather = 0.2\n")
    for extra in ((), ("-n",)):
        wrong = faceswap("convert", clip, *options, "--overwrite", *extra)
        assert wrong.returncode == 2
        assert "override 1: shots: there is no shot 2" in wrong.stderr
