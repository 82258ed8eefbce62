from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from makers import detector
from people import BLUE, RED, ColorEncoder, make_two_person_clip, person, red_and_blue

from faceswap.errors import NoFaceError, UsageError
from faceswap.faces.analyse import analyse
from faceswap.faces.identity import cosines, reference_vectors, track_vectors
from faceswap.faces.samples import faces_by_track
from faceswap.media.pictures import write_picture
from faceswap.media.reader import VideoReader


def picture(path: Path, rgb: np.ndarray) -> Path:
    write_picture(path, rgb)
    return path


def test_tracks_are_most_like_their_own_person(tmp_path: Path) -> None:
    reader = VideoReader(make_two_person_clip(tmp_path / "in.mkv"))
    index = analyse(reader, detector())
    tracks = faces_by_track(index)
    left = next(track for track, faces in tracks.items() if faces[0].box[0] < 160)
    references = {
        "red": [picture(tmp_path / "r.png", person(RED)), picture(tmp_path / "r2.png", person(RED, 5))],
        "blue": [picture(tmp_path / "b.png", person(BLUE))],
    }
    people = reference_vectors(references, detector(), ColorEncoder())
    alike = cosines(track_vectors(reader, index, tracks, ColorEncoder()), people)
    assert len(alike) == 2
    for track, values in alike.items():
        own, other = ("red", "blue") if track == left else ("blue", "red")
        assert values[own] > 0.95
        assert values[other] < 0


def test_a_reference_with_a_bystander_in_the_background_is_taken(tmp_path: Path) -> None:
    far = np.zeros((320, 320, 3), np.uint8)
    far[:] = person(RED).repeat(2, axis=0).repeat(2, axis=1)
    far[:53, -53:] = person(BLUE)[::3, ::3][:53, :53]
    vectors = reference_vectors({"": [picture(tmp_path / "r.png", far)]}, detector(), ColorEncoder())
    assert vectors[""][0] > 0  # red


def test_a_reference_without_a_face_is_refused(tmp_path: Path) -> None:
    path = picture(tmp_path / "empty.png", np.full((160, 160, 3), 90, np.uint8))
    with pytest.raises(NoFaceError, match=r"empty\.png"):
        reference_vectors({"": [path]}, detector(), ColorEncoder())


def test_a_reference_of_several_people_is_refused(tmp_path: Path) -> None:
    path = picture(tmp_path / "both.png", red_and_blue(0))
    with pytest.raises(UsageError, match="shows 2 people"):
        reference_vectors({"": [path]}, detector(), ColorEncoder())


def test_a_reference_that_is_no_picture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ref.png"
    path.write_bytes(b"no picture")
    with pytest.raises(UsageError, match="cannot be read"):
        reference_vectors({"": [path]}, detector(), ColorEncoder())
