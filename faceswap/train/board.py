"""TensorBoard: the events and previews of a run as curves and pictures (extra `track`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from faceswap.errors import UsageError

FOLDER = "tensorboard"
_SHOWN = {"step": "training", "score": "score"}
"""Events whose numbers become curves, and what the curves' names begin with."""


def require_tensorboard() -> None:
    """Raise UsageError unless TensorBoard is installed."""
    if find_spec("tensorboard") is None:
        raise UsageError(
            "TensorBoard is not installed; pip install 'faceswap[track]', or train without --tensorboard (events.jsonl and "
            "report.html hold the same figures)"
        )


class Board:
    """Writes what `tensorboard --logdir MODEL/tensorboard` shows.

    Args:
        first_step: what an earlier run has written from there on is no longer shown.
    """

    def __init__(self, folder: Path, first_step: int) -> None:
        self._folder = folder
        self._writer = self._open(first_step)

    def _open(self, first_step: int) -> Any:
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(self._folder), purge_step=first_step + 1, flush_secs=30)

    def take(self, event: str, values: Mapping[str, Any]) -> None:
        """Show an event, if it is one with figures."""
        if event == "roll_back":
            self._writer.close()
            self._writer = self._open(values["to"])
        if event in _SHOWN:
            for name, value in _scalars(_SHOWN[event], {k: v for k, v in values.items() if k != "step"}):
                self._writer.add_scalar(name, value, values["step"])

    def picture(self, step: int, png: bytes) -> None:
        """Show a picture as it is, with all that is written in its file."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        width, height = (int.from_bytes(png[at : at + 4], "big") for at in (16, 20))
        image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=png)
        self._writer.file_writer.add_summary(Summary(value=[Summary.Value(tag="preview", image=image)]), step)

    def close(self) -> None:
        """Write what is still in memory."""
        self._writer.close()


def _scalars(name: str, values: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Give all numbers of nested values with their paths as names."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _scalars(f"{name}/{key}", value)
        elif isinstance(value, int | float):
            yield f"{name}/{key}", float(value)
