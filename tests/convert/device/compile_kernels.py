"""Compiles the kernels for a GPU without one, in a process of its own (`test_kernels`): what the interpreter takes, and the
compiler does not, shows here."""

from __future__ import annotations

import inspect
import sys
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from faceswap.convert.device import triton_crop, triton_paste

TARGETS = {"sm80": GPUTarget("cuda", 80, 32), "sm90": GPUTarget("cuda", 90, 32)}
_POINTERS = {
    "rows": "*fp32", "frames": "*i32", "linear": "*fp32", "offset": "*fp32", "result": "*fp32",
    "patches": "*fp32", "masks": "*fp32", "noise": "*fp32", "other_noise": "*fp32", "top": "fp32",
}  # fmt: skip
_PLANES = {"luma", "u", "v", "first", "second"}


def compiled(kernel: Any, sample: str, constants: dict[str, int], target: GPUTarget) -> Any:
    """Return a kernel for planes of `sample` ("u8", "u16")."""
    names = list(inspect.signature(kernel.fn).parameters)
    signature = {
        name: "constexpr" if name in constants else f"*{sample}" if name in _PLANES else _POINTERS.get(name, "i32")
        for name in names
    }
    return triton.compile(ASTSource(kernel, signature, constants), target=target)


def main() -> None:
    for target in TARGETS.values():
        for sample in ("u8", "u16"):
            made = compiled(triton_crop._crop_kernel, sample, {"ROW": 18, "BLOCK": 256}, target)
            print("crop", target.arch, sample, len(made.asm["cubin"]))
            for plane in (0, 1):
                constants = {"PLANE": plane, "HAS_NOISE": 1, "HAS_OTHER_NOISE": plane, "ROW": 18, "BLOCK": 128}
                made = compiled(triton_paste._paste_kernel, sample, constants, target)
                print("paste", target.arch, sample, plane, len(made.asm["cubin"]))


if __name__ == "__main__":
    sys.exit(main())
