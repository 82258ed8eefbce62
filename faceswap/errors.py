"""Every error a user can cause or meet, with the exit code the command line gives it.

    FaceswapError (1)
    ├── UsageError (2)              a setting, a name or a path that cannot be meant
    │   └── CropMismatchError (2)   faceset, model and request define different crops
    ├── UnsupportedInputError (3)   a file we cannot work with
    │   └── NoFaceError (3)         no face in it
    ├── CheckpointError (1)         a model folder that cannot be read
    ├── PartialResultError (4)      some of the work was done, some was not
    ├── ProvenanceError (5)         marking refused
    │   └── ConsentError (5)        no consent on record, or not for this
    ├── ResourceError (6)           memory, disk
    ├── DeviceError (2)             the device asked for is not there
    ├── ShapeError (1)              an array of the wrong shape or type
    ├── ElsewhereError (as there)   another process of the same run failed, and says why
    └── InterruptedRunError (130)   stopped by the user; the message says how to go on

A message is one sentence: what failed, the value, what is allowed, what to do.
"""

from __future__ import annotations


class FaceswapError(Exception):
    """Base of all errors raised on purpose by this package."""

    exit_code = 1


class UsageError(FaceswapError):
    """A setting, name or path that cannot be meant."""

    exit_code = 2


class CropMismatchError(UsageError):
    """Faceset, model and request do not define the same crop."""


class UnsupportedInputError(FaceswapError):
    """An input file that cannot be read or worked with."""

    exit_code = 3


class NoFaceError(UnsupportedInputError):
    """No face was found where at least one is needed."""


class CheckpointError(FaceswapError):
    """A model folder without a checkpoint that verifies."""


class PartialResultError(FaceswapError):
    """Some inputs were done, others were not."""

    exit_code = 4


class ProvenanceError(FaceswapError):
    """An output that could not be marked, or must not be made."""

    exit_code = 5


class ConsentError(ProvenanceError):
    """No consent is on record for a face, or what is on record does not allow this."""


class ResourceError(FaceswapError):
    """Out of disk space or memory."""

    exit_code = 6


class DeviceError(FaceswapError):
    """The device asked for is not available."""

    exit_code = 2


class ShapeError(FaceswapError):
    """An array whose shape or dtype is not the documented one."""


class ElsewhereError(FaceswapError):
    """Another process of the same run failed; the command line leaves it to that one to say why.

    Args:
        exit_code: of the other process.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class InterruptedRunError(FaceswapError):
    """The user stopped the run; what was done is saved.

    Args:
        message: says what is saved and how to continue.
        signal_number: the signal received; the exit code is 128 + that number.
    """

    def __init__(self, message: str, signal_number: int = 2) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number
