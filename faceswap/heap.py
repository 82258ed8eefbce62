"""What the C library does with freed memory."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""glibc's numbers for `mallopt`."""


def keep_freed_memory() -> bool:
    """Keep freed memory in this process for the next who asks, for good; return whether the C library can.

    PyTorch on CPUs asks for every gradient and every intermediate picture anew in each step. glibc gives large blocks back
    to the system and gets them again page by page, which takes a large share of a step of a large network
    (docs/decisions/0004-cpu-training.md). It concerns the whole process, so it is the command line's to decide.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):  # Windows, macOS, musl
        return False
    # Nothing is mapped apart, and the heap never shrinks (-1 = no size is too large to be kept).
    return bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, -1))
