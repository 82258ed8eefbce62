"""The report in a real browser: needs the package playwright and a Chromium (on PATH, or named by CHROMIUM)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from clips import astronaut_picture, make_clip
from makers import detector

from faceswap.evaluate.report import report_html
from faceswap.evaluate.run import evaluate_clip

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome-headless-shell")
_ARGUMENTS = (
    "--headless=shell --no-sandbox --no-zygote --single-process --disable-gpu --use-gl=angle --use-angle=swiftshader"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.skip("no Chromium on PATH (or named by CHROMIUM)")
    with api.sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=program, args=_ARGUMENTS.split())


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")

    def blurred(frame: int) -> np.ndarray:
        return cv2.GaussianBlur(astronaut_picture((160, 200), frame), (0, 0), 1.5)

    before = make_clip(folder / "in.mkv", size=(160, 200), picture=lambda i: astronaut_picture((160, 200), i))
    after = make_clip(folder / "out.mkv", size=(160, 200), picture=blurred)
    (folder / "page.html").write_text(report_html(evaluate_clip(before, after, detector())), encoding="utf-8")
    return folder / "page.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_opens_without_errors_or_foreign_hosts_and_its_sliders_move(
    browser: Any, page_file: Path, scheme: str, tmp_path: Path
) -> None:
    page = browser.new_page(viewport={"width": 1100, "height": 800}, color_scheme=scheme)
    foreign: list[str] = []
    errors: list[str] = []
    page.on("request", lambda r: None if r.url.startswith(("file:", "data:")) else foreign.append(r.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(page_file.as_uri())
    handle = page.locator(".slider input").first
    handle.evaluate("e => { e.value = 20; e.dispatchEvent(new Event('input')); }")
    assert page.locator(".slider").first.evaluate("e => e.style.getPropertyValue('--at')") == "20%"
    page.screenshot(path=str(tmp_path / "page.png"), full_page=True)
    assert (foreign, errors) == ([], [])
    picture = cv2.imread(str(tmp_path / "page.png"), cv2.IMREAD_GRAYSCALE)
    assert picture.shape[0] > 1500
    assert (np.median(picture) > 200) == (scheme == "light")
    # Nothing sticks out to the side.
    assert page.evaluate("document.documentElement.scrollWidth") <= 1100
