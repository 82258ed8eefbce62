"""Import of DeepFaceLab's weights: planted ones in its names and layouts, against its definition written out in numpy."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from faceswap.errors import UnsupportedInputError, UsageError
from faceswap.models.dfl_weights import read_dfl_model
from faceswap.models.importing import import_dfl_model
from faceswap.models.swap_model import SwapModel

Weights = dict[str, NDArray[np.float32]]
SIZE, E, D, M, AE, INTER = 64, 8, 8, 4, 32, 40


class Planter:
    """Random weights under the names that DeepFaceLab gives them."""

    def __init__(self, seed: int) -> None:
        self.rng, self.weights = np.random.default_rng(seed), {}

    def conv(self, name: str, inputs: int, outputs: int, kernel: int) -> None:
        spread = 1.2 / np.sqrt(inputs * kernel * kernel)
        self._put(name, (kernel, kernel, inputs, outputs), spread)

    def dense(self, name: str, inputs: int, outputs: int) -> None:
        self._put(name, (inputs, outputs), 1.2 / np.sqrt(inputs))

    def residual(self, name: str, channels: int) -> None:
        for conv in ("conv1", "conv2"):
            self.conv(f"{name}/{conv}", channels, channels, 3)

    def _put(self, name: str, shape: tuple[int, ...], spread: float) -> None:
        self.weights[f"{name}/weight:0"] = self.rng.normal(0, spread, shape).astype(np.float32)
        self.weights[f"{name}/bias:0"] = self.rng.normal(0, 0.1, shape[-1:]).astype(np.float32)


def plant_encoder(options: str, dense: bool = False) -> Weights:
    plant, channels = Planter(1), [3, E, 2 * E, 4 * E, 8 * E]
    if "t" not in options:
        for i in range(4):
            plant.conv(f"down1/downs_{i}/conv1", channels[i], channels[i + 1], 5)
        return plant.weights
    for i, (a, b) in enumerate(zip([*channels[:4], 8 * E], [*channels[1:], 8 * E], strict=True), 1):
        plant.conv(f"down{i}/conv1", a, b, 5)
    plant.residual("res1", E)
    plant.residual("res5", 8 * E)
    if dense:
        plant.dense("dense1", 8 * E * (SIZE // 32) ** 2, AE)
    return plant.weights


def plant_inter(seed: int, options: str, outputs: int) -> Weights:
    plant = Planter(seed)
    plant.dense("dense1", 8 * E * (SIZE // (32 if "t" in options else 16)) ** 2, AE)
    plant.dense("dense2", AE, outputs * (SIZE // (32 if "d" in options else 16)) ** 2)
    if "t" not in options:
        plant.conv("upscale1/conv1", outputs, outputs * 4, 3)
    return plant.weights


def plant_decoder(seed: int, options: str, inputs: int) -> Weights:
    plant, widths = Planter(seed), [8, 8, 4, 2] if "t" in options else [8, 4, 2]
    for i, (a, b) in enumerate(zip([inputs, *(D * w for w in widths)], [D * w for w in widths], strict=False)):
        plant.conv(f"upscale{i}/conv1", a, b * 4, 3)
        plant.residual(f"res{i}", b)
    mask = [*widths, *([1] if "d" in options else [])]
    for i, (a, b) in enumerate(zip([inputs, *(M * w for w in mask)], [M * w for w in mask], strict=False)):
        plant.conv(f"upscalem{i}/conv1", a, b * 4, 3)
    plant.conv("out_conv", D * 2, 3, 1)
    for i in (1, 2, 3) if "d" in options else ():
        plant.conv(f"out_conv{i}", D * 2, 3, 3)
    plant.conv("out_convm", M * mask[-1], 1, 1)
    return plant.weights


# DeepFaceLab's layers, on pictures (H, W, C).


def conv(x: NDArray, w: Weights, name: str, stride: int = 1) -> NDArray:
    kernel = w[f"{name}/weight:0"]
    side, pad = kernel.shape[0], kernel.shape[0] // 2  # it pads itself: the same on every side, whatever the stride
    padded = np.pad(x, ((pad, pad), (pad, pad), (0, 0)))
    height, width = x.shape[0] // stride, x.shape[1] // stride
    out = np.zeros((height, width, kernel.shape[3]), np.float32)
    for i in range(side):
        for j in range(side):
            out += padded[i : i + height * stride : stride, j : j + width * stride : stride] @ kernel[i, j]
    return out + w[f"{name}/bias:0"]


def leaky(x: NDArray, slope: float) -> NDArray:
    return np.where(x > 0, x, x * slope)


def depth_to_space(x: NDArray) -> NDArray:
    height, width, channels = x.shape
    x = x.reshape(height, width, 2, 2, channels // 4).transpose(0, 2, 1, 3, 4)
    return x.reshape(height * 2, width * 2, channels // 4)


def upscale(x: NDArray, w: Weights, name: str) -> NDArray:
    return depth_to_space(leaky(conv(x, w, f"{name}/conv1"), 0.1))


def residual(x: NDArray, w: Weights, name: str) -> NDArray:
    inner = conv(leaky(conv(x, w, f"{name}/conv1"), 0.2), w, f"{name}/conv2")
    return leaky(x + inner, 0.2)


def dense(x: NDArray, w: Weights, name: str) -> NDArray:
    return x @ w[f"{name}/weight:0"] + w[f"{name}/bias:0"]


def encode(bgr: NDArray, w: Weights, options: str) -> NDArray:
    x = bgr
    if "t" in options:
        for i in range(1, 6):
            x = leaky(conv(x, w, f"down{i}/conv1", 2), 0.1)
            x = residual(x, w, f"res{i}") if i in (1, 5) else x
    else:
        for i in range(4):
            x = leaky(conv(x, w, f"down1/downs_{i}/conv1", 2), 0.1)
    flat = x.transpose(2, 0, 1).reshape(-1)
    return flat / np.sqrt(np.mean(flat**2) + 1e-6) if "u" in options else flat


def grow(code: NDArray, w: Weights, options: str) -> NDArray:
    flat, side = dense(code, w, "dense2"), SIZE // (32 if "d" in options else 16)
    x = flat.reshape(-1, side, side).transpose(1, 2, 0)
    return upscale(x, w, "upscale1") if "t" not in options else x


def decode(z: NDArray, w: Weights, options: str) -> tuple[NDArray, NDArray]:
    x, mask = z, z
    steps = 4 if "t" in options else 3
    for i in range(steps):
        x = residual(upscale(x, w, f"upscale{i}"), w, f"res{i}")
    if "d" in options:
        names = ("out_conv", "out_conv1", "out_conv2", "out_conv3")
        x = depth_to_space(np.concatenate([conv(x, w, name) for name in names], axis=2))
    else:
        x = conv(x, w, "out_conv")
    for i in range(steps + ("d" in options)):
        mask = upscale(mask, w, f"upscalem{i}")
    mask = conv(mask, w, "out_convm")
    return 1 / (1 + np.exp(-x)), 1 / (1 + np.exp(-mask))


Forward = Callable[[NDArray], tuple[tuple[NDArray, NDArray], tuple[NDArray, NDArray]]]
"""BGR picture -> face and mask as the source, and as the destination."""


def plant(folder: Path, kind: str, options: str, dat: bool = True) -> Forward:
    """Write a model's files; return what it computes."""
    folder.mkdir(exist_ok=True)
    if kind == "df":
        parts = {"encoder": plant_encoder(options), "inter": plant_inter(2, options, AE)}
        parts |= {f"decoder_{side}": plant_decoder(seed, options, AE) for side, seed in (("src", 3), ("dst", 4))}
    elif kind == "liae":
        parts = {"encoder": plant_encoder(options), "decoder": plant_decoder(3, options, AE * 4)}
        parts |= {f"inter_{side}": plant_inter(seed, options, AE * 2) for side, seed in (("AB", 4), ("B", 5))}
    else:
        parts = {"encoder": plant_encoder(options, dense=True), "decoder": plant_decoder(3, options, INTER)}
        for side, seed in (("src", 4), ("dst", 5)):
            planter = Planter(seed)
            planter.dense("dense2", AE, INTER * (SIZE // 32) ** 2)
            parts[f"inter_{side}"] = planter.weights
    model_class = "AMP" if kind == "amp" else "SAEHD"
    for part, weights in parts.items():
        (folder / f"new_{model_class}_{part}.npy").write_bytes(pickle.dumps(weights, 4))
    if dat:
        said = {"archi": f"{kind}-{options}", "resolution": SIZE, "face_type": "wf"}
        content = {"iter": 1234, "options": said, "loss_history": [[0.5, 0.25]]}
        (folder / f"new_{model_class}_data.dat").write_bytes(pickle.dumps(content))

    def forward(bgr: NDArray) -> tuple[tuple[NDArray, NDArray], tuple[NDArray, NDArray]]:
        code = encode(bgr, parts["encoder"], options)
        if kind == "df":
            z = grow(dense(code, parts["inter"], "dense1"), parts["inter"], options)
            return decode(z, parts["decoder_src"], options), decode(z, parts["decoder_dst"], options)
        if kind == "liae":
            grown = {
                s: grow(dense(code, parts[f"inter_{s}"], "dense1"), parts[f"inter_{s}"], options) for s in ("AB", "B")
            }
            pairs = [("AB", "AB"), ("B", "AB")]
        else:
            code = dense(code, parts["encoder"], "dense1")
            grown = {s: grow(code, parts[f"inter_{s}"], options) for s in ("src", "dst")}
            pairs = [("src",), ("dst",)]
        source, destination = (np.concatenate([grown[s] for s in names], axis=2) for names in pairs)
        return decode(source, parts["decoder"], options), decode(destination, parts["decoder"], options)

    return forward


@pytest.mark.parametrize(
    ("kind", "options"),
    [("df", ""), ("df", "ud"), ("df", "udt"), ("liae", "u"), ("liae", "ud"), ("liae", "t"), ("amp", "udt")],
)
def test_an_imported_model_computes_what_deepfacelab_computes(tmp_path: Path, kind: str, options: str) -> None:
    forward = plant(tmp_path / "dfl", kind, options)
    import_dfl_model(tmp_path / "dfl", tmp_path / "model", ("kim", "lee"))
    model = SwapModel.load(tmp_path / "model", device="cpu", precision="fp32")
    assert model.spec.network.options == ("" if kind == "amp" else options)
    assert (model.crop.coverage, model.crop.template, model.crop.size) == ("whole_face", "dfl-1", SIZE)
    patch = np.random.default_rng(0).random((3, SIZE, SIZE), np.float32)
    expected = forward(patch[::-1].transpose(1, 2, 0))
    spreads = []
    for identity, (face, mask) in zip(("kim", "lee"), expected, strict=True):
        found = model.swap(torch.from_numpy(patch[None]), to=identity)
        np.testing.assert_allclose(found.pixels[0].numpy(), face[..., ::-1].transpose(2, 0, 1), atol=2e-4)
        np.testing.assert_allclose(found.mask[0].numpy(), mask.transpose(2, 0, 1), atol=2e-4)
        spreads.append(face.std())
    assert min(spreads) > 0.05  # the comparison is of pictures, not of grey


def test_letters_that_weights_do_not_show_have_to_be_said(tmp_path: Path) -> None:
    plant(tmp_path / "dfl", "df", "ud", dat=False)
    with pytest.raises(UsageError, match="--options"):
        read_dfl_model(tmp_path / "dfl")
    with pytest.raises(UsageError, match="show the option 'd'"):
        read_dfl_model(tmp_path / "dfl", options="u", face_type="wf")
    with pytest.raises(UsageError, match="--face-type"):
        read_dfl_model(tmp_path / "dfl", options="ud", face_type="head")
    found = read_dfl_model(tmp_path / "dfl", options="ud", face_type="f")
    assert (found.name, found.crop.coverage) == ("new_SAEHD", "face")
    network = found.network
    assert (network.size, network.encoder_dim, network.decoder_dim, network.mask_dim) == (SIZE, E, D, M)


def test_one_of_several_models_is_chosen_by_name(tmp_path: Path) -> None:
    plant(tmp_path, "df", "d")
    plant(tmp_path, "amp", "udt")
    with pytest.raises(UsageError, match="new_AMP, new_SAEHD"):
        read_dfl_model(tmp_path)
    assert read_dfl_model(tmp_path, name="new_SAEHD").iterations == 1234


def test_nothing_in_the_files_is_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple:
            return Path.touch, (tmp_path / "was_here",)

    plant(tmp_path / "dfl", "df", "d")
    (tmp_path / "dfl" / "new_SAEHD_inter.npy").write_bytes(pickle.dumps({"dense1/weight:0": Evil()}))
    with pytest.raises(UnsupportedInputError, match="refused"):
        read_dfl_model(tmp_path / "dfl")
    assert not (tmp_path / "was_here").exists()


@pytest.mark.parametrize("damage", [{}, {"dense1/weight:0": np.zeros((3, 3), np.float32)}, [1], {"x": "text"}])
def test_files_of_something_else_are_refused(tmp_path: Path, damage: object) -> None:
    plant(tmp_path / "dfl", "df", "d")
    (tmp_path / "dfl" / "new_SAEHD_inter.npy").write_bytes(pickle.dumps(damage))
    with pytest.raises(UnsupportedInputError, match="DeepFaceLab"):
        read_dfl_model(tmp_path / "dfl")


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    plant(tmp_path / "dfl", "df", "d")
    path = tmp_path / "dfl" / "new_SAEHD_decoder_dst.npy"
    path.write_bytes(pickle.dumps(plant_decoder(4, "d", AE + 1)))
    with pytest.raises(UnsupportedInputError, match="does not fit df"):
        import_dfl_model(tmp_path / "dfl", tmp_path / "model", ("kim", "lee"))


def test_a_model_folder_is_not_written_over(tmp_path: Path) -> None:
    plant(tmp_path / "dfl", "df", "d")
    import_dfl_model(tmp_path / "dfl", tmp_path / "model", ("kim", "lee"))
    with pytest.raises(UsageError, match="another folder"):
        import_dfl_model(tmp_path / "dfl", tmp_path / "model", ("kim", "lee"))
