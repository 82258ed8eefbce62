"""Facesets of deepfakes/faceswap: PNG files with an iTXt chunk, and .fsa alignments (zlib over a pickle)."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceswap import geometry
from faceswap.errors import UnsupportedInputError
from faceswap.facesets.foreign import ForeignFace, box_of, matrix_of, picture_size, png_chunks, points_of, text_of
from faceswap.pickles.machine import inflate, read_pickle
from faceswap.types import Matrix

_KEYWORD = b"faceswap"
_MAX_TEXT = 512 << 10
"""Bytes; with five masks there are about 100,000. Python's parser takes up to 500 times as much memory as its text."""
_MAX_NESTING = 12
_MAX_FSA = 512 << 20


def read_faceswap_png(name: str, data: bytes) -> ForeignFace:
    """Return the face of a crop.

    The text is a Python literal in all versions so far; JSON is read, too. Landmarks are those of the frame; where they lie
    in the crop follows from a stored mask with the crop's own centring, if there is one.

    Raises:
        UnsupportedInputError: it holds no such data, or damaged ones.
    """
    text = _metadata(name, data)
    values = _literal(name, text)
    face = values.get("alignments") if isinstance(values, dict) else None
    source = values.get("source") if isinstance(values, dict) else None
    landmarks = points_of(_landmarks(face))
    if not isinstance(face, dict) or landmarks is None:
        raise UnsupportedInputError(f"{name}: its faceswap data hold no 68 landmarks")
    source = source if isinstance(source, dict) else {}
    matrix = _crop_from_frame(face, landmarks, data)
    number = source.get("face_index")
    return ForeignFace(
        name=name,
        picture=data,
        source=text_of(source.get("source_filename")),
        number=number if type(number) is int and 0 <= number < 1000 else 0,
        landmarks=None if matrix is None else geometry.apply(matrix, landmarks),
        frame_landmarks=landmarks,
        box=_box(face),
        crop_from_frame=matrix,
    )


def read_fsa(path: Path) -> Iterator[ForeignFace]:
    """Yield the faces of an alignments file; they have no pictures.

    All versions: up to 1 the frames are the whole (name -> list of faces), from 2.0 on they lie under `__data__`, each a
    dict with `faces`. Landmarks are `landmarks_xy`, earlier `landmarksXY`, as array or list.

    Raises:
        UnsupportedInputError: not such a file, damaged, or refused.
    """
    if path.stat().st_size > _MAX_FSA:
        raise UnsupportedInputError(f"{path} has more than {_MAX_FSA >> 20} MB, which no alignments have")
    values = read_pickle(inflate(path.read_bytes(), str(path)), str(path))
    frames = values.get("__data__", values) if isinstance(values, dict) else None
    if not isinstance(frames, dict):
        raise UnsupportedInputError(f"{path} holds no alignments")
    for frame_name, frame in sorted(
        (text_of(key), value) for key, value in frames.items() if text_of(key) != "__meta__"
    ):
        faces = frame.get("faces") if isinstance(frame, dict) else frame
        for number, face in enumerate(faces if isinstance(faces, list) else []):
            landmarks = points_of(_landmarks(face))
            if landmarks is None:
                continue
            yield ForeignFace(
                name=f"{frame_name} face {number}",
                picture=None,
                source=frame_name,
                number=number,
                landmarks=None,
                frame_landmarks=landmarks,
                box=_box(face),
            )


def _metadata(name: str, data: bytes) -> bytes:
    for kind, content in png_chunks(data):
        keyword, _, rest = content.partition(b"\0")
        if kind != b"iTXt" or keyword != _KEYWORD or len(rest) < 4:
            continue
        is_compressed, text = rest[0] == 1, rest[2:].split(b"\0", 2)[-1]
        text = inflate(text, name, limit=_MAX_TEXT) if is_compressed else text
        if len(text) > _MAX_TEXT:
            raise UnsupportedInputError(f"{name}: its faceswap data have more than {_MAX_TEXT >> 10} kB")
        return text
    raise UnsupportedInputError(f"{name} has no faceswap data; extract faces from ordinary pictures with `extract`")


def _literal(name: str, text: bytes) -> Any:
    """Read JSON or a Python literal; the parser of the latter is kept from deep nesting, which it does not survive."""
    try:
        written = text.decode("utf-8")
        depth = deepest = 0
        for sign in written:
            depth += (sign in "([{") - (sign in ")]}")
            deepest = max(deepest, depth)
        if deepest > _MAX_NESTING:
            raise ValueError(f"nested deeper than {_MAX_NESTING}")
        try:
            return json.loads(written)
        except ValueError:
            return ast.literal_eval(written)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise UnsupportedInputError(f"{name}: its faceswap data are damaged ({error})") from error


def _landmarks(face: Any) -> Any:
    return face.get("landmarks_xy", face.get("landmarksXY")) if isinstance(face, dict) else None


def _box(face: dict) -> NDArray[np.float64] | None:
    rect = box_of([face.get(key) for key in "xywh"])
    return None if rect is None else np.concatenate([rect[:2], rect[:2] + rect[2:]])


def _crop_from_frame(face: dict, landmarks: Any, data: bytes) -> Matrix | None:
    """Crops show the whole head, as masks with that centring do, which are stored with the matrix that cut them."""
    stored = face.get("mask")
    size = picture_size(data)
    for mask in stored.values() if isinstance(stored, dict) and size is not None else ():
        if not isinstance(mask, dict) or mask.get("stored_centering") != "head":
            continue
        side, matrix = mask.get("stored_size"), matrix_of(mask.get("affine_matrix"))
        if type(side) is not int or not 16 <= side <= 2048 or matrix is None or size is None:
            continue
        for mask_from_frame in (matrix, geometry.invert(matrix)):
            inside = geometry.apply(mask_from_frame, landmarks)
            if inside.min() > -0.2 * side and inside.max() < 1.2 * side and np.ptp(inside, axis=0).min() > 0.2 * side:
                return geometry.compose(geometry.scaling(size[1] / side, size[0] / side), mask_from_frame)
    return None
