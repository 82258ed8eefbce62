from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from clips import make_clip
from makers import face_at, table_of

from faceswap.faces.samples import best_faces, frames_with
from faceswap.media.digest import frame_digest
from faceswap.media.reader import VideoReader


def test_samples_are_spread_over_the_track() -> None:
    faces = [face_at(90, 60, 25, frame=i) for i in range(100)]
    chosen = [face.frame for face in best_faces(faces, 5)]
    assert len(chosen) == 5
    assert all(20 * i <= frame < 20 * (i + 1) for i, frame in enumerate(chosen))


def test_short_tracks_give_all_their_faces() -> None:
    assert len(best_faces([face_at(90, 60, 25, frame=i) for i in range(3)], 10)) == 3


def test_found_frontal_and_large_faces_are_preferred() -> None:
    plain = [face_at(90, 60, 12, frame=i) for i in range(4)]
    turned = replace(plain[0], landmarks=plain[0].landmarks + np.array([[0, 0], [0, 0], [5.0, 0], [0, 0], [0, 0]]))
    bridged = replace(plain[1], is_interpolated=True)
    large = face_at(90, 60, 25, frame=3)
    assert best_faces([turned, bridged, plain[2]], 1)[0].frame == 2
    assert best_faces([turned, bridged, plain[2], large], 1)[0].frame == 3


def test_frames_come_once_with_their_faces_wherever_they_are(tmp_path: Path) -> None:
    reader = VideoReader(make_clip(tmp_path / "in.mkv", num_frames=70))
    table = table_of(reader)
    samples = {
        0: [face_at(9, 9, 5, frame=i) for i in (0, 3, 60)],
        1: [face_at(9, 9, 5, frame=i, track=1) for i in (3, 69)],
    }
    given = list(frames_with(reader, table, samples))
    assert [frame.index for frame, _ in given] == [0, 3, 60, 69]
    assert [[face.track for face in faces] for _, faces in given] == [[0], [0, 1], [0], [1]]
    assert all(frame_digest(frame) == table.digest[frame.index] for frame, _ in given)
