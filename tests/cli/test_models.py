from __future__ import annotations

import json
from pathlib import Path

import pytest
from onnx_files import planted, scrfd_outputs, write

from faceswap.cli.main import main

SCRFD = planted(scrfd_outputs((64, 96), 8, 2, 3, 0))


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("FACESWAP_HOME", str(tmp_path / "home"))
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["faceswap", "models", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def rows_of(text: str) -> dict[str, list[str]]:
    return {line.split("  ")[0]: line.split() for line in text.splitlines()}


def test_list_shows_embedded_and_missing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "list") == 0
    rows = rows_of(capsys.readouterr().out)
    assert rows["centerface"][1:4] == ["embedded", "detector", "centerface-1"]
    assert rows["yunet"][1:4] == ["not", "here", "detector"]


def test_a_file_is_added_listed_and_removed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    file = write(home / "det.onnx", SCRFD)
    assert run(monkeypatch, "add", file, "--name", "mine", "--licence", "MIT", "--commercial", "yes") == 0
    assert "mine: detector of kind scrfd-1" in capsys.readouterr().out
    assert run(monkeypatch, "list", "--json") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (mine,) = [row for row in rows if row["weights"] == "mine"]
    assert (mine["state"], mine["licence"], mine["commercial"], mine["source"]) == ("here", "MIT", "yes", file)
    assert run(monkeypatch, "remove", "mine") == 0
    assert run(monkeypatch, "remove", "mine") == 2
    assert "no weights 'mine'" in capsys.readouterr().err


def test_fetch_shows_licence_and_size_before_anything_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def shown_so_far(*_: object, **__: object) -> bytes:
        text = capsys.readouterr().err
        assert "non-commercial" in text
        assert "2.5 MB" in text
        return b"other bytes"

    monkeypatch.setattr("faceswap.weights.download", shown_so_far)
    assert run(monkeypatch, "fetch", "scrfd-500m") == 0


def test_unknown_names_and_files_end_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    assert run(monkeypatch, "fetch", "nope") == 2
    assert "there are: yunet" in capsys.readouterr().err
    assert run(monkeypatch, "add", str(home / "gone.onnx")) == 2
    assert run(monkeypatch, "add", write(home / "text.onnx", b"text")) == 3
    assert "is not an ONNX file" in capsys.readouterr().err
