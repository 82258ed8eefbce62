from __future__ import annotations

import collections
import pickle
import pickletools
import resource
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceswap.errors import UnsupportedInputError
from faceswap.facesets.foreign import points_of
from faceswap.pickles import machine
from faceswap.pickles.machine import inflate, read_pickle
from faceswap.pickles.values import PickledArray


def plain(value: Any) -> Any:
    """Return a value with arrays as lists."""
    if isinstance(value, PickledArray):
        assert value.value is not None
        return value.value.tolist()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("protocol", range(6))
def test_plain_data_come_back(protocol: int) -> None:
    value = {
        "landmarks": np.arange(6, dtype=np.float32).reshape(3, 2),
        "turned": np.asfortranarray(np.arange(6, dtype=">i4").reshape(2, 3)),
        "scalar": np.float64(0.5),
        "list": [1, 2**40, -3, 2.5, "é", b"\x00\xff", None, True, (1, (2, 3))],
        "set": {1, 2},
        "ordered": collections.OrderedDict(a=1),
    }
    read = plain(read_pickle(pickle.dumps(value, protocol), "x"))
    assert read == {
        **plain({**value, "landmarks": None, "turned": None}),
        "landmarks": [[0, 1], [2, 3], [4, 5]],
        "turned": [[0, 1, 2], [3, 4, 5]],
    }


class Call:
    """Pickles as a call of anything."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> Any:
        return self.function, self.arguments


def call(module: str, name: str, argument: str) -> bytes:
    """Return the oldest form of a call with one text."""
    return f"c{module}\n{name}\n(V{argument}\ntR.".encode()


def nested_calls() -> bytes:
    return b"c__builtin__\ngetattr\n(c__builtin__\n__import__\n(Vos\ntRVsystem\ntR(Vtouch gotcha\ntR."


def build_on_name() -> bytes:
    """Set an attribute of what a name stands for: in Python's own unpickler, of the allowed function itself."""
    return b"cnumpy\ndtype\n(N(dV__defaults__\n(Vx\ntstb."


def stack_global() -> bytes:
    return b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x0ctouch gotcha\x85R."


def instance() -> bytes:
    return b"(Vtouch gotcha\nios\nsystem\n."


MALICIOUS = {
    "os.system": call("os", "system", "touch gotcha"),
    "posix.system": call("posix", "system", "touch gotcha"),
    "subprocess": call("subprocess", "getoutput", "touch gotcha"),
    "eval": call("builtins", "eval", "open('gotcha','w')"),
    "exec": call("builtins", "exec", "open('gotcha','w')"),
    "old eval": call("__builtin__", "eval", "open('gotcha','w')"),
    "import": call("builtins", "__import__", "antigravity"),
    "pickle in pickle": pickle.dumps(Call(pickle.loads, call("os", "system", "touch gotcha"))),
    "getattr chain": nested_calls(),
    "getattr": pickle.dumps(Call(getattr, "x", "upper")),
    "nested reduce": pickle.dumps(Call(list, Call(eval, "open('gotcha','w')"))),
    "copyreg": pickle.dumps(Call(__import__("copyreg")._reconstructor, object, object, None), 2),
    "copyreg object": pickle.dumps(Path("x"), 2),
    "name by texts": stack_global(),
    "instance": instance(),
    "new object": b"\x80\x02cos\nsystem\n)\x81.",
    "new object of an allowed name": b"\x80\x02cnumpy\nndarray\n)\x81.",
    "attributes of an allowed name": build_on_name(),
    "call of what is no name": b"(Vx\nVy\ntR.",
    "call of a list": b"](Vx\ntR.",
    "call of the array type": b"cnumpy\nndarray\n((I10000000000\ntttR.",
    "persistent id": b"Pgotcha\n.",
    "extension": b"\x82\x01.",
    "dotted name": b"\x80\x04\x8c\x05numpy\x8c\x0ff2py.os.system\x93.",
    "object array": pickle.dumps(np.array([None, {}], dtype=object)),
    "array with fields": pickle.dumps(np.zeros(2, dtype=[("a", "f4"), ("b", "i4")])),
    "array of texts": pickle.dumps(np.array(["abc"])),
    "array of times": pickle.dumps(np.array(["2020-01-01"], dtype="datetime64[D]")),
    "set of a text": b"cbuiltins\nset\n(Vxyz\ntR.",
    "bytes of a number": b"cbuiltins\nbytearray\n(I10000000000\ntR.",
    "tuple as key": b"\x80\x02}((K\x01tK\x02u.",
}


@pytest.mark.parametrize("name", MALICIOUS)
def test_malicious_pickles_are_refused_and_do_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnsupportedInputError, match=r"some\.jpg"):
        read_pickle(MALICIOUS[name], "some.jpg")
    assert list(tmp_path.iterdir()) == []


def huge_array() -> bytes:
    """An array of 8 TB whose content has 8 bytes."""
    data = pickle.dumps(np.zeros(1), 2)
    place = data.index(b"K\x01\x85")
    return data[:place] + b"\x8a\x06" + (10**12).to_bytes(6, "little") + b"\x85" + data[place + 3 :]


DAMAGED = {
    "empty": b"",
    "cut off": pickle.dumps(list(range(100)))[:40],
    "no value": b".",
    "two values": b"NN.",
    "noise": bytes(range(256)),
    "nothing to take": b"0.",
    "no such memo": b"\x80\x02h\x07.",
    "mark as value": b"(.",
    "list that ends nowhere": b"e.",
    "text longer than the file": b"\x80\x04\x8d" + struct.pack("<Q", 2**40) + b"x.",
    "huge array": huge_array(),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_pickles_are_refused(name: str) -> None:
    with pytest.raises(UnsupportedInputError):
        read_pickle(DAMAGED[name], "some.jpg")


def test_the_shape_in_the_huge_array_is_really_read() -> None:
    sizes = [argument for _, argument, _ in pickletools.genops(huge_array())]
    assert 10**12 in sizes


def test_deep_nesting_is_no_recursion() -> None:
    with pytest.raises(UnsupportedInputError, match="deeper than 64"):
        read_pickle(b"(" * 100_000 + b".", "x")
    deep = b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b"."
    value = read_pickle(deep, "x")  # built without recursion; given up the same way
    assert isinstance(value, list)
    assert points_of(value) is None


def test_shared_parts_do_not_multiply() -> None:
    """Each list holds the one before twice: 2^60 items, if anybody walked them."""
    steps = b"".join(b"](h" + bytes([i]) + b"h" + bytes([i]) + b"eq" + bytes([i + 1]) + b"0" for i in range(60))
    value = read_pickle(b"\x80\x02]q\x000" + steps + b"h\x3c.", "x")
    start = time.monotonic()
    assert points_of(value) is None
    assert points_of([value] * 68) is None
    assert time.monotonic() - start < 5


def test_value_that_contains_itself_is_read_and_not_walked() -> None:
    value = read_pickle(b"\x80\x02]q\x00h\x00a.", "x")
    assert points_of(value) is None


def test_too_large_pickles_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "MAX_BYTES", 1000)
    with pytest.raises(UnsupportedInputError, match="allowed"):
        read_pickle(pickle.dumps(bytes(2000)), "x")


def test_too_many_steps_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_MAX_STEPS", 1000)
    with pytest.raises(UnsupportedInputError, match="too much"):
        read_pickle(pickle.dumps(list(range(5000))), "x")


def test_too_many_containers_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_MAX_CONTAINERS", 1000)
    with pytest.raises(UnsupportedInputError, match="too much"):
        read_pickle(b"(" + b"]" * 2000 + b"l.", "x")


def test_calls_cannot_copy_one_text_again_and_again() -> None:
    """200 copies of 1 MB, of a pickle that holds it once."""
    text = b"X" + struct.pack("<I", 1 << 20) + b"a" * (1 << 20) + b"q\x00"
    copy = b"c_codecs\nencode\nh\x00X\x06\x00\x00\x00latin1\x86R"
    with pytest.raises(UnsupportedInputError, match="again and again"):
        read_pickle(b"\x80\x02" + text + b"0(" + copy * 200 + b"l.", "x")
    assert read_pickle(b"\x80\x02" + text + b"0" + copy + b".", "x") == b"a" * (1 << 20)


def test_integers_made_to_have_one_hash_are_no_keys() -> None:
    """A dict of such keys takes quadratic time: minutes for the 50,000 here."""
    keys = (b"\x8a\x0b" + (k * (2**61 - 1)).to_bytes(11, "little") + b"N" for k in range(1, 50_000))
    with pytest.raises(UnsupportedInputError, match="beyond all bounds"):
        read_pickle(b"\x80\x02}(" + b"".join(keys) + b"u.", "x")


def test_zlib_bombs_are_refused_with_little_memory() -> None:
    machine = zlib.compressobj(9)
    bomb = b"".join(machine.compress(bytes(1 << 24)) for _ in range(64)) + machine.flush()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UnsupportedInputError, match="unpacks to more than 16384 kB"):
        inflate(bomb, "x", limit=16 << 20)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB
    assert inflate(zlib.compress(b"abc"), "x") == b"abc"
    with pytest.raises(UnsupportedInputError, match="damaged"):
        inflate(b"no zlib", "x")
