"""Which form of crop and paste runs: the Triton kernels on CUDA, the references in torch anywhere else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

import torch
from torch import Tensor

from faceswap.convert.device.paste import Noise
from faceswap.convert.device.places import CropTable, PasteTable
from faceswap.convert.device.planes import DevicePlanes


@dataclass(frozen=True, slots=True)
class Kernels:
    """Crop and paste in one form."""

    name: Literal["torch", "triton"]
    crop: Callable[[DevicePlanes, CropTable], Tensor]
    paste: Callable[[DevicePlanes, PasteTable, Tensor, Tensor, Noise], None]


def kernels_for(device: torch.device) -> Kernels:
    """Return the quickest form for a device: Triton's where it is installed and the device is a GPU that it knows."""
    return triton_kernels() if device.type == "cuda" and find_spec("triton") is not None else torch_kernels()


def torch_kernels() -> Kernels:
    """Return the references."""
    from faceswap.convert.device import crop, paste

    return Kernels("torch", crop.crop, paste.paste)


def triton_kernels() -> Kernels:
    """Return the kernels; on tensors of the CPU they run only with TRITON_INTERPRET=1, set before this call."""
    from faceswap.convert.device import triton_crop, triton_paste

    return Kernels("triton", triton_crop.crop, triton_paste.paste)
