"""Which device and which arithmetic a run uses, decided once and said aloud."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from numpy.typing import NDArray

from faceswap.errors import DeviceError, ResourceError, UsageError

if TYPE_CHECKING:
    import torch

    M = TypeVar("M", bound=torch.nn.Module)
T = TypeVar("T")
R = TypeVar("R")

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

    def placed(self, batch: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """Return a (B, C, H, W) batch on the device, in its memory format and the given type."""
        return batch.to(self.device, dtype).contiguous(memory_format=self.memory_format)

    def autocast(self) -> torch.autocast:
        """Return the autocast context for a forward pass."""
        import torch

        return torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype is not torch.float32)

    def __str__(self) -> str:
        return f"{self.device} {str(self.dtype).removeprefix('torch.')}"

    @property
    def name(self) -> str:
        """What the device calls itself, for people and for keeping what was measured on it."""
        import torch

        return torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else cpu_name()


def cpu_name() -> str:
    """Return the processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


class BatchSize:
    """How many items go through a network together; halved when the device's memory does not hold them."""

    def __init__(self, start: int) -> None:
        self.value = start
        self.remarks: list[str] = []
        """What was done about memory, for people."""

    def run(self, items: Sequence[T], work: Callable[[Sequence[T]], Sequence[R]]) -> list[R]:
        """Return what `work` makes of all items, some at a time.

        Raises:
            ResourceError: not even one fits.
        """
        import torch

        results: list[R] = []
        while len(results) < len(items):
            try:
                results += work(items[len(results) : len(results) + self.value])
                continue
            except torch.OutOfMemoryError as error:
                if self.value == 1:
                    raise ResourceError(
                        f"the device's memory does not hold one face ({str(error).splitlines()[0]}); end other programs "
                        "that use it, or use --device cpu"
                    ) from error
            # Outside of the handler: until it is left, the error holds what the failed pass had taken.
            torch.cuda.empty_cache()
            self.value //= 2
            self.remarks.append(f"the device's memory was short: {self.value} faces at a time from there on")
        return results


class Uploader:
    """Hands arrays to a device. On CUDA they go through pinned buffers on a stream of their own, and nobody waits."""

    def __init__(self, device: torch.device, depth: int = 3) -> None:
        """Make an uploader.

        Args:
            depth: copies of one shape that may be under way; bounds the pinned memory.
        """
        import torch

        self._device, self._depth = device, depth
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._slots: dict[Any, list[tuple[torch.Tensor, torch.cuda.Event]]] = {}

    def __call__(self, array: NDArray) -> torch.Tensor:
        """Return the array on the device; what runs there next on the current stream waits for the copy, the caller does not.

        On the CPU it is the array's own memory.
        """
        import torch

        host = torch.from_numpy(array)
        if self._stream is None:
            return host
        slots = self._slots.setdefault((host.shape, host.dtype), [])
        if len(slots) < self._depth:
            pinned, is_copied = torch.empty_like(host, pin_memory=True), torch.cuda.Event()
        else:
            pinned, is_copied = slots.pop(0)
            is_copied.synchronize()  # the copy from it, `depth` calls ago
        pinned.copy_(host)
        current = torch.cuda.current_stream(self._device)
        with torch.cuda.stream(self._stream):
            result = pinned.to(self._device, non_blocking=True)
            is_copied.record(self._stream)
        current.wait_stream(self._stream)
        result.record_stream(current)
        slots.append((pinned, is_copied))
        return result


def fitting_batch(free_bytes: int, bytes_per_item: int, wanted: int) -> int:
    """Return how many items, at most `wanted`, fit into four fifths of the free memory; at least 1."""
    return max(1, min(wanted, free_bytes * 4 // 5 // max(1, bytes_per_item)))


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
