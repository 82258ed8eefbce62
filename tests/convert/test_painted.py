"""Hand-painted masks: as files, in patches, and carried from painted frames to others."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import make_clip
from makers import face_at, smooth_noise, table_of
from numpy.typing import NDArray

from faceswap import geometry, resample
from faceswap.convert import blend
from faceswap.convert.painted import PaintedMasks, prepare_painted
from faceswap.convert.painted_files import find_painted, read_mask
from faceswap.errors import UsageError
from faceswap.faces.index import FaceIndex
from faceswap.faces.views import upright_from_frame
from faceswap.media.reader import VideoReader
from faceswap.types import CropSpec, Face, Frame, Shot

SIZE = (160, 240)
CROP = CropSpec(64, "whole_face")
BACKDROP = smooth_noise((160, 400), 3)


def paint(path: Path, mask: NDArray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), mask)
    return path


def white(size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    return np.full(size, 255, dtype=np.uint8)


def place(frame: int) -> float:
    return 70 + 4.0 * frame


def picture(frame: int) -> NDArray[np.uint8]:
    """A textured face that moves to the right by 4 px a frame."""
    left = round(place(0) + 60 - place(frame)) + 60
    return (BACKDROP[:, left : left + 240] * 255).astype(np.uint8)


def spot(frame: int) -> NDArray[np.uint8]:
    """Black where something lies on the left cheek, moving with the face."""
    mask = white()
    cv2.circle(mask, (round(place(frame)) - 12, 82), 9, 0, -1)
    return mask


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "in.mkv"
    return make_clip(path, size=SIZE, num_frames=12, codec="ffv1", picture=picture)


def index_of(clip: Path, cuts: tuple[int, ...] = ()) -> FaceIndex:
    reader = VideoReader(clip)
    starts = (0, *cuts)
    shots = tuple(Shot(a, b) for a, b in zip(starts, (*cuts, 12), strict=True))
    faces = tuple(face_at(place(i), 70, 30, frame=i, track=sum(i >= cut for cut in cuts)) for i in range(12))
    return FaceIndex("f" * 64, "d", table_of(reader), 1, 24, (), (), shots, faces)


def prepared(clip: Path, folder: Path, cuts: tuple[int, ...] = ()) -> tuple[PaintedMasks, tuple[str, ...]]:
    index = index_of(clip, cuts)
    chosen = {face.frame: [face] for face in index.faces}
    return prepare_painted(find_painted(folder), VideoReader(clip), None, index, chosen)


def in_patch(painted: PaintedMasks, frame: Frame, face: Face) -> NDArray | None:
    return painted.in_patch(frame.index, face, blend.cut(frame, face, CROP), CROP, frame.size)


def expected(frame: Frame, face: Face, mask: NDArray) -> NDArray:
    matrix = blend.cut(frame, face, CROP).patch_from_frame
    return resample.warp(mask.astype(np.float32) / 255, matrix, (64, 64))[None]


def test_masks_are_named_by_the_number_at_the_end(tmp_path: Path) -> None:
    for name in ("000003.png", "roto_12.PNG", "7.png"):
        paint(tmp_path / name.lower(), white())
        (tmp_path / name.lower()).rename(tmp_path / name)
    (tmp_path / "notes.txt").write_text("x")
    assert list(find_painted(tmp_path).by_frame) == [3, 7, 12]


def test_bad_folders_are_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no painted masks at"):
        find_painted(tmp_path / "none")
    with pytest.raises(UsageError, match="holds no PNG files"):
        find_painted(tmp_path)
    paint(tmp_path / "a" / "cheek.png", white())
    with pytest.raises(UsageError, match="does not say which frame"):
        find_painted(tmp_path / "a")
    paint(tmp_path / "b" / "1.png", white())
    paint(tmp_path / "b" / "0001.png", white())
    with pytest.raises(UsageError, match="both for frame 1"):
        find_painted(tmp_path / "b")


def test_sizes_and_frames_must_fit_the_clip(tmp_path: Path) -> None:
    paint(tmp_path / "11.png", white())
    files = find_painted(tmp_path)
    files.require_fit(SIZE, 12)
    with pytest.raises(UsageError, match=r"has 240x160 px, the clip 200x100"):
        files.require_fit((100, 200))
    with pytest.raises(UsageError, match=r"painted for frame 11, but the clip has the frames 0 to 10"):
        files.require_fit(SIZE, 11)


@pytest.mark.parametrize("kind", ["grey", "grey16", "colour", "alpha"])
def test_white_is_1_and_black_or_transparent_0(tmp_path: Path, kind: str) -> None:
    mask = np.zeros((8, 8), dtype=np.uint8)
    mask[:, 4:] = 255
    stored: NDArray = {
        "grey": mask,
        "grey16": mask.astype(np.uint16) * 257,
        "colour": np.dstack([mask] * 3),
        "alpha": np.dstack([np.full_like(mask, 255)] * 3 + [mask]),
    }[kind]
    values = read_mask(paint(tmp_path / "1.png", stored))
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, mask / 255, atol=1e-6)


def test_damaged_pictures_are_refused(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"no png")
    with pytest.raises(UsageError, match="cannot be read as a PNG"):
        read_mask(tmp_path / "1.png")
    with pytest.raises(UsageError, match="is not a PNG picture"):
        find_painted(tmp_path).require_fit(SIZE)


def test_digest_follows_contents_and_numbers(tmp_path: Path) -> None:
    paint(tmp_path / "1.png", white())
    first = find_painted(tmp_path).digest()
    assert find_painted(tmp_path).digest() == first
    (tmp_path / "1.png").rename(tmp_path / "2.png")
    second = find_painted(tmp_path).digest()
    paint(tmp_path / "2.png", spot(0))
    assert len({first, second, find_painted(tmp_path).digest()}) == 3


def test_painted_frame_has_its_mask_where_it_was_painted(clip: Path, tmp_path: Path) -> None:
    paint(tmp_path / "4.png", spot(4))
    painted, _ = prepared(clip, tmp_path)
    frame, face = list(VideoReader(clip))[4], face_at(place(4), 70, 30, frame=4)
    found = in_patch(painted, frame, face)
    assert found is not None
    assert found.shape == (1, 64, 64)
    np.testing.assert_allclose(found, expected(frame, face, spot(4)), atol=1e-6)
    assert found.min() < 0.1


def test_frames_between_painted_ones_follow_the_face(clip: Path, tmp_path: Path) -> None:
    for number in (1, 9):
        paint(tmp_path / f"{number}.png", spot(number))
    painted, _ = prepared(clip, tmp_path)
    for frame in VideoReader(clip):
        if 1 < frame.index < 9:
            face = face_at(place(frame.index), 70, 30, frame=frame.index)
            found, truth = in_patch(painted, frame, face), expected(frame, face, spot(frame.index))
            assert found is not None
            assert np.abs(found - truth).mean() < 0.02
            assert np.minimum(1 - found, 1 - truth).sum() > 0.85 * (1 - truth).sum()


def test_the_nearer_of_two_painted_frames_counts_more(clip: Path, tmp_path: Path) -> None:
    paint(tmp_path / "1.png", white())
    paint(tmp_path / "9.png", white() * 0)
    painted, _ = prepared(clip, tmp_path)
    means = {}
    for frame in VideoReader(clip):
        if frame.index in (2, 5, 8):
            found = in_patch(painted, frame, face_at(place(frame.index), 70, 30, frame=frame.index))
            assert found is not None
            means[frame.index] = float(found[:, 20:44, 20:44].mean())
    assert means[2] == pytest.approx(0.875, abs=0.1)
    assert means[5] == pytest.approx(0.5, abs=0.15)
    assert means[8] == pytest.approx(0.125, abs=0.1)


def test_flow_follows_what_moves_against_the_face(tmp_path: Path) -> None:
    """The face stands still, something passes before it: what was painted around it moves along."""

    def passing(frame: int) -> NDArray[np.uint8]:
        still = (BACKDROP[:, 60:300] * 255).astype(np.uint8).copy()
        cv2.circle(still, (60 + 3 * frame, 85), 12, (240, 240, 20), -1)
        cv2.circle(still, (60 + 3 * frame, 85), 5, (20, 20, 240), -1)
        return still

    def around(frame: int) -> NDArray[np.uint8]:
        mask = white()
        cv2.circle(mask, (60 + 3 * frame, 85), 12, 0, -1)
        return mask

    clip = make_clip(tmp_path / "in.mkv", size=SIZE, num_frames=12, codec="ffv1", picture=passing)
    for number in (0, 6):
        paint(tmp_path / "masks" / f"{number}.png", around(number))
    index = index_of(clip)
    faces = [replace(face_at(70, 70, 30), frame=i) for i in range(12)]
    chosen = {face.frame: [face] for face in faces}
    painted, _ = prepare_painted(find_painted(tmp_path / "masks"), VideoReader(clip), None, index, chosen)
    frame = list(VideoReader(clip))[3]
    found, truth = in_patch(painted, frame, faces[3]), expected(frame, faces[3], around(3))
    assert found is not None
    shared = np.minimum(1 - found, 1 - truth).sum() / np.maximum(1 - found, 1 - truth).sum()
    assert shared > 0.6


def test_before_the_first_and_after_the_last_the_nearest_is_carried_on(clip: Path, tmp_path: Path) -> None:
    paint(tmp_path / "5.png", spot(5))
    painted, remarks = prepared(clip, tmp_path)
    assert remarks == ("painted masks of shot 1: frames before 5 and after 5 take the nearest one, carried along",)
    for frame in VideoReader(clip):
        face = face_at(place(frame.index), 70, 30, frame=frame.index)
        found = in_patch(painted, frame, face)
        assert found is not None
        assert np.abs(found - expected(frame, face, spot(frame.index))).mean() < 0.02


def test_shots_without_painted_frames_are_left_alone(clip: Path, tmp_path: Path) -> None:
    paint(tmp_path / "2.png", spot(2))
    painted, remarks = prepared(clip, tmp_path, cuts=(6,))
    frames = list(VideoReader(clip))
    assert in_patch(painted, frames[7], face_at(place(7), 70, 30, frame=7, track=1)) is None
    assert in_patch(painted, frames[3], face_at(place(3), 70, 30, frame=3)) is not None
    assert remarks[-1] == "1 shots have no painted mask and are masked as without any"


def test_one_picture_serves_all_frames(clip: Path, tmp_path: Path) -> None:
    file = paint(tmp_path / "logo.png", spot(0))
    painted, remarks = prepared(clip, file)
    assert remarks == ()
    for frame in list(VideoReader(clip))[::5]:
        face = face_at(place(frame.index), 70, 30, frame=frame.index)
        np.testing.assert_allclose(in_patch(painted, frame, face), expected(frame, face, spot(0)), atol=1e-6)


def test_masks_are_painted_on_the_picture_as_it_is_shown(tmp_path: Path) -> None:
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    stored = spot(0)
    displayed_from_stored, (height, width) = upright_from_frame(SIZE, turn)
    shown = resample.warp(stored, displayed_from_stored, (height, width))
    assert shown.shape == (240, 160)
    painted = PaintedMasks(find_painted(paint(tmp_path / "1.png", shown)), turn, (Shot(0, 12),), {})
    face = face_at(70, 70, 30)
    patch = blend.cut(next(iter(VideoReader(make_clip(tmp_path / "c.mkv", size=SIZE, codec="ffv1")))), face, CROP)
    found = painted.in_patch(0, face, patch, CROP, SIZE)
    np.testing.assert_allclose(
        found, resample.warp(stored.astype(np.float32) / 255, patch.patch_from_frame, (64, 64))[None], atol=0.02
    )


def test_fields_take_the_frames_mask(tmp_path: Path) -> None:
    """A field has half the lines; its patch shows the same place of the picture."""
    painted = PaintedMasks(find_painted(paint(tmp_path / "1.png", spot(0))), None, (Shot(0, 12),), {})
    frame = next(iter(VideoReader(make_clip(tmp_path / "c.mkv", size=SIZE, codec="ffv1"))))
    face = face_at(70, 70, 30)
    patch = blend.cut(frame, face, CROP)
    in_frame = painted.in_patch(0, face, patch, CROP, SIZE)
    from_field = replace(patch, patch_from_frame=geometry.compose(patch.patch_from_frame, geometry.frame_from_field(0)))
    in_field = painted.in_patch(0, face, from_field, CROP, (80, 240))
    assert in_frame is not None
    assert in_field is not None
    assert np.abs(in_field - in_frame).mean() < 0.01


def test_prepared_masks_travel_to_other_processes(clip: Path, tmp_path: Path) -> None:
    paint(tmp_path / "2.png", spot(2))
    painted, _ = prepared(clip, tmp_path)
    frame, face = list(VideoReader(clip))[3], face_at(place(3), 70, 30, frame=3)
    copied = pickle.loads(pickle.dumps(painted))
    np.testing.assert_array_equal(in_patch(copied, frame, face), in_patch(painted, frame, face))
