"""What holds for all tests: none reads or writes the data of the person who runs them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _home_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Consent records, keys, the registry and weights go to a folder of this run; processes that tests start inherit it."""
    before = os.environ.get("FACESWAP_HOME")
    os.environ["FACESWAP_HOME"] = str(tmp_path_factory.mktemp("home"))
    yield
    if before is None:
        del os.environ["FACESWAP_HOME"]
    else:
        os.environ["FACESWAP_HOME"] = before


@pytest.fixture
def without_watermark(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let conversions of this process leave the watermark out: it differs between any two of them, and so do the pixels."""
    from faceswap.convert.plan import ConvertPlan

    monkeypatch.setattr(ConvertPlan, "watermark_id", None)
