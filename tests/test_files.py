from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from faceswap import files
from faceswap.errors import ResourceError, UsageError


def test_atomic_write_replaces_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    files.write_atomic(path, b"old")
    files.write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("no")))
    with pytest.raises(OSError, match="no"):
        files.write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_fingerprint_depends_on_content_and_not_on_name(tmp_path: Path) -> None:
    data = os.urandom(5 << 20)
    for name, content in (("a", data), ("b", data), ("c", data[:-1] + bytes([data[-1] ^ 1]))):
        (tmp_path / name).write_bytes(content)
    assert files.fingerprint(tmp_path / "a") == files.fingerprint(tmp_path / "b")
    assert files.fingerprint(tmp_path / "a") != files.fingerprint(tmp_path / "c")


def test_temporary_name_fits_for_the_longest_names(tmp_path: Path) -> None:
    path = tmp_path / ("ü" * 120 + ".mp4")
    temporary = files.temporary_beside(path)
    temporary.touch()
    assert temporary.suffix == ".mp4"


def test_leftovers_of_dead_processes_are_removed_and_others_kept(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    path = tmp_path / "out.mp4"
    stale, live = files.temporary_beside(path, dead.pid), files.temporary_beside(path)
    other = files.temporary_beside(tmp_path / "else.mp4", dead.pid)
    for file in (stale, live, other):
        file.touch()
    files.remove_stale_temporaries(path)
    assert set(tmp_path.iterdir()) == {live, other}


def test_lock_of_a_live_process_is_respected(tmp_path: Path) -> None:
    with (
        files.folder_lock(tmp_path, "train"),
        pytest.raises(UsageError, match="in use by process"),
        files.folder_lock(tmp_path, "train"),
    ):
        pass


@pytest.mark.parametrize("content", ["999999999 1", "", "rubbish"])
def test_stale_lock_is_taken_over(tmp_path: Path, content: str) -> None:
    (tmp_path / ".lock").write_text(content)
    with files.folder_lock(tmp_path, "train"):
        assert (tmp_path / ".lock").read_text().startswith(str(os.getpid()))


def test_lock_is_free_again_after_the_work(tmp_path: Path) -> None:
    for _ in range(2):
        with files.folder_lock(tmp_path, "train"):
            pass


def test_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from faceswap.files import folder_lock\n"
        "with folder_lock(Path(sys.argv[1]), 'train'): os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code, tmp_path], check=False).returncode == -9
    with files.folder_lock(tmp_path, "train"):
        pass


def test_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model").touch()
    with pytest.raises(UsageError, match="is a file"), files.folder_lock(tmp_path / "model", "train"):
        pass


def test_space_is_required_before_writing(tmp_path: Path) -> None:
    files.require_space(tmp_path, 1000)
    with pytest.raises(ResourceError, match="make room"):
        files.require_space(tmp_path, 1 << 60)


def test_full_disk_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=r"out\.mp4"), files.disk_errors_named(tmp_path / "out.mp4"):
        raise OSError(28, "No space left on device")
