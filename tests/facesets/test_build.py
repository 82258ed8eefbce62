from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from clips import astronaut_picture, make_clip, woven
from makers import detector

from faceswap import geometry, resample
from faceswap.errors import (
    CropMismatchError,
    FaceswapError,
    InterruptedRunError,
    NoFaceError,
    ResourceError,
    UsageError,
)
from faceswap.faces.index import FaceIndex
from faceswap.facesets import build, crops
from faceswap.facesets.build import ExtractReport, extract_faces
from faceswap.facesets.store import FaceSet
from faceswap.media.picture_depth import read_deep_picture
from faceswap.media.pictures import read_picture_bgr, write_picture
from faceswap.schemes import FIVE, SCHEMES
from faceswap.types import CropSpec

SIZE = (160, 200)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "face.mp4"
    return make_clip(path, size=SIZE, num_frames=9, picture=lambda i: astronaut_picture(SIZE, 2.0 * i))


@pytest.fixture
def empty_clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "empty.mp4", num_frames=3)


def extract(clips: list[Path], faceset: Path, **over: Any) -> ExtractReport:
    return extract_faces(clips, faceset, "anna", detector=detector(), **{"size": 96, "min_face_px": 24, **over})


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_frame_of_a_clip_gives_a_crop(tmp_path: Path, clip: Path) -> None:
    report = extract([clip], tmp_path / "set")
    faceset = FaceSet.open(tmp_path / "set")
    assert (report.num_faces, report.num_total, report.failed, report.skipped) == (9, 9, (), ())
    assert [record.frame for record in faceset.records()] == list(range(9))
    assert len(list((tmp_path / "set" / "faces").iterdir())) == 9


def test_crops_show_the_face_where_the_template_says(tmp_path: Path, clip: Path) -> None:
    extract([clip], tmp_path)
    crop = CropSpec(96, "whole_face", 0.12)
    expected = geometry.apply(geometry.patch_from_canonical(crop), SCHEMES[FIVE].template)
    for record in FaceSet.open(tmp_path).records():
        picture = read_picture_bgr(tmp_path / record.file)
        assert picture is not None
        assert picture.shape == (96, 96, 3)
        np.testing.assert_allclose(record.landmarks, expected, atol=6)
        # Skin between eyes and mouth is reddish: channels are in order.
        blue, _, red = picture[48, 48]
        assert red > blue


def test_crop_is_the_part_of_the_frame_its_matrix_names(tmp_path: Path, clip: Path) -> None:
    extract([clip], tmp_path)
    record = FaceSet.open(tmp_path).records()[0]
    expected = resample.warp(astronaut_picture(SIZE), record.patch_from_frame, (96, 96))
    picture = read_picture_bgr(tmp_path / record.file)
    assert picture is not None
    assert np.abs(picture[:, :, ::-1].astype(float) - expected).mean() < 6


@pytest.mark.parametrize("order", ["tff", "bff"])
def test_crops_of_interlaced_clips_show_the_upper_field_alone(tmp_path: Path, order: str) -> None:
    def picture(half: int) -> np.ndarray:
        return astronaut_picture(SIZE, 4.0 * half - 20)

    clip = make_clip(
        tmp_path / "in.mkv",
        size=SIZE,
        num_frames=5,
        codec="ffv1",
        pix_fmt="yuv444p",
        field_order=order,
        picture=woven(picture, order),
    )
    assert extract([clip], tmp_path / "set").num_faces == 5
    errors = []
    for record in FaceSet.open(tmp_path / "set").records():
        crop = read_picture_bgr(tmp_path / "set" / record.file)
        assert crop is not None
        seen = [
            resample.warp(source, record.patch_from_frame, (96, 96))
            for source in (
                picture(2 * record.frame + (order == "bff")),
                woven(picture, order)(record.frame),
                picture(2 * record.frame + (order == "tff")),
            )
        ]
        errors.append([np.abs(crop[:, :, ::-1].astype(float) - picture).mean() for picture in seen])
    own, both, other = np.mean(errors, axis=0)
    assert own < 0.8 * both < 0.8 * other


def test_second_run_skips_what_is_there(tmp_path: Path, clip: Path) -> None:
    extract([clip], tmp_path / "set")
    before = snapshot(tmp_path / "set")
    report = extract([clip], tmp_path / "set")
    assert (report.num_faces, report.num_total, report.skipped) == (0, 9, (str(clip),))
    assert snapshot(tmp_path / "set") == before


def test_every_third_frame_only(tmp_path: Path, clip: Path) -> None:
    extract([clip], tmp_path, every=3)
    assert [record.frame for record in FaceSet.open(tmp_path).records()] == [0, 3, 6]


def test_folder_of_pictures_is_read(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for i, (height, width) in enumerate([(160, 200), (200, 180), (240, 240)]):
        write_picture(pictures / f"{i}.png", astronaut_picture((height, width)))
    (pictures / "notes.txt").write_text("not a picture")
    (pictures / "broken.jpg").write_bytes(b"not a picture either")
    report = extract([pictures], tmp_path / "set")
    assert report.num_faces == 3


def test_folder_of_clips_is_read_clip_by_clip(tmp_path: Path, clip: Path, empty_clip: Path) -> None:
    os.link(clip, empty_clip.with_name("face.mp4"))
    report = extract([empty_clip.parent], tmp_path / "set")
    assert report.num_faces == 9
    assert len(report.failed) == 1
    assert "empty.mp4" in report.failed[0]


def test_clip_without_faces_is_an_error_that_leaves_nothing(tmp_path: Path, empty_clip: Path) -> None:
    with pytest.raises(NoFaceError, match=r"empty\.mp4"):
        extract([empty_clip], tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_failed_clip_leaves_an_existing_faceset_as_it_was(tmp_path: Path, clip: Path, empty_clip: Path) -> None:
    extract([clip], tmp_path / "set")
    before = snapshot(tmp_path / "set")
    with pytest.raises(NoFaceError):
        extract([empty_clip], tmp_path / "set")
    assert snapshot(tmp_path / "set") == before


def test_faceset_of_another_actor_is_refused_before_any_work(tmp_path: Path, clip: Path) -> None:
    extract([clip], tmp_path, every=9)
    with pytest.raises(UsageError, match="'anna', not 'bert'"):
        extract_faces([Path("not-looked-at.mp4")], tmp_path, "bert", size=96, detector=detector())


def test_other_crops_are_refused(tmp_path: Path, clip: Path) -> None:
    extract([clip], tmp_path, every=9)
    with pytest.raises(CropMismatchError):
        extract([clip], tmp_path, coverage="head")


def test_places_bridged_without_a_detection_give_no_crops(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    analyse = build.analyse

    def with_gap(*args: Any, **options: Any) -> FaceIndex:
        index = analyse(*args, **options)
        return replace(index, faces=tuple(replace(face, is_interpolated=face.frame == 4) for face in index.faces))

    monkeypatch.setattr(build, "analyse", with_gap)
    extract([clip], tmp_path)
    assert [record.frame for record in FaceSet.open(tmp_path).records()] == [0, 1, 2, 3, 5, 6, 7, 8]


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({"size": 100}, "--size 100"),
        ({"size": 32}, "--size 32"),
        ({"every": 0}, "--every 0"),
        ({"min_face_px": 2}, "--min-face 2"),
    ],
)
def test_impossible_settings_are_named(tmp_path: Path, over: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        extract([Path("not-looked-at.mp4")], tmp_path, **over)


@pytest.mark.parametrize("actor", ["", " anna", "a/b", "a\nb", "a\udcff", "a" * 5000])
def test_actor_without_a_usable_name_is_refused(tmp_path: Path, actor: str) -> None:
    with pytest.raises(UsageError, match="--actor"):
        extract_faces([Path("not-looked-at.mp4")], tmp_path, actor, detector=detector())


@pytest.mark.parametrize("clips", [["missing.mp4"], []])
def test_no_clip_to_read_is_a_usage_error(tmp_path: Path, clips: list[str]) -> None:
    with pytest.raises(UsageError):
        extract([tmp_path / name for name in clips], tmp_path / "set")


@pytest.mark.parametrize("stage", ["find faces", "write crops"])
def test_interrupted_run_is_finished_by_the_same_call(tmp_path: Path, clip: Path, stage: str) -> None:
    def interrupt(event: Any) -> None:
        if event.stage == stage and event.done == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(InterruptedRunError, match="repeat the command"):
        extract([clip], tmp_path, on_progress=interrupt)
    assert extract([clip], tmp_path).num_total == 9


def test_blurred_pictures_have_less_sharpness(tmp_path: Path) -> None:
    sharp = astronaut_picture((240, 240))
    for name, picture in (("sharp", sharp), ("soft", cv2.GaussianBlur(sharp, (0, 0), 2.5))):
        write_picture(tmp_path / f"{name}.png", picture)
        extract([tmp_path / f"{name}.png"], tmp_path / name)
    sharp_one, soft_one = (FaceSet.open(tmp_path / name).records()[0].figures for name in ("sharp", "soft"))
    assert sharp_one is not None
    assert soft_one is not None
    assert soft_one.sharpness < 0.5 * sharp_one.sharpness


def test_clip_that_changes_no_pixel_is_named_once(tmp_path: Path, clip: Path) -> None:
    copy = tmp_path / "again.mp4"
    copy.write_bytes(clip.read_bytes())
    report = extract([clip, copy], tmp_path / "set")
    assert (report.num_faces, report.skipped) == (9, (str(copy),))


def test_unreadable_clip_does_not_stop_the_others(tmp_path: Path, clip: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video" * 100)
    report = extract([broken, clip], tmp_path / "set")
    assert report.num_faces == 9
    assert len(report.failed) == 1
    with pytest.raises(FaceswapError):
        extract([broken], tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_sixteen_bit_crops_keep_what_deep_footage_holds(tmp_path: Path) -> None:
    clip = make_clip(
        tmp_path / "deep.mkv",
        size=SIZE,
        num_frames=4,
        codec="ffv1",
        pix_fmt="yuv444p10le",
        picture=lambda i: astronaut_picture(SIZE, 2.0 * i),
    )
    extract([clip], tmp_path / "deep", store="png16")
    extract([clip], tmp_path / "usual")
    deep, usual = (FaceSet.open(tmp_path / name) for name in ("deep", "usual"))
    picture = read_deep_picture(deep.path / deep.records()[0].file)
    assert picture is not None
    assert picture.dtype == np.uint16
    eight = read_picture_bgr(usual.path / usual.records()[0].file)
    assert eight is not None
    assert np.abs(picture[:, :, ::-1] / 257 - eight).mean() < 2
    assert len(np.unique(picture)) > 500  # more steps than 8 bits have
    assert deep.records()[0].figures is not None
    assert [record.file[-4:] for record in usual.records()] == [".jpg"] * 4


def test_only_the_largest_face_of_each_frame(tmp_path: Path) -> None:
    def two(i: int) -> np.ndarray:
        return np.hstack(
            [
                astronaut_picture((320, 320), i),
                cv2.copyMakeBorder(astronaut_picture((200, 200), i), 60, 60, 0, 0, cv2.BORDER_REPLICATE),
            ]
        )

    clip = make_clip(tmp_path / "two.mp4", size=(320, 520), num_frames=4, picture=two)
    assert extract([clip], tmp_path / "all").num_faces == 8
    assert extract([clip], tmp_path / "largest", largest=True, era="test").num_faces == 4
    records = FaceSet.open(tmp_path / "largest").records()
    assert all(record.box[0] < 320 and record.era == "test" for record in records)


def test_unknown_way_to_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="jpeg, png16"):
        extract([Path("not-looked-at.mp4")], tmp_path, store="tiff")


def test_error_in_a_worker_stops_the_clip_and_registers_nothing(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(crops, "encode_picture", fail)
    with pytest.raises(ResourceError, match="make room"):
        extract([clip], tmp_path / "set")
    assert FaceSet.open(tmp_path / "set").records() == []
