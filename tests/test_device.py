from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from faceswap.device import BatchSize, Compute, Uploader, choose_compute, fitting_batch
from faceswap.errors import DeviceError, ResourceError, UsageError


@pytest.mark.parametrize("name", ["gpu", "cpu:0", "cuda:x", "cuda:-1", "mps", ""])
def test_unknown_device_is_refused_with_the_allowed_ones(name: str) -> None:
    with pytest.raises(UsageError, match="allowed: auto, cpu, cuda, cuda:N"):
        choose_compute(name)


def test_unknown_precision_is_refused_with_the_allowed_ones() -> None:
    with pytest.raises(UsageError, match="auto, bf16, fp32"):
        choose_compute("cpu", "fp16")


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


def test_batch_is_halved_when_memory_is_short_and_everything_still_comes_out_once() -> None:
    batch, seen = BatchSize(8), []

    def work(items: Sequence[int]) -> list[int]:
        seen.append(len(items))
        if len(items) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nMore words")
        return [10 * item for item in items]

    assert batch.run(range(11), work) == [10 * item for item in range(11)]
    assert seen[:3] == [8, 4, 2]
    assert batch.run(range(2), work) == [0, 10]
    assert batch.value == 2
    assert batch.remarks == [f"the device's memory was short: {n} faces at a time from there on" for n in (4, 2)]


def test_one_face_that_does_not_fit_is_an_error_with_a_remedy() -> None:
    def work(_: Sequence[int]) -> list[int]:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(ResourceError, match=r"one face.*--device cpu"):
        BatchSize(4).run([1, 2], work)


@pytest.mark.parametrize(
    ("free", "wanted", "fits"), [(1000, 8, 8), (500, 8, 4), (10, 8, 1), (0, 8, 1), (10_000, 64, 64)]
)
def test_batch_fits_into_four_fifths_of_the_free_memory(free: int, wanted: int, fits: int) -> None:
    assert fitting_batch(free, 100, wanted) == fits


def test_upload_on_the_cpu_is_the_array_itself() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert Uploader(torch.device("cpu"))(array).data_ptr() == array.ctypes.data


@pytest.mark.gpu
def test_uploads_come_out_whole_when_buffers_are_used_again() -> None:
    upload = Uploader(torch.device("cuda"), depth=2)
    sent = [np.full((64, 64), value, dtype=np.float32) for value in range(8)]
    for array, found in zip(sent, [upload(array) for array in sent], strict=True):
        assert np.array_equal(found.cpu().numpy(), array)
