from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from faceswap.errors import UsageError
from faceswap.media.picture_texts import PictureTexts, png_with_texts
from faceswap.provenance.mark import DIGITAL_SOURCE_TYPE, Mark
from faceswap.provenance.picture_mark import marks_in_picture, texts_of
from faceswap.provenance.verify import verify_clip, verify_folder

MARK = Mark(model_sha256="ab" * 32)


def picture(path: Path, texts: PictureTexts | None) -> Path:
    data = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    path.write_bytes(data if texts is None else png_with_texts(data, texts))
    return path


def test_both_texts_are_read_back(tmp_path: Path) -> None:
    assert marks_in_picture(picture(tmp_path / "a.png", texts_of(MARK))) == (MARK, MARK)


def test_xmp_names_iptcs_source_type() -> None:
    assert f"<Iptc4xmpExt:DigitalSourceType>{DIGITAL_SOURCE_TYPE}</Iptc4xmpExt:DigitalSourceType>" in texts_of(MARK).xmp


def test_signs_of_markup_in_a_mark_survive(tmp_path: Path) -> None:
    odd = Mark(model_sha256='<a>&"]]>')
    assert marks_in_picture(picture(tmp_path / "a.png", texts_of(odd))) == (odd, odd)


@pytest.mark.parametrize(
    "xmp",
    [
        "",
        "<x",
        "<x/>",
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>',
        texts_of(MARK).xmp.replace("ab" * 32, "&#0;"),
    ],
)
def test_damaged_or_hostile_xmp_is_no_mark(tmp_path: Path, xmp: str) -> None:
    assert marks_in_picture(picture(tmp_path / "a.png", PictureTexts("no json", xmp))) == (None, None)


def test_two_marks_that_differ_are_said(tmp_path: Path) -> None:
    other = Mark(model_sha256="cd" * 32)
    mixed = PictureTexts(texts_of(MARK).statement, texts_of(other).xmp)
    report = verify_clip(picture(tmp_path / "a.png", mixed))
    assert report.is_marked
    assert not report.agrees


def test_one_mark_is_enough(tmp_path: Path) -> None:
    report = verify_clip(picture(tmp_path / "a.png", PictureTexts("", texts_of(MARK).xmp)))
    assert (report.container, report.xmp, report.is_marked, report.agrees) == (None, MARK, True, True)


def test_folder_tells_unmarked_damaged_and_mixed_pictures(tmp_path: Path) -> None:
    picture(tmp_path / "1.png", texts_of(MARK))
    picture(tmp_path / "2.png", texts_of(Mark(model_sha256="cd" * 32)))
    picture(tmp_path / "3.png", None)
    (tmp_path / "4.png").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("not looked at")
    report = verify_folder(tmp_path)
    assert (report.num_pictures, [path.name for path in report.unmarked]) == (4, ["3.png", "4.png"])
    assert not report.is_marked
    assert not report.agrees


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_folders_without_pictures_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no pictures"):
        verify_folder(tmp_path / name)
