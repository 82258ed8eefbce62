from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from clips import astronaut_picture, make_clip
from makers import detector, face_at, frame_table

from faceswap import geometry
from faceswap.errors import UnsupportedInputError, UsageError
from faceswap.faces.cache import edits_path, index_digest, index_path, open_index
from faceswap.faces.edited import edited
from faceswap.faces.edits import Add, Drop, Edit, Move, Reassign, box_on, load_edits, save_edits, trail_of
from faceswap.faces.handwork import HandWork
from faceswap.faces.index import FaceIndex
from faceswap.faces.index_words import check_name, parse_frames, parse_points, parse_shift, parse_tracks
from faceswap.media.reader import VideoReader
from faceswap.schemes import FIVE, SCHEMES
from faceswap.types import Face, Shot

NUM_FRAMES = 40


FIVE_POINTS = ((10.0, 10.0), (40.0, 10.0), (25.0, 28.0), (14.0, 42.0), (36.0, 42.0))


def walk(track: int, x: float, *, frames: range = range(NUM_FRAMES), offset: float = 0.0) -> list[Face]:
    """A face that walks to and fro."""
    return [face_at(x + offset + 15 * np.sin(f / 6), 100 + offset, 30, frame=f, track=track) for f in frames]


def index_of(*tracks: list[Face], shots: tuple[Shot, ...] = (Shot(0, NUM_FRAMES, "start"),)) -> FaceIndex:
    faces = sorted((face for track in tracks for face in track), key=lambda face: (face.frame, face.track))
    return FaceIndex("f" * 64, "fixed-1", frame_table(NUM_FRAMES), 1, 24, (), (), shots, tuple(faces))


def run_of(faces: list[Face]) -> dict[str, object]:
    return {"trail": trail_of(faces), "start": faces[0].frame, "stop": faces[-1].frame + 1}


def found_again() -> FaceIndex:
    """Another analysis of the same clip: other track numbers, boxes a little off, one more face."""
    return index_of(walk(1, 100, offset=3), walk(0, 400, offset=3), walk(2, 250))


LEFT, RIGHT = walk(0, 100), walk(1, 400)


def test_trail_is_short_and_close_to_every_box() -> None:
    trail = trail_of(LEFT)
    assert len(trail) < NUM_FRAMES / 2
    side = LEFT[0].box[2] - LEFT[0].box[0]
    for face in LEFT:
        assert np.abs(box_on(trail, face.frame) - face.box).max() <= 0.11 * side


def test_trail_of_one_face_holds_it_alone() -> None:
    assert len(trail_of(LEFT[:1])) == 1


def test_dropped_faces_are_gone_and_stay_gone_after_another_analysis() -> None:
    edit = Drop(**run_of(LEFT[10:20]))
    for index in (index_of(LEFT, RIGHT), found_again()):
        after, lost = edited(index, [edit])
        before, left = ({(f.track, f.frame) for f in faces} for faces in (index.faces, after.faces))
        (track,) = {f.track for f in index.faces_at(0) if f.box[0] < 150}
        assert before - left == {(track, frame) for frame in range(10, 20)}
        assert lost == []


def test_moved_faces_are_where_they_were_put() -> None:
    after, _ = edited(index_of(LEFT, RIGHT), [Move(**run_of(LEFT[5:10]), x=4, y=-3, scale=1.2, degrees=10)])
    face, before = after.faces_at(7)[0], LEFT[7]
    assert face.frame_from_canonical is not None
    assert before.frame_from_canonical is not None
    assert geometry.scale_of(face.frame_from_canonical) == pytest.approx(1.2 * 30)
    turned = geometry.to_similarity(face.frame_from_canonical).angle
    assert turned == pytest.approx(np.radians(10))
    np.testing.assert_allclose((face.box[:2] + face.box[2:]) / 2 - (before.box[:2] + before.box[2:]) / 2, [4, -3])
    np.testing.assert_allclose(
        geometry.apply(face.frame_from_canonical, SCHEMES[FIVE].template), face.landmarks, atol=1e-9
    )
    assert after.faces_at(4)[0] is LEFT[4]


def test_eased_move_grows_and_fades() -> None:
    after, _ = edited(index_of(LEFT), [Move(**run_of(LEFT[10:20]), x=10, ease=3)])
    shifts = [after.faces_at(f)[0].box[0] - LEFT[f].box[0] for f in range(9, 21)]
    np.testing.assert_allclose(shifts, [0, 2.5, 5, 7.5, 10, 10, 10, 10, 7.5, 5, 2.5, 0])


def test_named_track_keeps_its_name_after_another_analysis() -> None:
    edit = Reassign(**run_of(RIGHT), person="alice")
    assert edited(index_of(LEFT, RIGHT), [edit])[0].people == {1: "alice"}
    assert edited(found_again(), [edit])[0].people == {0: "alice"}


def test_naming_a_part_of_a_track_makes_it_a_track_of_its_own() -> None:
    after, _ = edited(index_of(LEFT, RIGHT), [Reassign(**run_of(LEFT[:10]), person="bob")])
    assert after.people == {2: "bob"}
    assert [f.frame for f in after.faces if f.track == 2] == list(range(10))


def test_joined_track_gets_the_number_of_the_other() -> None:
    first, second = walk(0, 100, frames=range(15)), walk(3, 100, frames=range(20, 40))
    edit = Reassign(**run_of(second), other=trail_of(first))
    after, _ = edited(index_of(first, second, RIGHT), [edit])
    assert {f.track for f in after.faces} == {0, 1}
    assert len([f for f in after.faces if f.track == 0]) == 35


def test_added_face_is_interpolated_between_its_keys() -> None:
    start, stop = face_at(200, 50, 20), face_at(220, 60, 20)
    keys = tuple((f, tuple(map(tuple, face.landmarks.tolist()))) for f, face in ((3, start), (13, stop)))
    after, _ = edited(index_of(LEFT), [Add(keys=keys)])
    added = [f for f in after.faces if f.track == 1]
    assert [f.frame for f in added] == list(range(3, 14))
    np.testing.assert_allclose(added[5].landmarks, (start.landmarks + stop.landmarks) / 2)
    assert added[5].box[0] < added[5].landmarks[:, 0].min()


def test_added_face_ends_with_the_clip() -> None:
    """However far a key mended by hand may lie."""
    five = tuple(map(tuple, face_at(200, 50, 20).landmarks.tolist()))
    index = index_of(LEFT)
    after, _ = edited(index, [Add(keys=((3, five), (10**12, five)))])
    assert max(f.frame for f in after.faces) == index.num_frames - 1


def test_edits_that_meet_nothing_are_named_by_their_number() -> None:
    nowhere = Drop(start=0, stop=5, trail=((0, 900.0, 900.0, 950.0, 950.0),))
    assert edited(index_of(LEFT), [Drop(**run_of(LEFT[:2])), nowhere])[1] == [2]


@pytest.mark.parametrize(
    "edit",
    [
        Drop(**run_of(LEFT)),
        Move(**run_of(LEFT), x=1.5, ease=2),
        Reassign(**run_of(LEFT), person="alice", other=trail_of(RIGHT)),
        Add(keys=((3, FIVE_POINTS),)),
    ],
    ids=["drop", "move", "reassign", "add"],
)
def test_edits_are_kept_as_they_are(tmp_path: Path, edit: Edit) -> None:
    save_edits(tmp_path / "e.json", "f" * 64, [edit])
    assert load_edits(tmp_path / "e.json", "f" * 64) == (edit,)


BOX = [5, 1, 1, 2, 2]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"fingerprint": "x", "edits": [{"kind": "burn"}]}',
        "[]",
        *(
            json.dumps({"fingerprint": "f" * 64, "edits": [edit]})
            for edit in (
                {"kind": "drop", "start": 0, "stop": 9, "trail": [BOX, BOX]},
                {"kind": "reassign", "start": 0, "stop": 9, "trail": [BOX], "other": []},
                {"kind": "add", "keys": [[3, [[1, 2]] * 4]]},
                {"kind": "add", "keys": [[3, [[1, 2]] * 5], [2, [[1, 2]] * 5]]},
            )
        ),
    ],
)
def test_damaged_edits_are_an_error_not_forgotten(tmp_path: Path, text: str) -> None:
    (tmp_path / "e.json").write_text(text)
    with pytest.raises(UnsupportedInputError, match="mend the file"):
        load_edits(tmp_path / "e.json", "f" * 64)


def test_edits_of_another_clip_are_refused(tmp_path: Path) -> None:
    save_edits(tmp_path / "e.json", "a" * 64, [])
    with pytest.raises(UnsupportedInputError, match="another clip"):
        load_edits(tmp_path / "e.json", "f" * 64)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "in.mp4"
    return make_clip(path, size=(160, 200), num_frames=12, picture=lambda i: astronaut_picture((160, 200), 2.0 * i))


def open_work(clip: Path, folder: Path) -> HandWork:
    return HandWork.open(VideoReader(clip), folder / "out.mp4", detector())


def test_work_by_hand_survives_deleting_the_index(clip: Path, tmp_path: Path) -> None:
    work = open_work(clip, tmp_path)
    work.drop(0, "3-5")
    work.reassign(0, person="alice")
    work.place.unlink()
    again = open_work(clip, tmp_path)
    assert [edit.kind for edit in again.edits] == ["drop", "reassign"]
    assert sorted({face.frame for face in again.index.faces}) == [0, 1, 2, 6, 7, 8, 9, 10, 11]
    assert again.index.people == {0: "alice"}


def test_undo_brings_the_faces_back(clip: Path, tmp_path: Path) -> None:
    work = open_work(clip, tmp_path)
    work.drop(0, "3")
    work.move(0, x=2)
    assert work.undo(1).kind == "drop"
    assert len(work.index.faces) == 12
    assert [edit.kind for edit in work.edits] == ["move"]
    with pytest.raises(UsageError, match="there are 1 to 1"):
        work.undo(2)


def test_face_is_not_added_over_another(clip: Path, tmp_path: Path) -> None:
    work = open_work(clip, tmp_path)
    points = tuple(map(tuple, work.index.faces[2].landmarks.tolist()))
    with pytest.raises(UsageError, match="has a face there already"):
        work.add([(2, points)])
    with pytest.raises(UsageError, match="frames 0 to 11"):
        work.add([(99, points)])
    work.drop(0, "2")
    work.add([(2, points)])
    assert [face.track for face in work.index.faces_at(2)] == [1]


def test_wrong_choices_are_explained(clip: Path, tmp_path: Path) -> None:
    work = open_work(clip, tmp_path)
    with pytest.raises(UsageError, match="there are: 0"):
        work.drop(7)
    with pytest.raises(UsageError, match="from frame 0 to 11"):
        work.drop(0, "50-60")
    with pytest.raises(UsageError, match="changes nothing"):
        work.move(0)
    with pytest.raises(UsageError, match="must be another one"):
        work.reassign(0, to_track=0)
    assert not edits_path(work.place).exists()


def test_edits_change_the_digest_that_jobs_depend_on(clip: Path, tmp_path: Path) -> None:
    work = open_work(clip, tmp_path)
    before = index_digest(work.place)
    work.drop(0, "3")
    assert index_digest(work.place) != before
    assert work.place == index_path(clip, tmp_path / "out.mp4", work.index.fingerprint, 0)


def test_lost_edits_become_a_remark(clip: Path, tmp_path: Path) -> None:
    work = open_work(clip, tmp_path)
    nowhere = Drop(start=0, stop=5, trail=((0, 900.0, 900.0, 950.0, 950.0),))
    save_edits(edits_path(work.place), work.index.fingerprint, [nowhere])
    assert open_index(work.place).remarks == ("edit 1 of the face index (drop) meets no face any more",)


def test_words_are_read() -> None:
    assert parse_frames("57") == (57, 58)
    assert parse_frames("100-200") == (100, 201)
    assert parse_tracks("3,7-9,3") == [3, 7, 8, 9]
    assert parse_shift("3,-2.5") == (3, -2.5)
    assert parse_points("57:1,2,3,4,5,6,7,8,9,10") == (57, ((1, 2), (3, 4), (5, 6), (7, 8), (9, 10)))
    assert check_name("alice b") == "alice b"


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_frames, "9-3"),
        (parse_frames, "a"),
        (parse_tracks, "1,,2"),
        (parse_tracks, "1-999999999"),
        (parse_shift, "3"),
        (parse_shift, "nan,1"),
        (parse_points, "57:1,2"),
        (parse_points, "1,2,3,4,5,6,7,8,9,10"),
        (check_name, "a=b"),
        (check_name, ""),
    ],
)
def test_words_that_make_no_sense_are_refused(parse: object, text: str) -> None:
    with pytest.raises(UsageError):
        parse(text)  # type: ignore[operator]


@pytest.mark.parametrize(
    "change",
    [
        {"start": -5},
        {"stop": 0},
        {"start": 10**30, "stop": 10**31},
        {"trail": []},
        {"trail": [[0, float("nan"), 0, 9, 9]]},
        {"trail": [[0, 1e308, 0, 9, 9]]},
        {"trail": [[9, 0, 0, 9, 9], [0, 0, 0, 9, 9]]},
        {"kind": "move", "degrees": 1e308},
        {"kind": "move", "x": 1e300},
        {"kind": "reassign", "other": []},
        {"kind": "reassign", "person": "a\nb"},
    ],
)
def test_file_of_edits_with_nonsense_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    edit = {"kind": "drop", "start": 0, "stop": 9, "trail": [[0, 0, 0, 9, 9]]} | change
    path = tmp_path / "clip.edits.json"
    path.write_text(json.dumps({"fingerprint": "f", "edits": [edit]}))
    with pytest.raises(UnsupportedInputError, match="mend the file"):
        load_edits(path, "f")


@pytest.mark.parametrize("frames", [(-1,), (9, 5), (5, 5)])
def test_added_faces_need_frames_that_rise(tmp_path: Path, frames: tuple[int, ...]) -> None:
    path = tmp_path / "clip.edits.json"
    keys = [[frame, FIVE_POINTS] for frame in frames]
    path.write_text(json.dumps({"fingerprint": "f", "edits": [{"kind": "add", "keys": keys}]}))
    with pytest.raises(UnsupportedInputError, match="mend the file"):
        load_edits(path, "f")


def test_faces_added_far_beyond_the_end_cost_nothing() -> None:
    index, lost = edited(index_of(), [Add(keys=((3, FIVE_POINTS), (10**9, FIVE_POINTS)))])
    assert not lost
    assert [face.frame for face in index.faces] == list(range(3, NUM_FRAMES))


def test_folder_in_place_of_the_edits_is_not_passed_over(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedInputError, match="directory"):
        load_edits(tmp_path, "f")


def test_values_that_no_edit_can_have_are_usage_errors(clip: Path, tmp_path: Path) -> None:
    work = open_work(clip, tmp_path)
    (track, *_) = {face.track for face in work.index.faces}
    for change in ({"degrees": float("inf")}, {"x": 1e300}, {"degrees": 721.0}):
        with pytest.raises(UsageError, match="the move"):
            work.move(track, **change)
    with pytest.raises(UsageError, match="of each other"):
        work.add([(0, ((10.0, 10.0),) * 5)])
    assert not work.edits
