"""What the device path can do. Whatever is not listed here is done by `SwapEngine`, and the user is told why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from typing import Any

import torch

from faceswap.convert.device.match import KINDS
from faceswap.convert.face_settings import FaceSettings, in_words


def _anything(value: Any) -> bool:
    return True


_SUPPORTED: Mapping[str, Callable[[Any], bool]] = {
    "match": lambda kind: kind == "none" or kind in KINDS,
    "match_over": lambda over: over in ("sliding", "shot"),
    "passes": lambda number: number == 1,
    "restore": lambda network: network is None,
    "restore_strength": _anything,
    "restore_faithfulness": _anything,
    "light": _anything,
    "sharpness": _anything,
    "grain": lambda way: way in ("match", "off"),
    "erode": lambda sides: sides.is_even and sides.top >= 0,
    "feather": _anything,
    "refine_mask": lambda reach: reach == 0,
    "mask_steady": _anything,
    "opacity": _anything,
    "keep": _anything,
    "occlusion": lambda way: way in ("auto", "off"),
    "segmenter": _anything,
    "glasses": _anything,
    "mask_use": lambda use: use in ("multiply", "replace"),
}
"""By setting: the values with which the device path gives the picture of the CPU."""


_OF_THE_JOB = frozenset(
    [
        "faces",
        "track",
        "person",
        "map",
        "min_cosine",
        "mask",
        "min_face_px",
        "ffmpeg_filter",
        "codec",
        "crf",
        "preset",
        "profile",
        "pix_fmt",
        "interlaced",
        "deliver",
        "copy_untouched",
        "decode",
        "video_stream",
        "watermark",
        "label",
        "label_place",
        "label_seconds",
        "morph",
        "figures",
        "batch",
        "runner",
        "shots",
        "start",
        "end",
        "trim",
        "override",
    ]
)
"""Settings of the whole job that change nothing here, or that `DeviceEngine` heeds (`batch`, `morph`)."""


def unsupported(settings: Iterable[FaceSettings], config: FaceSettings | None = None) -> str | None:
    """Return which setting the device path does not know, in words; None = it knows them all.

    A setting that is not in the lists counts as unknown, whatever its value: it was added since.

    Args:
        settings: that faces may have. config: of the whole job.
    """
    for name in type(config).model_fields if config is not None else ():
        if name not in _SUPPORTED and name not in _OF_THE_JOB:
            return f"{name} {in_words(getattr(config, name))}"
    for each in settings:
        for name in type(each).model_fields:
            value = getattr(each, name)
            if name not in _SUPPORTED or not _SUPPORTED[name](value):
                return f"{name} {in_words(value)}"
    return None


def choose(
    device: torch.device, settings: Iterable[FaceSettings], config: FaceSettings | None = None
) -> tuple[bool, str | None]:
    """Return whether faces are finished on the models' device, and what the user is told about it."""
    if device.type != "cuda":
        return False, None
    reason = unsupported(settings, config)
    if reason is not None:
        return False, f"only the networks ran on the GPU, all else on the CPU: the GPU's path does not know {reason}"
    if find_spec("triton") is None:
        return True, "crop and paste ran on the GPU without Triton, which is slower; pip install triton brings it"
    return True, None
