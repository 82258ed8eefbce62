from __future__ import annotations

import inspect

from faceswap import errors

EXIT_CODES = {
    "FaceswapError": 1,
    "UsageError": 2,
    "CropMismatchError": 2,
    "UnsupportedInputError": 3,
    "NoFaceError": 3,
    "CheckpointError": 1,
    "PartialResultError": 4,
    "ConsentError": 5,
    "ProvenanceError": 5,
    "ResourceError": 6,
    "DeviceError": 2,
    "ShapeError": 1,
}


def test_every_error_has_its_documented_exit_code() -> None:
    found = {name: kind.exit_code for name, kind in inspect.getmembers(errors, inspect.isclass)}
    assert found.pop("InterruptedRunError")
    assert found.pop("ElsewhereError")  # that of the other process
    assert found == EXIT_CODES


def test_interruption_exits_like_the_shell_does() -> None:
    assert errors.InterruptedRunError("x", 2).exit_code == 130
    assert errors.InterruptedRunError("x", 15).exit_code == 143


def test_the_tree_in_the_docstring_names_every_error() -> None:
    assert errors.__doc__ is not None
    assert all(f"{name} ({code})" in errors.__doc__ for name, code in EXIT_CODES.items())
