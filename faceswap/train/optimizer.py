"""AdamW over weights as they lie in memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn


class AdamW(torch.optim.AdamW):
    """PyTorch's fused AdamW, which on CPUs copies every channels-last weight, gradient and moment to the usual order and back.

    It is given views of them in which nothing has to be copied; the results are the same (docs/decisions/0004-cpu-training.md).
    """

    def __init__(self, parameters: Iterable[nn.Parameter], **options: Any) -> None:
        super().__init__(parameters, fused=True, **options)

    def _init_group(self, group: dict[str, Any], parameters: list[Tensor], *lists: list[Tensor]) -> bool:
        is_complex = super()._init_group(group, parameters, *lists)
        is_last = [p.ndim == 4 and p.is_contiguous(memory_format=torch.channels_last) for p in parameters]
        for tensors in (parameters, *lists[:-1]):  # the last are the numbers of steps
            # A list may be empty: it then belongs to a variant that is not in use.
            tensors[:] = [t.permute(0, 2, 3, 1) if last else t for t, last in zip(tensors, is_last, strict=False)]
        return is_complex
