"""Small things that many tests need: frames, faces, facesets, models. Everything follows from its seed."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap import geometry
from faceswap.faces.base import Detection
from faceswap.facesets.schema import FaceRecord
from faceswap.facesets.store import FaceSet
from faceswap.media.digest import frame_digest
from faceswap.media.layouts import layout_of
from faceswap.media.pictures import write_picture
from faceswap.media.reader import VideoReader
from faceswap.schemes import FIVE, SCHEMES
from faceswap.types import ColorInfo, CropSpec, Face, Frame, FrameTable, Timestamp

EXTRACT_CROP = CropSpec(size=96, coverage="whole_face", margin=0.12)


class FixedDetector:
    """Stands in for a detector: reports one face in the middle of each picture, half as large as its shorter side."""

    name = "fixed-1"

    def detect(self, pictures: NDArray[np.uint8]) -> list[list[Detection]]:
        height, width = pictures.shape[1:3]
        middle, half = np.array([width / 2, height / 2]), min(height, width) / 4
        template = SCHEMES[FIVE].template
        landmarks = middle + (template - template.mean(axis=0)) * half * 0.7
        box = np.concatenate([middle - half, middle + half])
        return [[Detection(box, 0.9, landmarks)] for _ in pictures]


@lru_cache
def detector() -> Any:
    """Return the default detector, loaded once for all tests."""
    from faceswap.faces.registry import make_detector

    return make_detector("centerface", threads=1)


def smooth_noise(size: tuple[int, int], seed: int, *, blur: float = 3.0) -> NDArray[np.float32]:
    """Return an (h, w, 3) float32 picture of soft blobs between 0.1 and 0.9."""
    noise = np.random.default_rng(seed).random((*size, 3)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), blur, borderType=cv2.BORDER_REFLECT)
    low, high = soft.min(), soft.max()
    return (0.1 + 0.8 * (soft - low) / (high - low)).astype(np.float32)


def noise_frame(pix_fmt: str = "yuv420p", size: tuple[int, int] = (96, 128), *, seed: int = 0) -> Frame:
    """Return a frame of soft noise inside the studio range, each plane on its own."""
    layout, bits = layout_of(pix_fmt)
    height, width = size
    # Rounded up, as FFmpeg does for odd sizes.
    small = (-(-height // 2 ** layout.chroma_shift[0]), -(-width // 2 ** layout.chroma_shift[1]))
    dtype = np.uint8 if bits == 8 else np.uint16
    step = 2 ** (bits - 8)
    planes = []
    for i, plane_size in enumerate((size, small, small)):
        soft = smooth_noise(plane_size, seed * 3 + i)[..., 0]
        planes.append(((60 + 120 * soft) * step).astype(dtype))
    color = ColorInfo("rgb", True, bits) if layout.is_rgb else ColorInfo("bt709", False, bits)
    return Frame(tuple(planes), layout, color, Timestamp(0, Fraction(1, 25)), 0, 1)


def face_at(
    x: float, y: float, iod: float, *, angle: float = 0.0, frame: int = 0, track: int = 0, score: float = 0.9
) -> Face:
    """Return an aligned face whose eyes' middle is at (x, y) px, with `iod` px between the eyes."""
    matrix = geometry.from_similarity(geometry.Similarity(float(np.log(iod)), angle, x, y))
    landmarks = geometry.apply(matrix, SCHEMES[FIVE].template)
    low, high = landmarks.min(axis=0) - iod / 2, landmarks.max(axis=0) + iod / 2
    return Face(frame, np.concatenate([low, high]), score, landmarks, track=track, frame_from_canonical=matrix)


def frame_table(num_frames: int) -> FrameTable:
    """Return the table of frames at 25 a second, each with another digest."""
    numbers = np.arange(num_frames)
    return FrameTable(Fraction(1, 25), numbers, np.ones_like(numbers), (numbers * 2654435761 % 2**32).astype(np.uint32))


def table_of(reader: VideoReader) -> FrameTable:
    """Return the table of a clip's frames, by a whole pass."""
    rows = [(frame.time.pts, frame.duration, frame_digest(frame)) for frame in reader]
    pts, duration, digest = np.array(rows, dtype=np.int64).T
    return FrameTable(reader.info.time_base, pts, duration, digest.astype(np.uint32))


def encode_clip(path: Path, info: Any, plan: Any, frames: Iterable[Frame], **muxer: Any) -> Path:
    """Encode frames as `plan` says and put them into their container; `muxer` goes to `ClipMuxer`."""
    from faceswap.media.assemble import ClipMuxer, PictureRun
    from faceswap.media.encode import VideoEncoder

    encoder = VideoEncoder(info, plan)
    pictures = [picture for frame in frames for picture in encoder.encode(frame)]
    pictures += encoder.finish()
    ClipMuxer(info, plan, **muxer).write(path, [PictureRun([p.pts for p in pictures], lambda: pictures)])
    return path


def tiny_faceset(path: Path, actor: str, *, num_faces: int = 10, crop: CropSpec = EXTRACT_CROP) -> Path:
    """Write a faceset of soft noise with the template's landmarks; the actor's name is the seed."""
    store = FaceSet.create(path, actor, crop)
    seed = zlib.crc32(actor.encode())
    landmarks = geometry.apply(geometry.patch_from_canonical(crop), SCHEMES[FIVE].template)
    records = []
    for i in range(num_faces):
        name = f"faces/{seed:08x}-{i:06d}-0.jpg"
        picture = smooth_noise((crop.size, crop.size), (seed + i) % 2**31)
        write_picture(path / name, (picture * 255).astype(np.uint8))
        box = np.array([0.0, 0.0, crop.size, crop.size])
        record = FaceRecord(name, "f" * 64, i, i, "1/25", 0, 0, 0.9, box, landmarks, np.eye(2, 3))
        records.append(record)
    store.add_clip("f" * 64, Path("clip.mp4"), 1, num_faces, records)
    return path


def tiny_values(**over: Any) -> dict[str, Any]:
    """Return a recipe that trains 8 steps in less than a second."""
    network = {"name": "df", "size": 64, "encoder_dim": 8, "decoder_dim": 8, "bottleneck_dim": 32, "mask_dim": 4}
    values = {"network": network, "batch": 2, "steps": 8, "checkpoint_every": 4, "precision": "fp32", "warm_up": 2}
    return {**values, **over}


def tiny_config(**over: Any) -> Any:
    """Return `tiny_values` as a `TrainConfig`."""
    from faceswap.train.config import TrainConfig

    return TrainConfig.model_validate(tiny_values(**over))


def tiny_state(identities: tuple[str, ...] = ("anna", "bert"), **over: Any) -> Any:
    """Return an untrained `TrainState` of the tiny network."""
    from faceswap.device import choose_compute
    from faceswap.models.spec import SwapSpec
    from faceswap.train.state import TrainState

    config = tiny_config(**over)
    spec = SwapSpec(network=config.network, crop=config.crop, identities=identities)
    return TrainState.create(spec, config, choose_compute("cpu", "fp32"))


def tiny_consent(name: str, **over: Any) -> Any:
    """Return a consent record for the face of a model's identity; the name is the seed."""
    from faceswap.provenance.consent import ConsentRecord, Subject

    at = "2026-01-02T03:04:05Z"
    slug = name.lower().replace(" ", "-")
    values: dict[str, Any] = {
        "record_id": f"{slug}-{zlib.crc32(name.encode()):010x}",
        "subject": Subject(name=name, adult_attested=True),
        "basis": "public_domain",
        "reason": "made by a test",
        "obtained_at": at,
        "obtained_by": "tests",
        **over,
    }
    return ConsentRecord(**values).noted("made", "tests", at=at)


def tiny_model(path: Path, identities: tuple[str, ...] = ("anna", "bert"), **over: Any) -> Path:
    """Write a random model as a checkpoint of step 0, with a consent record of each identity; return the model folder."""
    state = tiny_state(identities, **over)
    state.consents = {name: (tiny_consent(name),) for name in identities}
    state.save(path, tiny_config(**over))
    return path
