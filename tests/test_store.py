from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

from faceswap import weights
from faceswap.errors import FaceswapError, UnsupportedInputError, UsageError
from faceswap.progress import Progress
from faceswap.store import WeightsStore, data_home, download

DATA = bytes(range(256)) * 20
SHA256 = hashlib.sha256(DATA).hexdigest()
FACTS = {"role": "detector", "kind": "yunet-1"}
URL = "https://example.org/w.onnx"


@pytest.fixture
def store(tmp_path: Path) -> WeightsStore:
    return WeightsStore(tmp_path / "weights")


class Answer(io.BytesIO):
    """What `urlopen` gives."""

    def __init__(self, data: bytes, url: str = URL) -> None:
        super().__init__(data)
        self._url = url

    def geturl(self) -> str:
        return self._url


def server(data: bytes, url: str = URL) -> Any:
    return lambda asked, timeout: Answer(data, url)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"FACESWAP_HOME": "/data/own", "XDG_DATA_HOME": "/xdg"}, Path("/data/own")),
        ({"XDG_DATA_HOME": "/xdg"}, Path("/xdg/faceswap")),
        ({"XDG_DATA_HOME": "not/absolute"}, Path.home() / ".local/share/faceswap"),
        ({}, Path.home() / ".local/share/faceswap"),
    ],
)
def test_the_folder_follows_the_environment(environment: dict[str, str], expected: Path) -> None:
    assert data_home(environment) == expected


def test_what_is_added_is_read_back_and_can_be_removed(store: WeightsStore) -> None:
    entry = store.add("mine", DATA, ".onnx", {**FACTS, "licence": "MIT", "commercial": "yes"})
    assert (entry.sha256, entry.size, entry.licence) == (SHA256, len(DATA), "MIT")
    assert store.entries() == {"mine": entry}
    assert store.read("mine") == DATA
    store.remove("mine")
    assert store.entries() == {}
    assert list(store.folder.iterdir()) == []


def test_a_taken_name_is_not_overwritten(store: WeightsStore) -> None:
    store.add("mine", DATA, ".onnx", FACTS)
    with pytest.raises(UsageError, match="choose another --name"):
        store.add("mine", b"other", ".onnx", FACTS)
    assert store.read("mine") == DATA


@pytest.mark.parametrize("name", ["", "../x", "A", "a/b", ".hidden", "a" * 65])
def test_names_that_could_leave_the_folder_are_refused(store: WeightsStore, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a name"):
        store.add(name, DATA, ".onnx", FACTS)
    assert store.get(name) is None


def test_changed_weights_are_refused_with_the_remedy(store: WeightsStore) -> None:
    store.add("mine", DATA, ".onnx", FACTS)
    (store.folder / "mine.onnx").write_bytes(DATA[:-1] + b"x")
    with pytest.raises(FaceswapError, match="models remove mine"):
        store.read("mine")
    (store.folder / "mine.onnx").unlink()
    with pytest.raises(FaceswapError, match="models remove mine"):
        store.read("mine")


def test_facts_that_point_out_of_the_folder_are_refused(store: WeightsStore, tmp_path: Path) -> None:
    store.add("mine", DATA, ".onnx", FACTS)
    facts = store.folder / "mine.json"
    facts.write_text(json.dumps({**json.loads(facts.read_text()), "file": "../secret"}))
    with pytest.raises(FaceswapError, match="not a file name"):
        store.read("mine")


def test_damaged_facts_are_named(store: WeightsStore) -> None:
    store.add("mine", DATA, ".onnx", FACTS)
    (store.folder / "mine.json").write_text("{")
    with pytest.raises(FaceswapError, match=r"mine\.json is damaged"):
        store.entries()


def test_weights_without_facts_are_nothing(store: WeightsStore) -> None:
    store.add("mine", DATA, ".onnx", FACTS)
    (store.folder / "mine.json").unlink()  # killed before the facts were written
    assert store.entries() == {}
    store.add("mine", DATA, ".onnx", FACTS)
    assert store.read("mine") == DATA


def test_the_pinned_bytes_are_downloaded(store: WeightsStore) -> None:
    reports: list[Progress] = []
    got = download(URL, SHA256, len(DATA), store.folder, on_progress=reports.append, open_url=server(DATA))
    assert got == DATA
    assert reports[-1].done == reports[-1].total == len(DATA)
    assert list(store.folder.iterdir()) == []


@pytest.mark.parametrize("data", [DATA[:-1], DATA + b"x", DATA[:-1] + b"x", b""])
def test_other_bytes_are_not_kept(store: WeightsStore, data: bytes) -> None:
    with pytest.raises(UnsupportedInputError, match="other bytes than those pinned"):
        download(URL, SHA256, len(DATA), store.folder, open_url=server(data))
    assert list(store.folder.iterdir()) == []


def test_addresses_without_encryption_are_refused(store: WeightsStore) -> None:
    with pytest.raises(UsageError, match="not an https address"):
        download("http://example.org/w.onnx", SHA256, len(DATA), store.folder, open_url=server(DATA))
    with pytest.raises(UnsupportedInputError, match="not https"):
        download(URL, SHA256, len(DATA), store.folder, open_url=server(DATA, "http://example.org/w.onnx"))


def test_without_a_connection_the_other_way_is_named(store: WeightsStore) -> None:
    def no_connection(asked: str, timeout: float) -> Any:
        raise URLError("no route to host")

    with pytest.raises(FaceswapError, match=r"no route to host.*models add FILE"):
        download(URL, SHA256, len(DATA), store.folder, open_url=no_connection)


def test_fetched_weights_are_stored_with_their_facts(store: WeightsStore, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = weights.weights_registry()["yunet"].model_copy(update={"sha256": SHA256, "size": len(DATA)})
    monkeypatch.setattr(weights, "weights_registry", lambda: {"yunet": entry})
    monkeypatch.setattr(weights, "download", lambda *_, **__: DATA)
    with pytest.raises(UsageError, match="models fetch yunet"):
        weights.read_weights("yunet", store)
    stored = weights.fetch_weights("yunet", store)
    assert (stored.licence, stored.commercial, stored.source) == ("MIT", "yes", entry.url)
    assert weights.read_weights("yunet", store) == DATA
    with pytest.raises(UsageError, match="stored already"):
        weights.fetch_weights("yunet", store)


def test_other_weights_under_a_known_name_are_not_trusted(store: WeightsStore) -> None:
    store.add("yunet", DATA, ".onnx", FACTS)
    with pytest.raises(FaceswapError, match="are not the weights of that name"):
        weights.read_weights("yunet", store)
