"""Which device and which arithmetic a run uses, decided once and said aloud."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from faceswap.errors import DeviceError, UsageError

if TYPE_CHECKING:
    import torch

    M = TypeVar("M", bound=torch.nn.Module)

PRECISIONS = ("auto", "bf16", "fp16", "fp32")


@dataclass(frozen=True, slots=True)
class Compute:
    """A device and the precision of the network's convolutions on it."""

    device: torch.device
    dtype: torch.dtype
    """bfloat16, float16 = autocast; weights and losses stay float32."""

    @property
    def memory_format(self) -> torch.memory_format:
        import torch

        return torch.channels_last

    def place(self, network: M) -> M:
        """Move a network to the device, in its memory format."""
        return network.to(self.device).to(memory_format=self.memory_format)  # type: ignore[call-overload]

    def autocast(self) -> torch.autocast:
        """Return the autocast context for a forward pass."""
        import torch

        return torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype is not torch.float32)

    def __str__(self) -> str:
        return f"{self.device} {str(self.dtype).removeprefix('torch.')}"


@contextmanager
def shared_cpu(compute: Compute) -> Iterator[None]:
    """Give a network on the CPU half of its threads while decoder and encoder work beside it.

    With all of them, every parallel loop waits for the thread that the encoder has pushed aside (1.2 to 1.5 times slower
    on two cores).
    """
    import torch

    before = torch.get_num_threads()
    if compute.device.type == "cpu":
        torch.set_num_threads(max(1, before // 2))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def choose_compute(device: str = "auto", precision: str = "auto") -> Compute:
    """Return the device and precision for "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        UsageError: a name that is none of these.
        DeviceError: no such GPU.
    """
    import torch

    if precision not in PRECISIONS:
        raise UsageError(f"unknown precision {precision!r}; allowed: {', '.join(PRECISIONS)}")
    chosen = _find_device(device)
    if precision in ("fp32", "fp16"):
        return Compute(chosen, torch.float32 if precision == "fp32" else torch.float16)
    if precision == "bf16" or _is_bf16_quick(chosen):
        return Compute(chosen, torch.bfloat16)
    return Compute(chosen, torch.float32)


def _find_device(name: str) -> torch.device:
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda") or (number and (kind == "cpu" or not number.isdigit())):
        raise UsageError(f"unknown device {name!r}; allowed: auto, cpu, cuda, cuda:N")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise DeviceError(
            f"device {name!r} is not here: this PyTorch sees {torch.cuda.device_count()} GPUs; "
            "use --device cpu, or install the CUDA build of torch"
        )
    return torch.device(name)


def _is_bf16_quick(device: torch.device) -> bool:
    """True where bf16 convolutions are faster than fp32: Ampere and later, CPUs with AVX512-BF16 or AMX."""
    import torch

    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
