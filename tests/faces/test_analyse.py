from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import astronaut_picture, gradient_picture, make_clip
from makers import detector

from faceswap import geometry
from faceswap.errors import InterruptedRunError, NoFaceError, UsageError
from faceswap.faces.analyse import analyse, kept_index
from faceswap.faces.cache import index_path, load_index
from faceswap.faces.index import FaceIndex
from faceswap.faces.method import FaceMethod, method_name
from faceswap.faces.views import square_view
from faceswap.files import fingerprint
from faceswap.interrupt import StopRequest
from faceswap.media.pictures import write_picture
from faceswap.media.reader import open_clip
from faceswap.schemes import FIVE, SCHEMES
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


class CountingDetector:
    """Counts the pixels that the default detector is shown."""

    def __init__(self) -> None:
        self.name = detector().name
        self.pixels = 0

    def detect(self, pictures: np.ndarray) -> list:
        self.pixels += pictures.shape[0] * pictures.shape[1] * pictures.shape[2]
        return detector().detect(pictures)


def test_scene_without_faces_costs_little(tmp_path: Path) -> None:
    size, count = (180, 320), 136
    clip = make_clip(tmp_path / "empty.mp4", size=size, num_frames=count, picture=lambda i: gradient_picture(size, i))
    counting = CountingDetector()
    index = analyse(open_clip(clip), counting, needs_face=False)
    assert index.faces == ()
    # A look at every frame would be one whole picture for each; looks for heads that lie or hang are in it.
    assert counting.pixels < 0.5 * count * 192 * 320


def test_one_face_costs_less_than_a_look_at_every_picture(tmp_path: Path) -> None:
    size, count = (720, 1280), 65
    face = astronaut_picture(size)
    clip = make_clip(tmp_path / "one.mp4", size=size, num_frames=count, picture=lambda i: np.roll(face, i, axis=1))
    counting = CountingDetector()
    index = analyse(open_clip(clip), counting)
    assert len(index.faces) == count
    assert counting.pixels < 0.45 * count * 384 * 640


def test_person_hidden_for_a_second_keeps_the_track(tmp_path: Path) -> None:
    size = (160, 320)

    def passing(index: int) -> np.ndarray:
        picture = astronaut_picture(size, 0.3 * index)
        left = 12 * (index - 16)
        picture[:, max(0, left) : max(0, left + 190)] = 70  # somebody walks by
        return picture

    index = analyse(open_clip(make_clip(tmp_path / "by.mp4", size=size, num_frames=64, picture=passing)), detector())
    assert len(index.shots) == 1
    assert len({face.track for face in index.faces}) == 1
    seen = [face.frame for face in index.faces if not face.is_interpolated]
    assert seen[0] == 0
    assert seen[-1] == 63
    hidden = [frame for frame in range(64) if not index.faces_at(frame)]
    assert len(hidden) > 8


def test_head_that_turns_over_is_followed(tmp_path: Path) -> None:
    size = (240, 240)

    def turning(index: int) -> np.ndarray:
        matrix = cv2.getRotationMatrix2D((120, 95), 3.0 * index, 0.8)
        return cv2.warpAffine(astronaut_picture(size), matrix, size[::-1], borderMode=cv2.BORDER_REPLICATE)

    index = analyse(open_clip(make_clip(tmp_path / "roll.mp4", size=size, num_frames=60, picture=turning)), detector())
    assert [len(index.faces_at(frame)) for frame in range(60)] == [1] * 60
    angles = [geometry.to_similarity(face.frame_from_canonical).angle for face in index.faces]  # type: ignore[arg-type]
    turned = np.degrees(np.unwrap(angles))
    assert turned[0] - turned == pytest.approx(3.0 * np.arange(60), abs=4)


@pytest.mark.parametrize("name", ["upside down", "empty", "interlaced"])
def test_stills(tmp_path: Path, name: str) -> None:
    picture = astronaut_picture((240, 320))
    if name == "interlaced":
        clip = make_clip(
            tmp_path / "one.mp4", size=(240, 320), num_frames=1, field_order="tff", picture=lambda _: picture
        )
        assert len(analyse(open_clip(clip), detector()).faces) == 1
        return
    shown = picture[::-1, ::-1] if name == "upside down" else gradient_picture((240, 320), 0)
    write_picture(tmp_path / "still.png", np.ascontiguousarray(shown))
    index = analyse(open_clip(tmp_path / "still.png"), detector(), needs_face=False)
    assert len(index.faces) == (name == "upside down")


class FixedLandmarker:
    """Stands in for a landmark network: always places the template, a little to the right."""

    name, scheme, size = "fixed-landmarks-1", FIVE, 64
    patch_from_canonical = square_view(64, 3.7, 0.4)

    def landmarks(self, patches: np.ndarray) -> list[tuple[np.ndarray, float]]:
        points = geometry.apply(self.patch_from_canonical, SCHEMES[FIVE].template + np.array([0.1, 0]))
        return [(points, 0.5) for _ in patches]


def test_landmarker_places_the_points_anew(index: FaceIndex, clip: Path) -> None:
    refined = analyse(open_clip(clip), FaceMethod(detector(), FixedLandmarker(), 3))
    assert refined.detector == f"{detector().name}+fixed-landmarks-1+refine3"
    for frame in (0, 5, 15):
        (before,), (after,) = index.faces_at(frame), refined.faces_at(frame)
        eyes = np.hypot(*(before.landmarks[1] - before.landmarks[0]))
        shift = (after.landmarks - before.landmarks).mean(axis=0) / eyes
        assert shift == pytest.approx([0.1, 0], abs=0.06)
        assert after.score == pytest.approx(before.score / 2, abs=0.1)


@pytest.mark.parametrize("refine", [0, 9])
def test_impossible_number_of_crops_is_refused(refine: int) -> None:
    with pytest.raises(UsageError, match="--refine"):
        FaceMethod(detector(), refine=refine)


def test_kept_index_of_other_settings_is_not_used(clip: Path, tmp_path: Path) -> None:
    reader, output = open_clip(clip), tmp_path / "out.mp4"
    first = kept_index(reader, detector(), output, min_face_px=24)
    place = index_path(clip, output, first.fingerprint, reader.info.video_stream)
    name = detector().name
    assert load_index(place, first.fingerprint, method_name(name), 24) is not None
    assert load_index(place, first.fingerprint, method_name(name, refine=2), 24) is None
    assert load_index(place, first.fingerprint, method_name(name, "facemesh-1"), 24) is None
    assert kept_index(reader, FaceMethod(detector(), refine=2), output, min_face_px=24).detector == f"{name}+refine2"
