"""What becomes of freed memory, in a process of its own: it cannot be taken back."""

from __future__ import annotations

import platform
import subprocess
import sys
import types

import pytest

from faceswap import heap

SCRIPT = """
import resource
import numpy as np
from faceswap.heap import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(64 << 20, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
given_back = faults()
assert keep_freed_memory()
faults()
print(given_back, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told")
def test_large_block_is_mapped_once() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    given_back, kept = map(int, done.stdout.split())
    assert given_back > 10 * max(kept, 1)


def test_library_that_cannot_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap.ctypes, "CDLL", lambda _: types.SimpleNamespace())
    assert heap.keep_freed_memory() is False
