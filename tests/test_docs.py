"""Pages that are named are there, and links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("datasets", "docker", "docs", "faceswap", "tests", "tools", "training")
TEXTS = sorted(p for folder in FOLDERS for kind in ("py", "md") for p in (ROOT / folder).rglob(f"*.{kind}"))
TEXTS += sorted(ROOT.glob("*.md"))
PAGES = [path for path in TEXTS if path.suffix == ".md"]
NAMED_PAGE = re.compile(r"(?<![\w/.-])docs/[\w./-]+\.md\b")
LINK = re.compile(r"\]\(([^)\s]+)\)")
OUTSIDE = ("http://", "https://", "mailto:")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def anchors_of(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as code hosts make them."""
    headings = re.findall(r"^#+ +(.+?) *$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> list[str]:
    broken = []
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if link.startswith(OUTSIDE):
            continue
        place, _, anchor = link.partition("#")
        target = page.parent / place if place else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors_of(target)):
            broken.append(link)
    return broken


def test_pages_that_texts_name_are_there() -> None:
    named = {(name_of(p), page) for p in TEXTS for page in NAMED_PAGE.findall(p.read_text(encoding="utf-8"))}
    assert ("faceswap/faces/index.py", "docs/formats/face-index.md") in named
    assert sorted(pair for pair in named if not (ROOT / pair[1]).is_file()) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_broken_links_are_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One: *two*\n[a](#one-two) [b](page.md) [c](gone.md) [d](page.md#three) [e](https://example.org/x)"
    )
    assert broken_links(page) == ["gone.md", "page.md#three"]


def test_every_setting_of_a_conversion_is_documented() -> None:
    from faceswap.convert.config import ConvertConfig
    from faceswap.convert.face_settings import FaceSettings, Override

    page = (ROOT / "docs/formats/settings.md").read_text(encoding="utf-8")
    of_faces, of_job, of_overrides = re.split(r"^## .*$", page, flags=re.MULTILINE)[1:4]

    def keys(text: str) -> set[str]:
        rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
        return {key for row in rows for key in re.findall(r"`(\w+)`", row)}

    assert keys(of_faces) == set(FaceSettings.model_fields)
    assert keys(of_job) == set(ConvertConfig.model_fields) - set(FaceSettings.model_fields) - {"override"}
    assert keys(of_overrides) == set(Override.model_fields) - set(FaceSettings.model_fields)
