"""Stages in whole runs, and what they are made of: carried weights, own swaps, discriminator, plugged encoders."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from makers import tiny_config, tiny_faceset, tiny_state
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import load_file

from faceswap.device import choose_compute
from faceswap.errors import UnsupportedInputError, UsageError
from faceswap.models.checkpoint import find_checkpoint
from faceswap.models.swap_model import SwapModel
from faceswap.train.augment import Batch
from faceswap.train.carry import carry
from faceswap.train.config import StageSettings
from faceswap.train.critic import Critic
from faceswap.train.identity_loss import load_identity_loss
from faceswap.train.loop import train_model
from faceswap.train.losses import Truth
from faceswap.train.step import Stepper
from faceswap.types import CropSpec

CPU = choose_compute("cpu", "fp32")
NETWORK = {"name": "df", "size": 96, "encoder_dim": 8, "decoder_dim": 8, "bottleneck_dim": 32, "mask_dim": 4}
STAGES = [
    {"name": "coarse", "until": "4 steps", "size": 64},
    {"name": "full", "until": "4 steps", "warm_up": 2, "freeze": ["encoder"]},
    {"name": "pairs", "until": "3 steps", "warp": False, "pairs": 1.0, "reset": ["bottleneck.grow"]},
    {"name": "critic", "until": "4 steps", "gan": 0.1},
]


@pytest.fixture(scope="module")
def facesets(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("facesets")
    return [tiny_faceset(folder / actor, actor) for actor in ("anna", "bert")]


def staged(facesets: list[Path], model: Path, **over: Any) -> list[str]:
    notes: list[str] = []
    values: dict[str, Any] = {
        "steps": None,
        "network": NETWORK,
        "stage": STAGES,
        "checkpoint_every": 1,
        "keep_checkpoints": 99,
    }
    train_model(facesets, model, tiny_config(**values | over), device="cpu", on_note=notes.append)
    return notes


def weights(model: Path, step: int, part: str = "weights") -> dict[str, torch.Tensor]:
    return load_file(model / f"step-{step:09d}" / f"{part}.safetensors")


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory, facesets: list[Path]) -> tuple[Path, list[str]]:
    model = tmp_path_factory.mktemp("straight") / "model"
    return model, staged(facesets, model)


def test_stages_follow_each_other_and_are_said(straight: tuple[Path, list[str]]) -> None:
    model, notes = straight
    assert find_checkpoint(model).step == 15
    said = [note for note in notes if note.startswith("stage")]
    assert [note.split(" from ")[0] for note in said] == [
        "stage 1 (coarse)",
        "stage 2 (full)",
        "stage 3 (pairs)",
        "stage 4 (critic)",
    ]
    assert "64 to 96 px" in said[1]
    assert SwapModel.load(model, device="cpu").crop.size == 96


def test_frozen_parts_stay_and_others_move(straight: tuple[Path, list[str]]) -> None:
    first, last = weights(straight[0], 5), weights(straight[0], 8)
    for name in first:
        assert torch.equal(first[name], last[name]) == name.startswith("encoder"), name


@pytest.mark.parametrize("step", [2, 4, 6, 8, 10, 13])
def test_run_resumed_in_the_middle_of_a_stage_equals_one_without_a_break(
    tmp_path: Path, facesets: list[Path], straight: tuple[Path, list[str]], step: int
) -> None:
    name = f"step-{step:09d}"
    shutil.copytree(straight[0] / name, tmp_path / "model" / name)
    staged(facesets, tmp_path / "model")
    for part in ("weights", "ema", "optimizer", "state", "critic"):
        first, second = weights(straight[0], 15, part), weights(tmp_path / "model", 15, part)
        assert first.keys() == second.keys()
        assert all(torch.equal(first[key], second[key]) for key in first), part


def test_run_of_another_size_than_any_stage_is_refused(facesets: list[Path], tmp_path: Path) -> None:
    staged(facesets, tmp_path / "model", stage=STAGES[:1], network={**NETWORK, "size": 64})
    with pytest.raises(UsageError, match="another -m"):
        staged(facesets, tmp_path / "model", stage=STAGES[1:2])


def test_unknown_part_is_refused_with_those_there_are(facesets: list[Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no part 'encodr'; it has bottleneck, decoders, encoder"):
        staged(facesets, tmp_path / "model", stage=[{"until": "2 steps", "freeze": ["encodr"]}])


def test_until_plateau_ends_by_itself_with_a_finish(tmp_path: Path, facesets: list[Path]) -> None:
    notes: list[str] = []
    config = tiny_config(steps=None, until="plateau", preview_every=2, learning_rate=1e-9, augment={"exchange": 0})
    report = train_model(facesets, tmp_path / "model", config, device="cpu", on_note=notes.append)
    assert any("stage 2 (finish)" in note for note in notes)
    assert report.step < 80
    assert (tmp_path / "model" / "report.html").read_text().startswith("<!doctype html>")


def test_network_of_another_size_gives_nearly_the_same_face() -> None:
    torch.manual_seed(0)
    small = tiny_state(network={**NETWORK, "size": 64}).network
    large = tiny_state(network={**NETWORK, "size": 128}).network
    carried = carry(large, small.state_dict())
    assert carried.reset == ()
    assert carried.resized == 3
    picture = torch.nn.functional.interpolate(torch.rand(2, 3, 4, 4), (64, 64), mode="bicubic").clamp(0, 1)
    with torch.no_grad():
        enlarged = torch.nn.functional.interpolate(picture, scale_factor=2, mode="bilinear")
        codes = [net.bottleneck.shrink(net.encoder(x)) for net, x in ((small, picture), (large, enlarged))]  # type: ignore[operator, union-attr]
    # Convolutions see finer pictures than before: alike, not the same.
    assert torch.nn.functional.cosine_similarity(*codes).min() > 0.5


def test_warm_start_keeps_encoder_and_decoders_and_resets_the_bottleneck(tmp_path: Path, facesets: list[Path]) -> None:
    old = tmp_path / "old"
    train_model(facesets[:1], old, tiny_config(steps=2), device="cpu")  # a pretrained model knows one identity
    notes: list[str] = []
    config = tiny_config(steps=1, init_from=str(old), learning_rate=1e-9, weight_decay=0.0)
    train_model(facesets, tmp_path / "new", config, device="cpu", on_note=notes.append)
    assert any("tensors kept, new: bottleneck" in note for note in notes)
    before, after = weights(old, 2, "ema"), weights(tmp_path / "new", 1)
    for name in before:
        if name.endswith("weight"):  # biases begin at 0 in both
            assert torch.allclose(before[name], after[name], atol=1e-6) != name.startswith("bottleneck"), name
    twin = {name: value for name, value in after.items() if name.startswith("decoders.1.")}
    assert twin
    assert all(torch.allclose(v, before[n.replace("decoders.1.", "decoders.0.")], atol=1e-6) for n, v in twin.items())


def batches(count: int = 4) -> list[Batch]:
    generator = torch.Generator().manual_seed(0)
    parts = [torch.rand(count, channels, 64, 64, generator=generator) for channels in (3, 3)]
    return [Batch(*parts, torch.ones(count, 1, 64, 64)) for _ in range(2)]


def test_own_swaps_replace_inputs_and_not_truth() -> None:
    state = tiny_state()
    made = Stepper(state, tiny_config(), CPU, StageSettings(pairs=0.5)).prepared(batches(20))
    for before, after in zip(batches(20), made, strict=True):
        changed = (before.inputs - after.inputs).abs().amax(dim=(1, 2, 3)) > 0.01
        assert 3 < int(changed.sum()) < 17
        assert torch.equal(before.truth, after.truth)
        with torch.no_grad():
            other = 1 if before is batches else int(after is made[0])
            face, mask = state.network(before.inputs, other)
        expected = torch.lerp(before.inputs, face, mask)
        torch.testing.assert_close(after.inputs[changed], expected[changed], atol=1e-4, rtol=0)


def test_critic_learns_to_tell_blurred_faces_and_pushes_towards_real_ones() -> None:
    generator = torch.Generator().manual_seed(0)
    critic = Critic.create(0, 2e-3, CPU)
    whole = torch.ones(8, 1, 64, 64)
    for _ in range(25):
        real = torch.rand(8, 3, 64, 64, generator=generator)
        critic.learn(torch.full_like(real, 0.5), Truth(real, whole, whole), 2e-3, CPU)
    real = torch.rand(8, 3, 64, 64, generator=generator)
    flat = torch.full_like(real, 0.5).requires_grad_()
    loss = critic.opinion_loss(flat, Truth(real, whole, whole), CPU)
    assert loss > 2 * critic.opinion_loss(real, Truth(real, whole, whole), CPU)
    loss.backward()
    assert flat.grad is not None
    assert flat.grad.abs().sum() > 0
    assert all(p.requires_grad for p in critic.network.parameters())


class Encoder(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = torch.nn.Conv2d(3, 8, 7, stride=4)
        self.slope = torch.nn.Parameter(torch.full((8, 1, 1), 0.25))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        return torch.where(x < 0, x * self.slope, x).mean(dim=(2, 3))


def encoder_onnx(path: Path, pool: str = "GlobalAveragePool") -> Path:
    encoder = Encoder()
    values = {"w": encoder.conv.weight, "b": encoder.conv.bias, "slope": encoder.slope}
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], strides=[4, 4], kernel_shape=[7, 7]),
        helper.make_node("PRelu", ["c", "slope"], ["p"]),
        helper.make_node(pool, ["p"], ["g"]),
        helper.make_node("Flatten", ["g"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "encoder",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 112, 112])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 8])],
        [numpy_helper.from_array(value.detach().numpy(), name) for name, value in values.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), str(path))
    return path


def encoder_file(path: Path) -> Path:
    encoder = Encoder().eval()
    if path.suffix == ".onnx":
        return encoder_onnx(path)
    if path.suffix == ".pt":
        torch.jit.script(encoder).save(str(path))
        return path
    batch = torch.export.Dim("batch", min=1, max=64)
    torch.export.save(torch.export.export(encoder, (torch.rand(3, 3, 112, 112),), dynamic_shapes=({0: batch},)), path)
    return path


@pytest.mark.parametrize("suffix", [".pt", ".pt2", ".onnx"])
def test_plugged_encoders_agree_and_have_gradients(tmp_path: Path, suffix: str) -> None:
    crop = CropSpec(64)
    loss = load_identity_loss(encoder_file(tmp_path / f"encoder{suffix}"), crop, CPU.device)
    reference = load_identity_loss(encoder_onnx(tmp_path / "reference.onnx"), crop, CPU.device)
    generator = torch.Generator().manual_seed(0)
    face, truth = (torch.rand(3, 3, 64, 64, generator=generator) for _ in range(2))
    face.requires_grad_()
    value = loss(face, truth)
    assert float(value.detach()) == pytest.approx(float(reference(face, truth).detach()), abs=1e-5)
    assert float(loss(truth, truth)) == pytest.approx(0, abs=1e-5)
    value.backward()
    assert face.grad is not None
    assert face.grad.abs().sum() > 0


def test_identity_loss_takes_part_in_the_step(tmp_path: Path, facesets: list[Path]) -> None:
    encoder = encoder_onnx(tmp_path / "encoder.onnx")
    for name, extra in (("without", {}), ("with", {"loss": {"identity": 1.0, "encoder": str(encoder)}})):
        train_model(facesets, tmp_path / name, tiny_config(steps=2, **extra), device="cpu")
    first, second = (weights(tmp_path / name, 2) for name in ("without", "with"))
    assert any(not torch.equal(first[key], second[key]) for key in first)


def test_onnx_without_gradients_is_refused_with_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedInputError, match=r"no gradients pass through its layers GlobalLpPool here.*\.pt2"):
        load_identity_loss(encoder_onnx(tmp_path / "e.onnx", "GlobalLpPool"), CropSpec(64), CPU.device)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("gone.pt", UsageError),
        ("x.bin", UsageError),
        ("x.onnx", UnsupportedInputError),
        ("x.pt", UnsupportedInputError),
        ("x.pt2", UnsupportedInputError),
    ],
)
def test_files_that_are_no_encoder_are_refused(tmp_path: Path, name: str, error: type[Exception]) -> None:
    if name != "gone.pt":
        (tmp_path / name).write_bytes(b"nothing of the kind")
    with pytest.raises(error, match=name):
        load_identity_loss(tmp_path / name, CropSpec(64), CPU.device)


def test_fp16_trains_on_the_cpu_too(tmp_path: Path, facesets: list[Path]) -> None:
    train_model(facesets, tmp_path, tiny_config(steps=2, precision="fp16"), device="cpu")
    checkpoint = find_checkpoint(tmp_path)
    assert checkpoint.document("progress")["scaler"]["scale"] > 0
    assert all(torch.isfinite(value).all() for value in checkpoint.tensors("weights").values())
