from __future__ import annotations

from collections.abc import Iterable

import pytest
from makers import face_at, frame_table

from faceswap.convert.casting import Casting, Role
from faceswap.convert.range import FrameChoice
from faceswap.convert.select import chosen_faces, main_tracks
from faceswap.errors import NoFaceError
from faceswap.faces.index import FaceIndex
from faceswap.types import Face, Shot


def index_of(faces: list[Face]) -> FaceIndex:
    shots = (Shot(0, 10), Shot(10, 20))
    return FaceIndex(
        "0" * 64,
        "centerface-1",
        frame_table(20),
        1,
        24,
        (),
        (),
        shots,
        tuple(sorted(faces, key=lambda f: (f.frame, f.track))),
    )


def run_of(track: int, iod: float, start: int, stop: int) -> list[Face]:
    return [face_at(100 + 200 * track, 100, iod, frame=frame, track=track) for frame in range(start, stop)]


def casting_of(tracks: Iterable[int]) -> Casting:
    return Casting(dict.fromkeys(tracks, Role(0, "anna")), {})


def test_largest_face_is_the_main_one() -> None:
    assert main_tracks(index_of(run_of(0, 20, 0, 10) + run_of(1, 30, 0, 10))) == {1}


def test_main_face_fills_most_of_the_picture_over_time() -> None:
    assert main_tracks(index_of(run_of(0, 20, 0, 10) + run_of(1, 30, 4, 6))) == {0}


def test_each_shot_has_a_main_face_of_its_own() -> None:
    small, large = run_of(0, 20, 0, 10), run_of(1, 30, 0, 10)
    assert main_tracks(index_of(small + large + run_of(2, 15, 10, 20))) == {1, 2}


def test_faces_of_others_are_counted_as_skipped() -> None:
    chosen, skipped = chosen_faces(index_of(run_of(0, 30, 0, 10) + run_of(1, 20, 0, 7)), casting_of([0]))
    assert {face.track for faces in chosen.values() for face in faces} == {0}
    assert skipped == {"faces of other people": 7}


def test_all_tracks_with_a_role_are_chosen() -> None:
    chosen, skipped = chosen_faces(index_of(run_of(0, 30, 0, 10) + run_of(1, 20, 0, 7)), casting_of([0, 1]))
    assert sum(map(len, chosen.values())) == 17
    assert len(chosen[3]) == 2
    assert skipped == {}


def test_frames_without_faces_are_not_listed() -> None:
    chosen, _ = chosen_faces(index_of(run_of(0, 30, 2, 4)), casting_of([0]))
    assert sorted(chosen) == [2, 3]


def test_a_person_lost_for_a_while_is_still_the_main_person() -> None:
    before = [face_at(100 + i, 60, 20, frame=i, track=0) for i in range(40)]
    after = [face_at(152 + i, 60, 20, frame=52 + i, track=1) for i in range(30)]
    bystander = [face_at(300, 60, 18, frame=i, track=2) for i in range(30)]
    index = index_of([*before, *after, *bystander])
    assert main_tracks(index) == {0, 1}


def test_a_stranger_who_appears_elsewhere_later_is_not_taken_for_the_main_person() -> None:
    before = [face_at(60, 60, 20, frame=i, track=0) for i in range(40)]
    stranger = [face_at(400, 60, 20, frame=45 + i, track=1) for i in range(20)]
    assert main_tracks(index_of([*before, *stranger])) == {0}


def test_only_chosen_frames_are_swapped() -> None:
    index = index_of(run_of(0, 30, 0, 10) + run_of(1, 30, 10, 20))
    chosen, skipped = chosen_faces(index, casting_of([0, 1]), FrameChoice.parse("2", None, "15"))
    assert sorted(chosen) == list(range(10, 15))
    assert skipped == {"faces outside the chosen frames": 15}


def test_main_person_of_a_shot_does_not_depend_on_the_chosen_frames() -> None:
    index = index_of(run_of(0, 20, 0, 10) + run_of(1, 25, 8, 10))
    chosen, _ = chosen_faces(index, casting_of(main_tracks(index)), FrameChoice.parse(None, "8", "10"))
    assert {face.track for faces in chosen.values() for face in faces} == {0}


def test_chosen_frames_without_a_face_are_an_error() -> None:
    with pytest.raises(NoFaceError, match="faceswap shots"):
        chosen_faces(index_of(run_of(0, 30, 0, 10)), casting_of([0]), FrameChoice.parse("2"))
