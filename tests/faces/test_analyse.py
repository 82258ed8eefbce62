from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clips import astronaut_picture, gradient_picture, make_clip
from makers import detector

from faceswap.errors import InterruptedRunError, NoFaceError
from faceswap.faces.analyse import analyse
from faceswap.faces.index import FaceIndex
from faceswap.files import fingerprint
from faceswap.interrupt import StopRequest
from faceswap.media.reader import open_clip
from faceswap.types import Shot

SIZE = (160, 200)


def two_shots(index: int) -> np.ndarray:
    """A face that moves right, then, from frame 12 on, the mirrored picture in negative-like darkness."""
    if index < 12:
        return astronaut_picture(SIZE, 2.0 * index)
    return (astronaut_picture(SIZE, 20)[:, ::-1] * 0.45).astype(np.uint8)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "cut.mp4", size=SIZE, num_frames=22, picture=two_shots)


@pytest.fixture(scope="module")
def index(clip: Path) -> FaceIndex:
    return analyse(open_clip(clip), detector())


def test_cut_divides_the_clip_into_shots(index: FaceIndex) -> None:
    assert index.shots == (Shot(0, 12, "start"), Shot(12, 22, "cut"))
    assert index.num_frames == 22


def test_every_frame_has_its_face(index: FaceIndex) -> None:
    assert [len(index.faces_at(frame)) for frame in range(22)] == [1] * 22


def test_no_track_crosses_the_cut(index: FaceIndex) -> None:
    before, after = ({f.track for f in index.faces if f.frame in shot} for shot in index.shots)
    assert len(before) == len(after) == 1
    assert before.isdisjoint(after)


def test_nothing_is_smoothed_across_the_cut(index: FaceIndex) -> None:
    for face in index.faces:
        assert face.frame_from_canonical is not None
        eyes = face.landmarks[:2].mean(axis=0)
        assert np.hypot(*(face.frame_from_canonical[:, 2] - eyes)) < 2.5


def test_faces_follow_the_movement(index: FaceIndex) -> None:
    x = [index.faces_at(frame)[0].frame_from_canonical[0, 2] for frame in range(12)]  # type: ignore[index]
    assert np.diff(x) == pytest.approx([2.0] * 11, abs=0.7)


def test_index_names_clip_and_detector(index: FaceIndex, clip: Path) -> None:
    assert index.fingerprint == fingerprint(clip)
    assert index.detector == detector().name


def test_no_track_crosses_a_dissolve(tmp_path: Path) -> None:
    old, new = astronaut_picture(SIZE, -10), (astronaut_picture(SIZE, 10)[:, ::-1] * 0.8).astype(np.uint8)

    def melting(frame: int) -> np.ndarray:
        share = min(max((frame - 15) / 12, 0), 1)
        return np.rint((1 - share) * old + share * new).astype(np.uint8)

    index = analyse(open_clip(make_clip(tmp_path / "melt.mp4", size=SIZE, num_frames=40, picture=melting)), detector())
    assert [shot.transition for shot in index.shots] == ["start", "dissolve"]
    assert abs(index.shots[1].start - 21) <= 2
    before, after = ({f.track for f in index.faces if f.frame in shot} for shot in index.shots)
    assert before
    assert after
    assert before.isdisjoint(after)


def test_every_third_frame_only(clip: Path) -> None:
    found = analyse(open_clip(clip), detector(), every=3)
    assert sorted({face.frame for face in found.faces}) == [0, 3, 6, 9, 12, 15, 18, 21]


def test_clip_without_faces_is_an_error_with_the_remedy(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "empty.mp4", num_frames=4, picture=lambda i: gradient_picture((120, 160), i))
    with pytest.raises(NoFaceError, match="--min-face"):
        analyse(open_clip(clip), detector())


def test_faces_below_the_minimum_size_do_not_count(clip: Path) -> None:
    with pytest.raises(NoFaceError, match="90 px"):
        analyse(open_clip(clip), detector(), min_face_px=90)


def test_stop_request_ends_the_analysis(clip: Path) -> None:
    stop = StopRequest()
    stop.signal_number = 15
    with pytest.raises(InterruptedRunError) as caught:
        analyse(open_clip(clip), detector(), stop=stop)
    assert caught.value.exit_code == 143


def test_progress_counts_the_frames(clip: Path) -> None:
    done: list[int] = []
    analyse(open_clip(clip), detector(), every=5, on_progress=lambda event: done.append(event.done))
    assert done == list(range(1, 23))


def test_turned_clip_is_analysed_upright(tmp_path: Path) -> None:
    def lying(frame: int) -> np.ndarray:
        return np.ascontiguousarray(np.rot90(astronaut_picture(SIZE, frame)))

    clip = make_clip(tmp_path / "turned.mp4", size=SIZE[::-1], num_frames=4, rotation=-90, picture=lying)
    index = analyse(open_clip(clip), detector())
    face = index.faces_at(0)[0]
    assert face.box[2] <= SIZE[0]
    assert face.box[3] <= SIZE[1]
    left_eye, right_eye = face.landmarks[:2]
    assert abs(left_eye[1] - right_eye[1]) > 5 * abs(left_eye[0] - right_eye[0])  # in stored pixels the head lies
