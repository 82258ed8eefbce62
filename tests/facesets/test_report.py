from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from portraits import blurred, brighter, portrait_set, same

from faceswap.errors import NoFaceError
from faceswap.facesets.advice import advice
from faceswap.facesets.measure import measured_records
from faceswap.facesets.report import write_report
from faceswap.facesets.schema import FaceRecord

_VOID = {"meta", "img", "rect", "polygon"}


class Page(HTMLParser):
    """Checks that tags are closed in order and counts what is there."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.counts: dict[str, int] = {}
        self.sources: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self.open.pop() == tag


def test_report_is_one_whole_page_that_loads_nothing(tmp_path: Path) -> None:
    source = portrait_set(tmp_path / "a", [same, blurred(2), brighter(0.7)], actor="<b>anna & co")
    target = portrait_set(tmp_path / "b", [same] * 4, actor="bert")
    write_report(source, target, tmp_path / "out" / "report.html")
    text = (tmp_path / "out" / "report.html").read_text()
    page = Page(text)
    assert page.open == []
    assert page.counts["svg"] == 10
    assert page.counts["img"] >= 7 * 3
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.sources)
    assert not re.search(r"(?:https?:)?//", re.sub(r'src="data:[^"]*"', "", text))
    assert "&lt;b&gt;anna &amp; co" in text
    assert "<b>" not in text
    assert "prefers-color-scheme: dark" in text


def test_report_of_one_faceset_needs_no_target(tmp_path: Path) -> None:
    lines = write_report(portrait_set(tmp_path / "a", [same] * 3), None, tmp_path / "report.html")
    assert any("different faces" in line for line in lines)


def test_empty_faceset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoFaceError):
        write_report(portrait_set(tmp_path / "a", []), None, tmp_path / "report.html")


def many(records: list[FaceRecord], count: int, **figures: float) -> list[FaceRecord]:
    (record,) = records
    assert record.figures is not None
    looks = [bytes([i % 256, i // 256] * 192) for i in range(count)]
    varied = [replace(record.figures, **figures, look=look, hash=f"{i:016x}") for i, look in enumerate(looks)]
    return [replace(record, file=f"{figures}{i}", frame=100 * i, figures=f) for i, f in enumerate(varied)]


def test_advice_counts_what_the_target_has_and_the_source_lacks(tmp_path: Path) -> None:
    one = measured_records(portrait_set(tmp_path, [same]))
    source = many(one, 600) + many(one, 6, yaw=38.0)
    target = many(one, 400) + many(one, 412, yaw=38.0)
    lines = advice(source, target)
    assert lines[0].startswith(
        "412 of 812 faces of the target look to the right (yaw 15° to 45°), of the source 6: add footage"
    )
    assert not any("look ahead" in line for line in lines)


def test_advice_names_light_size_and_softness(tmp_path: Path) -> None:
    one = measured_records(portrait_set(tmp_path, [same]))
    source = many(one, 600, brightness=150.0, face_px=80.0, sharpness=0.2)
    text = "\n".join(advice(source, many(one, 100, brightness=100.0, face_px=300.0, sharpness=0.5)))
    assert "100 of 100 faces of the target are darker than nearly all of the source (brightness 100 against 150" in text
    assert "Faces of the source are 80 px high, of the target 300 px" in text
    assert "softer than the target (sharpness 0.20 against 0.50)" in text


def test_fitting_facesets_need_no_advice(tmp_path: Path) -> None:
    one = measured_records(portrait_set(tmp_path, [same]))
    assert advice(many(one, 600), many(one, 300)) == [
        "Nothing is missing that can be measured: angles, light, size and sharpness fit."
    ]


def test_a_small_source_is_not_told_to_look_where_all_of_it_looks(tmp_path: Path) -> None:
    one = measured_records(portrait_set(tmp_path, [same]))
    lines = advice(many(one, 60), many(one, 110) + many(one, 10, yaw=38.0))
    assert not any("look ahead" in line for line in lines)
    assert any("10 of 120 faces of the target look to the right" in line for line in lines)
