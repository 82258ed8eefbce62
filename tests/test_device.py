from __future__ import annotations

import pytest
import torch

from faceswap.device import Compute, choose_compute
from faceswap.errors import DeviceError, UsageError


@pytest.mark.parametrize("name", ["gpu", "cpu:0", "cuda:x", "cuda:-1", "mps", ""])
def test_unknown_device_is_refused_with_the_allowed_ones(name: str) -> None:
    with pytest.raises(UsageError, match="allowed: auto, cpu, cuda, cuda:N"):
        choose_compute(name)


def test_unknown_precision_is_refused_with_the_allowed_ones() -> None:
    with pytest.raises(UsageError, match="auto, bf16, fp16, fp32"):
        choose_compute("cpu", "fp8")


def test_gpu_that_is_not_there_is_a_device_error() -> None:
    with pytest.raises(DeviceError, match="--device cpu"):
        choose_compute(f"cuda:{torch.cuda.device_count()}")


def test_auto_takes_the_cpu_where_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_compute("auto").device == torch.device("cpu")


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_precision_asked_for_is_used(precision: str, dtype: torch.dtype) -> None:
    assert choose_compute("cpu", precision).dtype is dtype


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_autocast_computes_in_the_chosen_precision(dtype: torch.dtype) -> None:
    with Compute(torch.device("cpu"), dtype).autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is dtype


def test_placed_network_has_its_memory_format() -> None:
    compute = choose_compute("cpu", "fp32")
    network = compute.place(torch.nn.Conv2d(8, 8, 3))
    assert network.weight.is_contiguous(memory_format=torch.channels_last)


def test_compute_names_itself() -> None:
    assert str(choose_compute("cpu", "fp32")) == "cpu float32"


@pytest.mark.gpu
def test_auto_takes_the_gpu() -> None:
    assert choose_compute("auto").device.type == "cuda"
