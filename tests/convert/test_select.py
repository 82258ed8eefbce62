from __future__ import annotations

from makers import face_at

from faceswap.convert.select import chosen_faces, main_tracks
from faceswap.faces.index import FaceIndex
from faceswap.types import Face, Shot


def index_of(faces: list[Face]) -> FaceIndex:
    shots = (Shot(0, 10), Shot(10, 20))
    return FaceIndex("0" * 64, "centerface-1", 20, 1, 24, shots, tuple(sorted(faces, key=lambda f: (f.frame, f.track))))


def run_of(track: int, iod: float, start: int, stop: int) -> list[Face]:
    return [face_at(100 + 200 * track, 100, iod, frame=frame, track=track) for frame in range(start, stop)]


def test_largest_face_is_the_main_one() -> None:
    assert main_tracks(index_of(run_of(0, 20, 0, 10) + run_of(1, 30, 0, 10))) == {1}


def test_main_face_fills_most_of_the_picture_over_time() -> None:
    assert main_tracks(index_of(run_of(0, 20, 0, 10) + run_of(1, 30, 4, 6))) == {0}


def test_each_shot_has_a_main_face_of_its_own() -> None:
    small, large = run_of(0, 20, 0, 10), run_of(1, 30, 0, 10)
    assert main_tracks(index_of(small + large + run_of(2, 15, 10, 20))) == {1, 2}


def test_faces_of_others_are_counted_as_skipped() -> None:
    chosen, skipped = chosen_faces(index_of(run_of(0, 30, 0, 10) + run_of(1, 20, 0, 7)), "main")
    assert {face.track for faces in chosen.values() for face in faces} == {0}
    assert skipped == {"faces of other people": 7}


def test_all_faces_are_chosen_on_request() -> None:
    chosen, skipped = chosen_faces(index_of(run_of(0, 30, 0, 10) + run_of(1, 20, 0, 7)), "all")
    assert sum(map(len, chosen.values())) == 17
    assert len(chosen[3]) == 2
    assert skipped == {}


def test_frames_without_faces_are_not_listed() -> None:
    chosen, _ = chosen_faces(index_of(run_of(0, 30, 2, 4)), "main")
    assert sorted(chosen) == [2, 3]
