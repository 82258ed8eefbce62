from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from makers import face_at

from faceswap.faces.base import Detection
from faceswap.faces.paths import MAX_GAP
from faceswap.faces.track import Tracker
from faceswap.types import Face, Shot


def seen(x: float, y: float = 100.0, iod: float = 30.0, score: float = 0.9) -> Detection:
    face = face_at(x, y, iod)
    return Detection(face.box, score, face.landmarks)


def eyes_x(face: Face) -> float:
    return float(face.landmarks[:2, 0].mean())


def test_two_people_who_cross_keep_their_tracks() -> None:
    tracker = Tracker()
    for frame in range(41):
        # One walks right nearer to the camera, one walks left behind: their boxes overlap in the middle.
        people = [seen(100 + 5 * frame, 90, 30), seen(300 - 5 * frame, 70, 20)]
        tracker.add(frame, people if frame % 2 == 0 else people[::-1])
    first, second = tracker.finish(0)
    assert [eyes_x(f) for f in first] == pytest.approx([100 + 5 * i for i in range(41)], abs=3)
    assert [eyes_x(f) for f in second] == pytest.approx([300 - 5 * i for i in range(41)], abs=3)


def test_order_of_detections_does_not_matter() -> None:
    tracker = Tracker()
    for frame in range(10):
        people = [seen(100), seen(300)]
        tracker.add(frame, people if frame % 2 else people[::-1])
    assert sorted(len(track) for track in tracker.finish(0)) == [10, 10]


def test_short_gap_is_filled_on_the_way() -> None:
    tracker = Tracker()
    for frame in (0, 1, 2, 3, 7, 8, 9, 10):
        tracker.add(frame, [seen(100 + 2 * frame)])
    (track,) = tracker.finish(5)
    assert [face.frame for face in track] == list(range(11))
    assert [face.frame for face in track if face.is_interpolated] == [4, 5, 6]
    assert [eyes_x(face) for face in track] == pytest.approx([100 + 2 * i for i in range(11)], abs=0.5)
    transforms = np.array([face.frame_from_canonical for face in track])
    assert transforms[:, 0, 2] == pytest.approx([100 + 2 * i for i in range(11)], abs=0.5)
    assert {face.track for face in track} == {5}


def test_long_gap_is_not_filled_and_the_track_goes_on() -> None:
    tracker = Tracker()
    for frame in (0, 1, 2, 3 + MAX_GAP, 4 + MAX_GAP):
        tracker.add(frame, [seen(100)])
    (track,) = tracker.finish(0)
    assert [face.frame for face in track] == [0, 1, 2, 3 + MAX_GAP, 4 + MAX_GAP]


def test_who_stays_away_gets_a_new_track() -> None:
    tracker = Tracker()
    for frame in (*range(5), *range(200, 205)):
        tracker.add(frame, [seen(100)])
    assert [len(track) for track in tracker.finish(0)] == [5, 5]


def looking(x: float, look: float, y: float = 100.0, iod: float = 30.0) -> Detection:
    """Return a detection of somebody who looks like `look`."""
    appearance = np.zeros(96, dtype=np.float32)
    appearance[:2] = np.cos(look), np.sin(look)
    return replace(seen(x, y, iod), appearance=appearance)


ANNA, BERT = 0.0, np.pi / 2


def test_person_who_was_hidden_for_a_second_keeps_the_track() -> None:
    tracker = Tracker()
    for frame in range(60):
        anna = [] if 20 <= frame < 45 else [looking(100 + 0.5 * frame, ANNA)]
        tracker.add(frame, [*anna, looking(300, BERT)])
    tracks = tracker.finish(0)
    assert sorted(len(track) for track in tracks) == [35, 60]


def test_somebody_else_in_the_same_place_is_another_track() -> None:
    tracker = Tracker()
    for frame in range(20):
        tracker.add(frame, [looking(100, ANNA)])
    for frame in range(45, 60):
        tracker.add(frame, [looking(100, BERT)])
    assert [len(track) for track in tracker.finish(0)] == [20, 15]


def test_people_of_one_size_who_cross_are_told_apart_by_their_looks() -> None:
    tracker = Tracker()
    for frame in range(61):
        anna, bert = looking(100 + 4 * frame, ANNA), looking(340 - 4 * frame, BERT)
        is_hidden = abs(frame - 30) < 8  # Bert behind Anna
        tracker.add(frame, [anna] if is_hidden else [bert, anna])
    first, second = sorted(tracker.finish(0), key=len, reverse=True)
    assert [eyes_x(f) for f in first] == pytest.approx([100 + 4 * i for i in range(61)], abs=1)
    assert [second[0].frame, second[-1].frame] == [0, 60]
    assert eyes_x(second[-1]) == pytest.approx(100, abs=1)


def test_path_is_not_smoothed_over_a_long_absence() -> None:
    tracker = Tracker()
    for frame in (*range(10), *range(40, 50)):
        tracker.add(frame, [looking(100 if frame < 20 else 120, ANNA)])
    (track,) = tracker.finish(0)
    x = [face.frame_from_canonical[0, 2] for face in track]  # type: ignore[index]
    assert x == pytest.approx([100] * 10 + [120] * 10, abs=0.2)


def test_gaps_are_filled_at_the_step_of_the_analysis() -> None:
    tracker = Tracker(step=4)
    for frame in (0, 4, 12, 16):
        tracker.add(frame, [seen(100)])
    (track,) = tracker.finish(0)
    assert [face.frame for face in track] == [0, 4, 8, 12, 16]


def test_single_detections_are_taken_for_false_alarms() -> None:
    tracker = Tracker()
    for frame in range(5):
        tracker.add(frame, [seen(100), seen(400)] if frame == 2 else [seen(100)])
    tracks = tracker.finish(0, min_frames=3)
    assert [len(track) for track in tracks] == [5]


def test_a_jump_starts_a_new_track() -> None:
    tracker = Tracker()
    for frame in range(6):
        tracker.add(frame, [seen(100 if frame < 3 else 400)])
    assert [track[0].frame for track in tracker.finish(0)] == [0, 3]


def test_faces_of_tracks_are_aligned() -> None:
    tracker = Tracker()
    for frame in range(5):
        tracker.add(frame, [seen(100)])
    expected = face_at(100, 100, 30).frame_from_canonical
    for face in tracker.finish(0)[0]:
        np.testing.assert_allclose(face.frame_from_canonical, expected, atol=0.2)


def test_no_detections_give_no_tracks() -> None:
    tracker = Tracker()
    tracker.add(0, [])
    assert tracker.finish(0) == []


def test_tracks_are_divided_where_a_shot_ends() -> None:
    tracker = Tracker()
    for frame in range(20):
        tracker.add(frame, [seen(100 if frame < 12 else 104)])
    before, after = (part.finish(0) for part in tracker.split([Shot(0, 12, "start"), Shot(12, 20, "dissolve")]))
    assert [[face.frame for face in track] for track in before] == [list(range(12))]
    assert [[face.frame for face in track] for track in after] == [list(range(12, 20))]
    # Smoothed apart: the step of 4 px between the last of one and the first of the other is still there.
    assert after[0][0].frame_from_canonical[0, 2] - before[0][-1].frame_from_canonical[0, 2] > 3.5  # type: ignore[index]


def test_gap_is_not_bridged_across_the_end_of_a_shot() -> None:
    tracker = Tracker()
    for frame in (*range(8), *range(12, 20)):
        tracker.add(frame, [seen(100)])
    parts = [part.finish(0) for part in tracker.split([Shot(0, 10, "start"), Shot(10, 20, "dissolve")])]
    assert [[face.frame for face in track] for (track,) in parts] == [list(range(8)), list(range(12, 20))]


def test_few_detections_left_at_the_seam_are_dropped() -> None:
    tracker = Tracker()
    for frame in range(14):
        tracker.add(frame, [seen(100)])
    before, after = tracker.split([Shot(0, 12, "start"), Shot(12, 30, "dissolve")])
    assert [len(track) for track in before.finish(0, min_frames=3)] == [12]
    assert after.finish(0, min_frames=3) == []
