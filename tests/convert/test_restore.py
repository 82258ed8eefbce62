"""Restored and twice-swapped faces: what the network is shown, where its detail goes, and how much of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import make_clip
from makers import face_at, noise_frame, tiny_model
from numpy.typing import NDArray
from onnx_files import planted, restorer_file, write

from faceswap import geometry
from faceswap.convert import blend
from faceswap.convert.casting import Role
from faceswap.convert.config import ConvertConfig
from faceswap.convert.engine import SwapEngine
from faceswap.convert.mask_files import files_used
from faceswap.convert.passes import swap_in_passes
from faceswap.convert.plan_checks import check_masks
from faceswap.convert.rendered import Layer
from faceswap.convert.restore import FaceRestoration
from faceswap.errors import FaceswapError
from faceswap.faces.registry import make_restorer
from faceswap.media.reader import VideoReader
from faceswap.models.swap_model import SwapModel
from faceswap.progress import StageTimes
from faceswap.types import CropSpec, Frame

SIZE = (160, 200)
FACE = face_at(100, 60, 40)
PLAIN = {"match": "none", "light": 0, "sharpness": 0, "grain": "off", "occlusion": "off"}
CROP = CropSpec(64, "whole_face")
Picture = NDArray[np.float32]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SwapModel:
    return SwapModel.load(tiny_model(tmp_path_factory.mktemp("model")), device="cpu", precision="fp32")


def frame() -> Frame:
    return noise_frame("yuv444p", SIZE, seed=1)


def layer(model: SwapModel, **over: object) -> Layer:
    config = ConvertConfig.model_validate({**PLAIN, **over})
    engine = SwapEngine([model], {0: Role(0, "anna")}, config, StageTimes())
    return engine.process([frame()], [[FACE]], [0])[0].layers[0]


def restored(path: Path, *, strength: float, crop: CropSpec = CROP) -> tuple[Picture, Picture, Picture, Picture]:
    """Return (large footage, large swap, restored swap, its mask) of a flat gray swap laid into a frame of noise."""
    file = restorer_file(path / "r.onnx", 128)
    settings = ConvertConfig(restore=file, restore_strength=strength)
    restoration = FaceRestoration([settings], device="cpu")
    given = restoration.look(frame(), FACE, crop, settings)
    assert given is not None
    swapped = np.full((3, 64, 64), 0.6, dtype=np.float32)
    mask = np.zeros((1, 64, 64), dtype=np.float32)
    mask[:, 12:52, 12:52] = 1
    found = restoration.restore(given, swapped, mask, crop, settings)
    return given.patch.pixels, np.full_like(given.patch.pixels, 0.6), found.pixels, found.mask


def test_what_is_drawn_at_an_eye_appears_at_the_eye(tmp_path: Path) -> None:
    """A network that answers with a spot in the middle of FFHQ's left eye, whatever it is shown."""
    answer = np.full((1, 3, 256, 256), -0.9, dtype=np.float32)
    y, x = np.indices((256, 256)) + 0.5
    answer += 1.8 * np.exp(-((x - 96.5) ** 2 + (y - 120.0) ** 2) / 50).astype(np.float32)
    file = write(tmp_path / "spot.onnx", planted({"out": answer}, (1, 3, 256, 256)))
    settings = ConvertConfig(restore=file, restore_strength=1)
    restoration = FaceRestoration([settings], device="cpu")
    given = restoration.look(frame(), FACE, CROP, settings)
    assert given is not None
    mask = np.zeros((1, 64, 64), dtype=np.float32)
    mask[:, 8:56, 8:56] = 1
    found = restoration.restore(given, np.full((3, 64, 64), 0.6, dtype=np.float32), mask, CROP, settings).pixels
    row, column = np.unravel_index(found[0].argmax(), found[0].shape)
    eye = geometry.apply(given.patch.patch_from_frame, FACE.landmarks[:1])[0]
    # The mean face's eyes lie a little nearer to each other than FFHQ's, at the same distance of eyes and mouth.
    assert np.hypot(column + 0.5 - eye[0], row + 0.5 - eye[1]) < 0.03 * found.shape[-1]


@pytest.mark.parametrize("strength", [0.25, 0.6, 1.0])
def test_strength_is_the_share_of_what_the_network_draws(tmp_path: Path, strength: float) -> None:
    """The network darkens by an eighth; deep inside the mask nothing else has a say."""
    _, plain, found, mask = restored(tmp_path, strength=strength)
    deep = cv2.erode(mask[0], np.ones((9, 9))) > 0.999
    assert deep.sum() > 1000
    np.testing.assert_allclose((plain - found)[:, deep], 0.125 * strength, atol=2e-3)


def test_a_restored_face_is_as_large_as_the_networks_pictures(tmp_path: Path) -> None:
    footage, _, found, mask = restored(tmp_path, strength=1)
    network = make_restorer(restorer_file(tmp_path / "s.onnx", 128), device="cpu")
    assert found.shape == footage.shape
    assert found.dtype == mask.dtype == np.float32
    assert mask.shape == (1, *found.shape[1:])
    units = 128 / network.patch_from_canonical[0, 0]
    assert found.shape[-1] == pytest.approx(128 * 3.7 / units, abs=4)
    assert 0 <= found.min() <= found.max() <= 1


def test_outside_of_what_the_network_saw_the_swap_stays(tmp_path: Path) -> None:
    """A head's crop is wider than its picture."""
    _, plain, found, _ = restored(tmp_path, strength=1, crop=CropSpec(64, "head"))
    rim = 12
    assert np.abs(found - plain)[:, rim:-rim, rim:-rim].max() > 0.1
    for part in (np.s_[:, :rim], np.s_[:, -rim:], np.s_[:, :, :rim], np.s_[:, :, -rim:]):
        np.testing.assert_allclose(found[part], plain[part], atol=1e-4)


def test_alpha_is_not_applied_twice_at_the_masks_edge(tmp_path: Path) -> None:
    """The network sees a mixture there; what it changes is taken, not the footage in that mixture."""
    footage, plain, found, mask = restored(tmp_path, strength=1)
    edge = (mask[0] > 0.2) & (mask[0] < 0.8)
    assert np.abs(footage - plain)[:, edge].mean() > 0.15
    assert np.abs(plain - found - 0.125)[:, edge].mean() < 0.03


def test_the_restored_face_lies_where_the_swap_did(model: SwapModel, tmp_path: Path) -> None:
    """A network that changes little: the pasted picture is the same but for the change of size."""
    file = restorer_file(tmp_path / "r.onnx", 256, weight=("w", 11, ()))  # with w = 0 it changes nothing at all
    small, large = layer(model), layer(model, restore=file, restore_strength=1, restore_faithfulness=0)
    assert large.patch.pixels.shape[-1] > small.patch.pixels.shape[-1] == 64
    assert large.raw.shape == large.patch.pixels.shape
    before, after = (blend.paste(frame(), each.patch).planes[0].astype(float) for each in (small, large))
    assert np.abs(after - before).mean() < 0.6
    assert np.quantile(np.abs(after - before), 0.999) < 12


def test_colours_are_matched_after_restoring(model: SwapModel, tmp_path: Path) -> None:
    """What the network makes darker is put right by the match, as any other fault of colour."""
    file = restorer_file(tmp_path / "r.onnx", 128)
    footage = blend.cut(frame(), FACE, CROP).pixels
    for match, is_matched in (("none", False), ("mean", True)):
        found = layer(model, restore=file, restore_strength=1, match=match).patch
        assert found.mask is not None
        weight = found.mask[0]
        mean = (found.pixels * weight).sum(axis=(1, 2)) / weight.sum()
        offset = np.abs(mean - footage.mean(axis=(1, 2))).max()
        assert bool(offset < 0.05) is is_matched


@pytest.mark.parametrize("over", [{"restore_strength": 0}, {"restore": "none"}])
def test_nothing_is_restored_unless_asked_for(model: SwapModel, tmp_path: Path, over: dict[str, object]) -> None:
    file = restorer_file(tmp_path / "r.onnx", 128)
    np.testing.assert_array_equal(layer(model, **{"restore": file, **over}).patch.pixels, layer(model).patch.pixels)


def test_opacity_and_parts_fit_the_larger_patch(model: SwapModel, tmp_path: Path) -> None:
    file = restorer_file(tmp_path / "r.onnx", 128)
    whole, half = (layer(model, restore=file, opacity=opacity).patch.mask for opacity in ("1", "0.5,eyes=1"))
    assert whole is not None
    assert half is not None
    share = half[whole > 0.99] / whole[whole > 0.99]
    assert (share.min(), share.max()) == (pytest.approx(0.5, abs=0.01), pytest.approx(1, abs=0.01))


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "no such file"), (b"no network", "is not an ONNX file"), ("swapper", "is no restorer of a known kind")],
)
def test_files_that_restore_nothing_are_refused_before_work_starts(
    tmp_path: Path, content: bytes | str | None, said: str
) -> None:
    path = tmp_path / "r.onnx"
    if content is not None:
        small = planted({"out": np.zeros((1, 3, 64, 64))}, (1, 3, 64, 64))
        write(path, content if isinstance(content, bytes) else small)
    clip = make_clip(tmp_path / "in.mkv", size=SIZE, num_frames=4)
    info = VideoReader(clip).info
    with pytest.raises(FaceswapError, match=said):
        check_masks(ConvertConfig(restore=str(path)), info)
    with pytest.raises(FaceswapError, match=said):
        check_masks(ConvertConfig.model_validate({"override": [{"tracks": "1", "restore": str(path)}]}), info)


def test_a_restorer_is_known_by_its_bytes(tmp_path: Path) -> None:
    """Segments made with another network of the same name are of no use."""
    path = Path(restorer_file(tmp_path / "r.onnx", 128))
    config = ConvertConfig.model_validate({"restore": str(path), "override": [{"tracks": "1", "restore": str(path)}]})
    before = files_used(config)
    assert before.keys() == {"restorer", "restorer of override 1"}
    restorer_file(path, 256)
    assert files_used(config) != before


def halves(given: list[Picture]) -> tuple[list[Picture], list[Picture | None]]:
    """A swap that halves what it is shown, and says that the left half is face."""
    mask = np.zeros((1, 4, 4), dtype=np.float32)
    mask[..., :2] = 1
    return [picture / 2 for picture in given], [mask.copy() for _ in given]


def test_a_second_pass_sees_the_first_ones_face_in_the_footage() -> None:
    originals = [np.full((3, 4, 4), value, dtype=np.float32) for value in (0.8, 0.4)]
    place = np.zeros((1, 4, 4), dtype=np.float32)
    place[:, :3] = 1
    pixels, network_masks = swap_in_passes(lambda given: halves(list(given)), originals, [place, place], [2, 1])
    twice = np.full((3, 4, 4), 0.4)
    twice[:, :3, :2] = 0.2
    np.testing.assert_allclose(pixels[0], twice)
    np.testing.assert_allclose(pixels[1], 0.2)
    assert all(mask is not None and mask[..., :2].min() == 1 and mask[..., 2:].max() == 0 for mask in network_masks)


def test_one_pass_is_the_network_alone(model: SwapModel) -> None:
    once, twice = (layer(model, passes=passes) for passes in (1, 2))
    batch = np.stack([replace(blend.cut(frame(), FACE, model.crop)).pixels])
    import torch

    alone = model.swap(torch.from_numpy(batch), to="anna").pixels.cpu().numpy()[0]
    np.testing.assert_allclose(once.raw, alone, atol=1e-6)
    assert np.abs(twice.raw - once.raw).max() > 1e-3
    np.testing.assert_array_equal(np.asarray(twice.patch.mask), np.asarray(once.patch.mask))
