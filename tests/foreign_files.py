"""Files as DeepFaceLab and deepfakes/faceswap write them, made from the layouts of their formats."""

from __future__ import annotations

import pickle
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from clips import _astronaut
from numpy.typing import NDArray
from portraits import POINTS

from faceswap import geometry, resample
from faceswap.faces.align import frame_from_canonical
from faceswap.schemes import IBUG68, SCHEMES
from faceswap.types import FIVE, Matrix

_CENTRES = geometry.translation(-0.5, -0.5)
"""From our coordinates to theirs, which put integers on the centres of pixels."""


def frame_landmarks() -> NDArray[np.float64]:
    """Return 68 points on the astronaut's photograph (our coordinates) whose anchors agree with the five."""
    template = SCHEMES[IBUG68].template
    anchors = geometry.apply(frame_from_canonical(POINTS, FIVE), template)
    points = np.tile(anchors.mean(axis=0), (68, 1))
    for group, anchor in zip(SCHEMES[IBUG68].anchors, anchors, strict=True):
        spread = np.linspace(-1, 1, len(group)) if len(group) > 1 else np.zeros(1)
        points[list(group)] = anchor + np.column_stack([spread * 6, spread * 0])
    return points


def crop_of_photo(size: int, pad: float) -> tuple[NDArray[np.uint8], Matrix]:
    """Return a turned square crop around the face (RGB) and crop-from-photograph.

    Args:
        pad: side in inter-ocular distances.
    """
    canonical = geometry.invert(frame_from_canonical(POINTS, FIVE))
    turn = geometry.from_similarity(geometry.Similarity(np.log(size / pad), 0.1, size / 2, size * 0.42))
    matrix = geometry.compose(turn, canonical)
    return resample.warp(_astronaut(), matrix, (size, size)), matrix


def theirs(points: NDArray) -> NDArray:
    """Return points in their coordinates."""
    return geometry.apply(_CENTRES, points)


def their_matrix(matrix: Matrix) -> Matrix:
    """Return a matrix between pictures in their coordinates."""
    return geometry.compose(_CENTRES, geometry.compose(matrix, geometry.invert(_CENTRES)))


def dfl_values(
    size: int = 256, pad: float = 5.0, *, frame: str = "00012.png", **over: Any
) -> tuple[NDArray, dict[str, Any]]:
    """Return a crop and what DeepFaceLab keeps of it."""
    rgb, matrix = crop_of_photo(size, pad)
    points = frame_landmarks()
    values = {
        "face_type": "whole_face",
        "landmarks": theirs(geometry.apply(matrix, points)).tolist(),
        "source_filename": frame,
        "source_rect": [180, 60, 270, 175],
        "source_landmarks": theirs(points).tolist(),
        "image_to_face_mat": their_matrix(matrix).tolist(),
        "xseg_mask": np.arange(300, dtype=np.uint8),
    }
    return rgb, {**values, **over}


def dfl_jpeg(rgb: NDArray, app15: bytes) -> bytes:
    """Return a JPEG with an APP15 segment after its other APP segments."""
    data = cv2.imencode(".jpg", rgb[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    (length,) = struct.unpack(">H", data[4:6])
    place = 4 + length
    return data[:place] + b"\xff\xef" + struct.pack(">H", len(app15) + 2) + app15 + data[place:]


def write_dfl(path: Path, *, protocol: int = 4, **options: Any) -> Path:
    """Write a crop of DeepFaceLab."""
    rgb, values = dfl_values(**options)
    path.write_bytes(dfl_jpeg(rgb, pickle.dumps(values, protocol)))
    return path


def write_pak(path: Path, files: list[Path], rows: list[dict[str, Any]] | None = None) -> Path:
    """Write a faceset.pak, version 1; its last offset is the file's length, as in the original."""
    rows = [{"filename": file.name, "sample_type": 1} for file in files] if rows is None else rows
    listed = pickle.dumps(rows, 4)
    contents = [file.read_bytes() for file in files]
    ends = np.cumsum([0, *map(len, contents)])
    head = struct.pack("<QQ", 1, len(listed)) + listed
    offsets = [*ends[:-1].tolist(), len(head) + 8 * (len(files) + 1) + int(ends[-1])]
    path.write_bytes(head + struct.pack(f"<{len(offsets)}Q", *offsets) + b"".join(contents))
    return path


def faceswap_face(*, as_list: bool = True, crop: Matrix | None = None, side: int = 128, **over: Any) -> dict[str, Any]:
    """Return what deepfakes/faceswap keeps of the astronaut's face; with `crop`, a head mask that was cut by it."""
    points = theirs(frame_landmarks()).astype(np.float32)
    face: dict[str, Any] = {"x": 180, "y": 60, "w": 90, "h": 115}
    face["landmarks_xy"] = points.tolist() if as_list else points
    face["mask"] = {}
    if crop is not None:
        matrix = their_matrix(crop)
        stored = matrix.tolist() if as_list else matrix
        content = zlib.compress(np.zeros((side, side), np.uint8).tobytes())
        face["mask"]["bisenet-fp_head"] = {
            "mask": content,
            "affine_matrix": stored,
            "interpolator": 2,
            "stored_size": side,
            "stored_centering": "head",
        }
    face["identity"] = {}
    return {**face, **over}


def write_faceswap_png(path: Path, *, size: int = 256, with_mask: bool = True, text: bytes | None = None) -> Path:
    """Write a crop of deepfakes/faceswap: a Python literal in an iTXt chunk with the keyword "faceswap"."""
    rgb, matrix = crop_of_photo(size, 5.0)
    mask_from_frame = geometry.compose(geometry.scaling(128 / size), matrix)
    values = {
        "alignments": faceswap_face(crop=mask_from_frame if with_mask else None),
        "source": {
            "alignments_version": 2.4,
            "original_filename": path.name,
            "face_index": 0,
            "source_filename": "clip_000003.png",
            "source_is_video": True,
            "source_frame_dims": (512, 512),
        },
    }
    content = b"faceswap\0\0\0\0\0" + (str(values).encode() if text is None else text)
    data = cv2.imencode(".png", rgb[:, :, ::-1])[1].tobytes()
    place = data.index(b"IDAT") - 4
    chunk = struct.pack(">I", len(content)) + b"iTXt" + content + struct.pack(">I", zlib.crc32(b"iTXt" + content))
    path.write_bytes(data[:place] + chunk + data[place:])
    return path


def write_fsa(path: Path, frames: list[str], *, version: float = 2.4, protocol: int = 4) -> Path:
    """Write alignments in the layout of a version: 1.0, 2.0 to 2.2 (no identities), 2.3 and later."""
    face = faceswap_face(as_list=version < 2, crop=None if version < 2 else geometry.scaling(0.25))
    if version < 2:
        face = {"x": 180, "y": 60, "w": 90, "h": 115, "landmarksXY": face["landmarks_xy"], "hash": "0" * 40}
        content: dict[str, Any] = {name: [face] for name in frames}
    else:
        if version < 2.3:
            del face["identity"]
        else:
            face["identity"] = {"vggface2": np.zeros(512, np.float32)}
            face["thumb"] = np.zeros(900, np.uint8)
        entry = {"faces": [face], "video_meta": {"pts_time": 0.04, "keyframe": True}}
        content = {"__meta__": {"version": version}, "__data__": dict.fromkeys(frames, entry)}
    path.write_bytes(zlib.compress(pickle.dumps(content, protocol)))
    return path
