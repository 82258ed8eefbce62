"""Reading strangers' pickles as data: a small machine for the part of the pickle language that builds plain values.

A pickle is a program. Python's own unpickler runs it, and even one that allows only some names calls what it is told to
call. Here nothing is ever looked up or called: names are compared with a short list and stand for values of our own making
(containers, numbers, numpy arrays of plain numbers). Everything else is refused before it does anything.
"""

from __future__ import annotations

import pickletools
import zlib
from collections.abc import Callable
from typing import Any

from faceswap.errors import UnsupportedInputError
from faceswap.pickles.values import (
    CALLS,
    NDARRAY,
    DType,
    Name,
    PickledArray,
    RefusedError,
    array_of,
    plain_key,
    set_of,
)

MAX_BYTES = 256 << 20
"""Of a pickle; 20,000 faces with their masks and thumbnails have about 100 MB."""
_MAX_DEPTH = 64
_MAX_STEPS, _MAX_CONTAINERS = 8_000_000, 3_000_000
"""They bound the memory: a step makes a value of some 30 bytes at most, a container has 60. A list of 19,000 faces fits."""
_MARK = Name("mark")


def read_pickle(data: bytes, what: str, *, limit: int | None = None) -> Any:
    """Return the value of a pickle: None, numbers, texts, bytes, lists, tuples, dicts, sets, `PickledArray`.

    Values may be shared and may contain themselves, as in any pickle: take out of it what you expect, piece by piece.

    Args:
        what: names the file in messages.
        limit: bytes that it may have; None = `MAX_BYTES`.

    Raises:
        UnsupportedInputError: it is damaged, too large, or does more than hold data.
    """
    limit = MAX_BYTES if limit is None else limit
    if len(data) > limit:
        raise UnsupportedInputError(f"{what} holds a pickle of {len(data) >> 20} MB; allowed: {limit >> 20} MB")
    try:
        return _Machine().run(data)
    except RefusedError as error:
        raise UnsupportedInputError(f"{what} is refused: its pickle {error}, which plain data never does") from error
    except OverflowError as error:
        raise UnsupportedInputError(f"{what} holds too much for one file; import its pictures as a folder") from error
    except (ValueError, IndexError, KeyError, TypeError, UnicodeError) as error:
        raise UnsupportedInputError(f"{what} holds a damaged pickle ({error})") from error


def inflate(data: bytes, what: str, *, limit: int = MAX_BYTES) -> bytes:
    """Return zlib data decompressed.

    Raises:
        UnsupportedInputError: it is damaged, or larger than `limit`.
    """
    try:
        machine = zlib.decompressobj()
        result = machine.decompress(data, limit)
        if machine.decompress(machine.unconsumed_tail, 1):
            raise UnsupportedInputError(f"{what} is refused: it unpacks to more than {limit >> 10} kB")
    except zlib.error as error:
        raise UnsupportedInputError(f"{what} is damaged ({error})") from error
    return result


class _Machine:
    """A stack, a memo, and the opcodes that make data."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.num_marks = self.num_containers = self.num_copied = self.num_bytes = 0

    def run(self, data: bytes) -> Any:
        self.num_bytes = len(data)
        for step, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            name = opcode.name
            if name == "STOP":
                (result,) = self.stack
                if isinstance(result, (Name, DType)):
                    raise ValueError("no value")
                return result
            self.num_containers += name in _CONTAINERS
            if step > _MAX_STEPS or self.num_containers > _MAX_CONTAINERS:
                raise OverflowError
            if name in _CONSTANTS:
                self.stack.append(_CONSTANTS[name]())
            elif name in _VALUES:
                self.stack.append(argument)
            elif name in _ACTIONS:
                _ACTIONS[name](self, argument)
            else:
                raise RefusedError(f"uses {name}")
        raise ValueError("no end")

    def above_mark(self) -> list[Any]:
        """Take what lies above the last mark, and the mark."""
        place = next(i for i in range(len(self.stack) - 1, -2, -1) if i < 0 or self.stack[i] is _MARK)
        if place < 0:
            raise IndexError("a mark is missing")
        items = self.stack[place + 1 :]
        del self.stack[place:]
        self.num_marks -= 1
        return items

    def mark(self) -> None:
        """Push a mark."""
        self.num_marks += 1
        if self.num_marks > _MAX_DEPTH:
            raise RefusedError(f"nests deeper than {_MAX_DEPTH}")
        self.stack.append(_MARK)

    def last(self, count: int) -> list[Any]:
        """Take the last values."""
        if len(self.stack) < count or any(item is _MARK for item in self.stack[-count:]):
            raise IndexError("values are missing")
        items = self.stack[-count:]
        del self.stack[-count:]
        return items

    def fill(self, pairs: list[Any]) -> None:
        """Put keys and values into the dict on top."""
        target = self._top(dict)
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            target[plain_key(key)] = value

    def extend(self, items: list[Any]) -> None:
        """Append to the list on top."""
        self._top(list).extend(items)

    def add(self, items: list[Any]) -> None:
        """Add to the set on top."""
        self._top(set).update(map(plain_key, items))

    def _top(self, kind: type) -> Any:
        if not self.stack or type(self.stack[-1]) is not kind:
            raise RefusedError(f"changes something that is no {kind.__name__}")
        return self.stack[-1]

    def remember(self, number: int) -> None:
        """Put what is on top into the memo."""
        self.memo[number] = self.stack[-1]

    def name(self, text: str) -> None:
        """Push a name, if it is one of those that stand for data."""
        if text not in CALLS and text != NDARRAY:
            raise RefusedError(f"names {text[:80]!r}")
        self.stack.append(Name(text))

    def reduce(self) -> None:
        """Make the value that a name and its arguments stand for."""
        name, arguments = self.last(2)
        if not isinstance(name, Name) or name.text not in CALLS or not isinstance(arguments, tuple):
            raise RefusedError("calls something")
        # Calls copy what they are given. Each text or item takes a byte of the pickle at least, so that only one that
        # hands in the same thing again and again comes to more than its own size.
        self.num_copied += sum(len(part) for part in arguments if isinstance(part, (str, bytes, list, tuple)))
        if self.num_copied > self.num_bytes:
            raise RefusedError("copies the same data again and again")
        self.stack.append(CALLS[name.text](*arguments))

    def build(self) -> None:
        """Give an array or a dtype its content."""
        (state,) = self.last(1)
        target = self.stack[-1]
        if (
            isinstance(target, DType)
            and isinstance(state, tuple)
            and len(state) >= 2
            and state[1] in ("<", ">", "|", "=")
        ):
            if any(part is not None for part in state[2:5]):
                raise RefusedError("makes an array with fields")
            target.order = state[1]
        elif isinstance(target, PickledArray) and isinstance(state, tuple) and len(state) == 5:
            _, shape, dtype, is_fortran, content = state
            target.value = array_of(content, dtype, shape, "F" if is_fortran is True else "C")
        else:
            raise RefusedError("gives content to something that is no array")


_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
    "EMPTY_SET": set,
}
_CONTAINERS = frozenset(
    (
        "EMPTY_LIST",
        "EMPTY_DICT",
        "EMPTY_SET",
        "LIST",
        "DICT",
        "TUPLE",
        "TUPLE1",
        "TUPLE2",
        "TUPLE3",
        "FROZENSET",
        "REDUCE",
    )
)
_VALUES = frozenset(
    # numbers, texts, bytes
    """
    INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT
    UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 STRING BINSTRING SHORT_BINSTRING
    BINBYTES SHORT_BINBYTES BINBYTES8
    """.split()  # noqa: SIM905 - a list of quoted names would be three times as long
)


def _stack_global(machine: _Machine) -> None:
    module, name = machine.last(2)
    if not isinstance(module, str) or not isinstance(name, str):
        raise RefusedError("makes up a name")
    machine.name(f"{module}.{name}")


_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "MARK": lambda machine, argument: machine.mark(),
    "PROTO": lambda machine, argument: None,
    "FRAME": lambda machine, argument: None,
    "POP": lambda machine, argument: machine.last(1).clear(),
    "POP_MARK": lambda machine, argument: machine.above_mark().clear(),
    "DUP": lambda machine, argument: machine.stack.append(machine.stack[-1]),
    "BYTEARRAY8": lambda machine, argument: machine.stack.append(bytes(argument)),
    "APPEND": lambda machine, argument: machine.extend(machine.last(1)),
    "APPENDS": lambda machine, argument: machine.extend(machine.above_mark()),
    "LIST": lambda machine, argument: machine.stack.append(machine.above_mark()),
    "TUPLE": lambda machine, argument: machine.stack.append(tuple(machine.above_mark())),
    "TUPLE1": lambda machine, argument: machine.stack.append(tuple(machine.last(1))),
    "TUPLE2": lambda machine, argument: machine.stack.append(tuple(machine.last(2))),
    "TUPLE3": lambda machine, argument: machine.stack.append(tuple(machine.last(3))),
    "DICT": lambda machine, argument: _new_dict(machine),
    "SETITEM": lambda machine, argument: machine.fill(machine.last(2)),
    "SETITEMS": lambda machine, argument: machine.fill(machine.above_mark()),
    "ADDITEMS": lambda machine, argument: machine.add(machine.above_mark()),
    "FROZENSET": lambda machine, argument: machine.stack.append(set_of(machine.above_mark())),
    **{name: lambda machine, argument: machine.remember(int(argument)) for name in ("PUT", "BINPUT", "LONG_BINPUT")},
    "MEMOIZE": lambda machine, argument: machine.remember(len(machine.memo)),
    **{
        name: lambda machine, argument: machine.stack.append(machine.memo[int(argument)])
        for name in ("GET", "BINGET", "LONG_BINGET")
    },
    "GLOBAL": lambda machine, argument: machine.name(argument.replace(" ", ".", 1)),
    "STACK_GLOBAL": lambda machine, argument: _stack_global(machine),
    "REDUCE": lambda machine, argument: machine.reduce(),
    "BUILD": lambda machine, argument: machine.build(),
}


def _new_dict(machine: _Machine) -> None:
    pairs = machine.above_mark()
    machine.stack.append({})
    machine.fill(pairs)
