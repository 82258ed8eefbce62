"""What names in a stranger's pickle stand for: numpy arrays of plain numbers, sets, bytes, numbers; nothing else."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_DTYPE = re.compile(r"[fiu][1248]|b1")


_MAX_KEY = 2**60


class RefusedError(Exception):
    """What a pickle may not do, in words."""


@dataclass(slots=True, eq=False)
class PickledArray:
    """An array inside a pickle; `value` stays None when the pickle never fills it."""

    value: NDArray | None = None


@dataclass(frozen=True, slots=True)
class Name:
    """A name that was read and stands for nothing by itself."""

    text: str


@dataclass(slots=True, eq=False)
class DType:
    """A plain number's type."""

    code: str
    """Kind and bytes, e.g. "f4"."""
    order: str = "="
    """Of its bytes, as numpy writes it."""

    def numpy(self) -> np.dtype:
        """Return it as numpy's."""
        return np.dtype(self.order + self.code)


NDARRAY = "numpy.ndarray"
"""The one name that is no call: the kind of array to make."""


def plain_key(value: Any) -> Any:
    """Only scalars: the hash of nested tuples that share their parts takes forever.

    Larger integers can be chosen so that all have one hash, which makes a dict of them quadratic.
    """
    if not isinstance(value, (str, bytes, int, float, type(None))):
        raise RefusedError("has a key that is no plain value")
    if isinstance(value, int) and abs(value) > _MAX_KEY:
        raise RefusedError("has a number beyond all bounds for a key")
    return value


def array_of(content: Any, dtype: Any, shape: Any, order: Any) -> NDArray:
    """Return a view of bytes as an array; shape and content must agree, so that nothing is allocated."""
    is_shape = isinstance(shape, tuple) and len(shape) <= 4 and all(type(n) is int and n >= 0 for n in shape)
    if not isinstance(content, bytes) or not isinstance(dtype, DType) or not is_shape or order not in ("C", "F"):
        raise RefusedError("makes an array that is not of plain numbers")
    kind = dtype.numpy()
    if math.prod(shape) * kind.itemsize != len(content):
        raise ValueError(f"an array {shape} of {kind} with {len(content)} bytes")
    return np.frombuffer(content, kind).reshape(shape, order=order)


def _reconstruct(kind: Any, *_: Any) -> PickledArray:
    if not isinstance(kind, Name) or kind.text != NDARRAY:
        raise RefusedError("makes an array of another kind")
    return PickledArray()


def _dtype(code: Any, *_: Any) -> DType:
    if not isinstance(code, str) or not _DTYPE.fullmatch(code):
        raise RefusedError(f"makes an array of {str(code)[:20]!r}")
    return DType(code)


def _scalar(dtype: Any, content: Any) -> Any:
    return array_of(content, dtype, (1,), "C")[0].item()


def _from_buffer(content: Any, dtype: Any, shape: Any, order: Any) -> PickledArray:
    return PickledArray(array_of(content, dtype, shape, order))


def _encode(text: Any, encoding: Any) -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise RefusedError("encodes something")
    return text.encode("latin-1")


def _number(value: Any) -> int:
    if type(value) is not int:
        raise RefusedError("makes a choice that is no number")
    return value


def set_of(items: Any = ()) -> set:
    """Return a set of plain values."""
    if not isinstance(items, (list, tuple)):
        raise RefusedError("makes a set of something")
    return set(map(plain_key, items))


def _bytes(content: Any = b"") -> bytes:
    if not isinstance(content, bytes):
        raise RefusedError("makes bytes of something")
    return content


CALLS: dict[str, Callable[..., Any]] = {
    **{f"numpy.{core}.multiarray._reconstruct": _reconstruct for core in ("core", "_core")},
    **{f"numpy.{core}.multiarray.scalar": _scalar for core in ("core", "_core")},
    **{f"numpy.{core}.numeric._frombuffer": _from_buffer for core in ("core", "_core")},
    "numpy.dtype": _dtype,
    "_codecs.encode": _encode,  # bytes, before protocol 3
    **{f"{module}.{kind}": set_of for module in ("builtins", "__builtin__") for kind in ("set", "frozenset")},
    **{f"{module}.bytearray": _bytes for module in ("builtins", "__builtin__")},
    "collections.OrderedDict": lambda: {},
    # DeepFaceLab's enumerations in faceset.pak.
    "samplelib.Sample.SampleType": _number,
    "facelib.FaceType.FaceType": _number,
}
