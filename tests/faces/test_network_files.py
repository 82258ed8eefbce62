"""From names to networks: paths, the store, insightface packs, and what is said when there is none."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from makers import FixedDetector, detector
from onnx_files import pixel_reader, planted, scrfd_outputs, with_external_weights, write

from faceswap.errors import UnsupportedInputError, UsageError
from faceswap.faces.adding import add_weights
from faceswap.faces.registry import make_detector, make_encoder, make_landmarker, require_points
from faceswap.store import WeightsStore
from faceswap.weights import weights_registry

SCRFD = planted(scrfd_outputs((64, 96), 8, 2, 3, 0))
POINTS_106 = planted({"values": np.zeros((1, 212))}, ("n", 3, 192, 192))
ENCODER = pixel_reader([(y, y) for y in range(20)], 112)
GENDER = planted({"values": np.zeros((1, 3))}, ("n", 3, 96, 96))


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("FACESWAP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    return tmp_path


def make_pack(folder: Path) -> Path:
    write(folder / "det_10g.onnx", SCRFD)
    write(folder / "2d106det.onnx", POINTS_106)
    write(folder / "w600k_r50.onnx", ENCODER)
    write(folder / "genderage.onnx", GENDER)
    return folder


@pytest.mark.parametrize("is_by_name", [True, False])
def test_a_pack_gives_each_network_its_file(home: Path, is_by_name: bool) -> None:
    folder = make_pack(home / "user" / ".insightface" / "models" / "buffalo_l")
    name = "buffalo_l" if is_by_name else str(folder)
    assert make_detector(name).name.startswith("scrfd-1-")
    assert make_landmarker(name).name.startswith("insight106-1-")
    assert make_encoder(name).name.startswith("arcface-1-")


def test_files_of_a_pack_are_known_by_what_they_are_not_by_name(home: Path) -> None:
    write(home / "pack" / "first.onnx", GENDER)
    write(home / "pack" / "second.onnx", SCRFD)
    assert make_detector(str(home / "pack")).name.startswith("scrfd-1-")


def test_a_pack_without_the_network_says_what_it_has(home: Path) -> None:
    write(home / "pack" / "genderage.onnx", GENDER)
    with pytest.raises(UnsupportedInputError, match=r"holds no encoder; it has: genderage\.onnx"):
        make_encoder(str(home / "pack"))


def test_known_weights_that_are_not_here_name_the_command_and_the_default() -> None:
    with pytest.raises(UsageError, match="models fetch yunet") as caught:
        make_detector("yunet")
    assert "without it 'centerface' is used, which is embedded" in str(caught.value)
    with pytest.raises(UsageError, match=r"models fetch sface .*no encoder is embedded"):
        make_encoder("sface")


def test_unknown_names_list_what_there_is(home: Path) -> None:
    add_weights(WeightsStore.of_user(), Path(write(home / "mine.onnx", SCRFD)))
    with pytest.raises(UsageError, match=r"no detector 'nope'; there are: centerface, yunet, .*mine, the path of"):
        make_detector("nope")


@pytest.mark.parametrize("name", ["gone/det.onnx", "gone.onnx"])
def test_paths_that_lead_nowhere_are_called_files(name: str) -> None:
    with pytest.raises(UsageError, match="no such file"):
        make_detector(name)


def test_added_weights_are_used_by_name(home: Path) -> None:
    file = home / "My Detector v2.onnx"
    name, entry = add_weights(WeightsStore.of_user(), Path(write(file, SCRFD)), facts={"licence": "MIT"})
    assert (name, entry.role, entry.kind, entry.licence) == ("my-detector-v2", "detector", "scrfd-1", "MIT")
    file.unlink()
    ((face,),) = make_detector(name).detect(np.zeros((1, 64, 96, 3), np.uint8))
    assert face.score == pytest.approx(0.8)


def test_files_known_by_hash_get_the_facts_and_the_name(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = Path(write(home / "anything.bin", ENCODER))
    known = weights_registry()
    known["sface"] = known["sface"].model_copy(update={"sha256": hashlib.sha256(ENCODER).hexdigest()})
    for module in ("weights", "faces.adding", "faces.network_files"):
        monkeypatch.setattr(f"faceswap.{module}.weights_registry", lambda: known)
    name, entry = add_weights(WeightsStore.of_user(), file, facts={"licence": "mine"})
    assert (name, entry.licence, entry.commercial) == ("sface", "Apache-2.0", "yes")
    assert make_encoder("sface").sha256 == entry.sha256


def test_other_weights_cannot_take_a_known_name(home: Path) -> None:
    with pytest.raises(UsageError, match=r"'yunet' is the name of other weights .*--name"):
        add_weights(WeightsStore.of_user(), Path(write(home / "yunet.onnx", SCRFD)))


@pytest.mark.parametrize("data", [GENDER, b"#!/bin/sh", with_external_weights(SCRFD)])
def test_what_cannot_be_used_is_not_added(home: Path, data: bytes) -> None:
    with pytest.raises(UnsupportedInputError):
        add_weights(WeightsStore.of_user(), Path(write(home / "x.onnx", data)))
    assert not WeightsStore.of_user().folder.exists()


def test_boxes_alone_do_not_align_faces(home: Path) -> None:
    boxes = write(home / "boxes.onnx", planted(scrfd_outputs((64, 96), 8, 2, 3, 0, has_points=False)))
    marks = make_landmarker(write(home / "marks.onnx", POINTS_106))
    with pytest.raises(UsageError, match=r"finds boxes only.*--landmarks"):
        require_points(make_detector(boxes), None)
    require_points(make_detector(boxes), marks)
    require_points(detector(), None)
    require_points(FixedDetector(), None)
