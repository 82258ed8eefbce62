"""Triton reads this when its modules are imported: without a GPU its kernels run in NumPy, statement by statement."""

from __future__ import annotations

import os

import torch

if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")
