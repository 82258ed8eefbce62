"""The settings of a finished conversion as a file that `--settings` takes again: told, overridden and taken as default alike."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from faceswap import __version__
from faceswap.convert.config import ConvertConfig
from faceswap.convert.face_settings import NOTHING
from faceswap.convert.plan import ConvertPlan
from faceswap.faces.cache import INDEX_FOLDER
from faceswap.files import disk_errors_named, readable, short_name, write_atomic
from faceswap.media.libraries import library_versions
from faceswap.models.swap_model import SwapModel

_HEADER = """\
# Everything this conversion was told or took as default. The same again:
#   faceswap convert INPUT -m MODEL --settings THIS_FILE
# Paths are meant from the folder where it ran. [made] is for the record: it is passed over when the file is read.
"""


def settings_path(output: Path) -> Path:
    """Return where the settings of an output are kept: beside its face index, not among the user's own files."""
    return output.parent / INDEX_FOLDER / f"{short_name(output.name)}.settings.toml"


def write_settings(plan: ConvertPlan, models: Sequence[SwapModel], detector: str) -> Path:
    """Write the settings of a conversion and what made it; return the file.

    Raises:
        ResourceError: the disk is full or cannot be written.
    """
    path = settings_path(plan.output)
    made = {
        "faceswap": __version__,
        "input": plan.input.name,
        "input_fingerprint": plan.fingerprint,
        "output": plan.output.name,
        "to": plan.wish.words,
        "models": [model.manifest_sha256 for model in models],
        "compute": str(models[0].compute),
        "detector": detector,
        "encoder": {"name": plan.encode.codec, "pix_fmt": plan.encode.pix_fmt, **plan.encode.options},
        "libraries": library_versions(),
    }
    with disk_errors_named(path):
        write_atomic(path, settings_text(plan.config, made).encode())
    return path


def settings_text(config: ConvertConfig, made: Mapping[str, Any]) -> str:
    """Return settings as TOML: reading it gives an equal `ConvertConfig`.

    Args:
        made: what made the conversion, of texts, numbers, lists and tables of these.
    """
    values = config.model_dump(mode="json")
    overrides = values.pop("override")
    lines = [_HEADER, *_pairs({key: value for key, value in values.items() if value is not None})]
    for override in overrides:  # None is a value there: it takes back what the job says
        lines += ["", "[[override]]", *_pairs({key: NOTHING if v is None else v for key, v in override.items()})]
    tables = {key: value for key, value in made.items() if isinstance(value, Mapping)}
    lines += ["", "[made]", *_pairs({key: value for key, value in made.items() if key not in tables})]
    for name, table in tables.items():
        lines += ["", f"[made.{name}]", *_pairs(table)]
    return "\n".join(lines) + "\n"


def _pairs(values: Mapping[str, Any]) -> list[str]:
    return [f"{_key(key)} = {_value(value)}" for key, value in values.items()]


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() and name.isascii() else _value(name)


def _value(value: Any) -> str:
    """Return a value as TOML: its basic strings are those of JSON, but for one character."""
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(_pairs(value))}}}"
    text = value if isinstance(value, (bool, int, float)) else readable(str(value))
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
