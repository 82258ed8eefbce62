"""Which form of a convolution, and of AdamW, is quickest on this CPU? What `models/convolve.py` and `train/optimizer.py` rest on.

    python tools/bench/convolve.py [--json tools/bench/results/convolve-cpu-2-cores.json]

Each layer is computed with bf16 autocast, forward and backward, channels last, by PyTorch (`plain`), as a matrix product
(`product`) and, with a stride of 2, on blocks (`blocks`); AdamW steps one weight of 19 M numbers. Medians of 9, ms.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceswap.bench.run import circumstances
from faceswap.heap import keep_freed_memory
from faceswap.models import convolve
from faceswap.train.optimizer import AdamW

# faces, channels in, channels out, side of the input px; of `original`, `quick-64` and `df-128` at their batches
HALVING = (
    (32, 128, 256, 32),
    (32, 256, 512, 16),
    (32, 512, 1024, 8),
    (32, 64, 128, 16),
    (32, 128, 256, 8),
    (16, 256, 512, 16),
)
SAME = ((32, 1024, 2048, 4), (32, 128, 512, 4), (16, 512, 1024, 8), (16, 256, 256, 16))
_TIMES = 9


def milliseconds(work: Callable[[], object]) -> float:
    """Return the median time of some calls, after two that are not counted."""
    seconds = []
    for number in range(_TIMES + 2):
        start = time.perf_counter()
        work()
        if number >= 2:
            seconds.append(time.perf_counter() - start)
    return round(statistics.median(seconds) * 1000, 2)


def layer(shape: tuple[int, int, int, int], stride: int) -> dict[str, float]:
    """Return the time of each form of one layer."""
    count, channels, out_channels, side = shape
    conv = nn.Conv2d(channels, out_channels, 5 if stride == 2 else 3).to(memory_format=torch.channels_last)
    x = (
        torch.randn(count, channels, side, side)
        .bfloat16()
        .contiguous(memory_format=torch.channels_last)
        .requires_grad_()
    )
    padding = conv.kernel_size[0] // 2
    forms: dict[str, Callable[[Tensor, Tensor, Tensor | None], Tensor]] = {
        "plain": lambda x, w, b: functional.conv2d(x, w, b, stride=stride, padding=padding),
        "product": lambda x, w, b: convolve.as_product(x, w, b, stride=stride),
    }
    if stride == 2:
        forms["blocks"] = convolve.strided_as_plain

    def pass_through(form: Callable[[Tensor, Tensor, Tensor | None], Tensor]) -> None:
        x.grad = conv.weight.grad = None
        with torch.autocast("cpu", dtype=torch.bfloat16):
            result = form(x, conv.weight, conv.bias)
        result.backward(result.detach())

    return {name: milliseconds(lambda form=form: pass_through(form)) for name, form in forms.items()}


def optimizer_step(kind: type[torch.optim.AdamW]) -> float:
    """Return the time of a step over one channels-last weight."""
    weight = nn.Parameter(torch.randn(2048, 1024, 3, 3).contiguous(memory_format=torch.channels_last))
    weight.grad = torch.randn_like(weight)
    options = {} if kind is AdamW else {"fused": True}
    return milliseconds(kind([weight], lr=1e-4, **options).step)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    keep_freed_memory()
    rows = {f"stride 2, {' x '.join(map(str, shape))}": layer(shape, 2) for shape in HALVING}
    rows |= {f"3x3, {' x '.join(map(str, shape))}": layer(shape, 1) for shape in SAME}
    rows["AdamW, 19 M"] = {"plain": optimizer_step(torch.optim.AdamW), "ours": optimizer_step(AdamW)}
    for name, times in rows.items():
        print(f"{name:34} " + "  ".join(f"{form} {value:.1f} ms" for form, value in times.items()))
    if options.json:
        document = {"results": {"milliseconds": rows}, "circumstances": circumstances("cpu")}
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
