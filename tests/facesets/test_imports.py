from __future__ import annotations

import pickle
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from clips import _astronaut, make_clip
from foreign_files import (
    crop_of_photo,
    dfl_jpeg,
    dfl_values,
    frame_landmarks,
    write_dfl,
    write_faceswap_png,
    write_fsa,
    write_pak,
)
from portraits import POINTS

from faceswap import geometry, resample
from faceswap.errors import FaceswapError, UnsupportedInputError, UsageError
from faceswap.faces.align import frame_from_canonical
from faceswap.facesets.imports import ImportReport, import_faces
from faceswap.facesets.imports_dfl import read_dfl_jpeg
from faceswap.facesets.imports_faceswap import read_faceswap_png
from faceswap.facesets.measure import read_crop
from faceswap.facesets.schema import FaceRecord
from faceswap.facesets.store import FaceSet
from faceswap.media.pictures import write_picture
from faceswap.schemes import IBUG68, anchors_of
from faceswap.types import FIVE, CropSpec

CROP = CropSpec(128, "whole_face", 0.12)


def take(source: Path, faceset: Path, **options: Any) -> ImportReport:
    return import_faces([source], faceset, "anna", size=128, **options)


def assert_is_the_astronaut(store: FaceSet, record: FaceRecord, *, within: float = 1.0) -> None:
    """The crop shows what our own extraction shows, where our own puts it."""
    matrix = geometry.compose(geometry.patch_from_canonical(CROP), geometry.invert(frame_from_canonical(POINTS, FIVE)))
    expected = resample.warp(_astronaut(), matrix, (128, 128))
    crop = read_crop(store, record)
    assert crop is not None
    inner = slice(24, 104)  # what every crop shows
    difference = np.abs(crop[inner, inner].astype(float) - expected[inner, inner]).mean()
    assert difference < (4 if within <= 1 else 16)
    assert record.scheme == IBUG68
    np.testing.assert_allclose(
        anchors_of(record.landmarks, IBUG68), geometry.apply(matrix, anchors_of(frame_landmarks(), IBUG68)), atol=within
    )


def test_dfl_crop_is_cut_to_ours_and_keeps_where_it_comes_from(tmp_path: Path) -> None:
    write_dfl(tmp_path / "00012_1.jpg", frame="00012.png")
    report = take(tmp_path / "00012_1.jpg", tmp_path / "set", era="1990")
    store = FaceSet.open(tmp_path / "set")
    (record,) = store.records()
    assert (report.num_faces, report.failed) == (1, ())
    assert_is_the_astronaut(store, record)
    assert (record.frame, record.era) == (11, "1990")
    np.testing.assert_allclose(record.box, [180, 60, 270, 175])
    # The frame's landmarks land on the crop's: the whole chain of matrices holds, half pixels included.
    np.testing.assert_allclose(geometry.apply(record.patch_from_frame, frame_landmarks()), record.landmarks, atol=0.02)
    assert record.figures is not None
    assert record.figures.face_px == pytest.approx(120, rel=0.15)


@pytest.mark.parametrize("protocol", [0, 2, 3, 4, 5])
def test_dfl_files_of_every_pickle_protocol(tmp_path: Path, protocol: int) -> None:
    write_dfl(tmp_path / "a.jpg", protocol=protocol, size=64 if protocol == 0 else 256)
    assert take(tmp_path / "a.jpg", tmp_path / "set").num_faces == 1


def test_dfl_landmarks_may_be_an_array(tmp_path: Path) -> None:
    _, values = dfl_values()
    write_dfl(tmp_path / "a.jpg", landmarks=np.array(values["landmarks"], dtype=np.float32))
    take(tmp_path / "a.jpg", tmp_path / "set")
    store = FaceSet.open(tmp_path / "set")
    assert_is_the_astronaut(store, store.records()[0])


def test_folder_is_taken_whole_and_only_once(tmp_path: Path) -> None:
    folder = tmp_path / "aligned"
    folder.mkdir()
    for i in range(3):
        write_dfl(folder / f"{i:05d}_0.jpg", frame=f"{i + 1:05d}.png")
    (folder / "plain.jpg").write_bytes(cv2.imencode(".jpg", np.zeros((64, 64, 3), np.uint8))[1].tobytes())
    report = take(folder, tmp_path / "set")
    assert (report.num_faces, len(report.failed)) == (3, 1)
    assert "plain.jpg has no DeepFaceLab data" in report.failed[0]
    assert [(r.frame, r.track) for r in FaceSet.open(tmp_path / "set").records()] == [(0, 0), (1, 0), (2, 0)]
    again = take(folder, tmp_path / "set")
    assert (again.num_faces, again.num_total) == (0, 3)
    assert "already" in again.notes[0]


def test_border_that_the_crop_lacks_is_told(tmp_path: Path) -> None:
    write_dfl(tmp_path / "wide.jpg", pad=6.5)
    assert take(tmp_path / "wide.jpg", tmp_path / "a").notes == ()
    write_dfl(tmp_path / "tight.jpg", pad=3.0)
    (note,) = take(tmp_path / "tight.jpg", tmp_path / "b").notes
    assert "1 crops reach beyond the stored pictures" in note


def test_pak_is_read_with_the_data_of_its_crops(tmp_path: Path) -> None:
    files = [write_dfl(tmp_path / f"{i:05d}_0.jpg", frame=f"{i + 7:05d}.png") for i in range(3)]
    report = take(write_pak(tmp_path / "faceset.pak", files), tmp_path / "set")
    store = FaceSet.open(tmp_path / "set")
    assert (report.num_faces, report.failed) == (3, ())
    assert [record.frame for record in store.records()] == [6, 7, 8]
    assert_is_the_astronaut(store, store.records()[2])


def test_pak_whose_crops_hold_no_data_is_read_by_its_list(tmp_path: Path) -> None:
    rgb, values = dfl_values()
    (tmp_path / "a.jpg").write_bytes(cv2.imencode(".jpg", rgb[:, :, ::-1])[1].tobytes())
    rows = [{"filename": "a.jpg", "landmarks": values["landmarks"], "source_filename": "00003.png"}]
    take(write_pak(tmp_path / "faceset.pak", [tmp_path / "a.jpg"], rows), tmp_path / "set")
    store = FaceSet.open(tmp_path / "set")
    assert store.records()[0].frame == 2
    assert_is_the_astronaut(store, store.records()[0])


@pytest.mark.parametrize("damage", ["short", "version", "list", "offsets"])
def test_damaged_pak_is_refused(tmp_path: Path, damage: str) -> None:
    data = bytearray(write_pak(tmp_path / "faceset.pak", [write_dfl(tmp_path / "a_0.jpg")]).read_bytes())
    (length,) = struct.unpack_from("<Q", data, 8)
    if damage == "short":
        del data[20:]
    elif damage == "version":
        data[0] = 2
    elif damage == "list":
        data[16 : 16 + length] = bytes(length)
    else:
        struct.pack_into("<Q", data, 16 + length, 2**60)
    (tmp_path / "faceset.pak").write_bytes(data)
    with pytest.raises(UnsupportedInputError, match=r"faceset\.pak"):
        take(tmp_path / "faceset.pak", tmp_path / "set")


@pytest.mark.parametrize("with_mask", [True, False])
def test_faceswap_png_by_its_head_mask_or_by_the_detector(tmp_path: Path, with_mask: bool) -> None:
    write_faceswap_png(tmp_path / "clip_000003_0.png", with_mask=with_mask)
    report = take(tmp_path / "clip_000003_0.png", tmp_path / "set")
    store = FaceSet.open(tmp_path / "set")
    (record,) = store.records()
    assert report.failed == ()
    assert record.frame == 2
    assert_is_the_astronaut(store, record, within=1.0 if with_mask else 4.0)
    np.testing.assert_allclose(record.box, [180, 60, 270, 175])


def test_faceswap_png_with_json_is_read(tmp_path: Path) -> None:
    text = b'{"alignments": {"landmarks_xy": %s}, "source": {}}' % str(frame_landmarks().tolist()).encode()
    write_faceswap_png(tmp_path / "a.png", text=text)
    assert take(tmp_path / "a.png", tmp_path / "set").num_faces == 1


@pytest.mark.parametrize(
    "text",
    [
        b"__import__('os').system('touch gotcha')",
        b"[" * 100_000,
        b"(" * 50 + b")" * 50,
        b"{'alignments': {'landmarks_xy': [[1, 2]]}}",
        b"\xff\xfe",
        b"9" * 100_000,
        b"",
    ],
)
def test_faceswap_png_with_other_text_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    monkeypatch.chdir(tmp_path)
    write_faceswap_png(tmp_path / "a.png", text=text)
    with pytest.raises(UnsupportedInputError, match=r"a\.png"):
        take(tmp_path / "a.png", tmp_path / "set")
    assert not (tmp_path / "gotcha").exists()


@pytest.mark.parametrize("version", [1.0, 2.0, 2.2, 2.3, 2.4])
def test_fsa_of_every_version_is_cut_out_of_its_clip(tmp_path: Path, version: float) -> None:
    clip = make_clip(
        tmp_path / "clip.mkv",
        size=(512, 512),
        num_frames=4,
        codec="ffv1",
        pix_fmt="yuv444p",
        picture=lambda i: np.roll(_astronaut(), (2 - i) * 5, axis=1),
    )
    fsa = write_fsa(tmp_path / "clip_alignments.fsa", ["clip_000003.png"], version=version)
    report = take(fsa, tmp_path / "set", frames=clip)
    store = FaceSet.open(tmp_path / "set")
    (record,) = store.records()
    assert (report.num_faces, record.frame) == (1, 2)
    assert_is_the_astronaut(store, record)


def test_frames_may_be_pictures_found_by_name(tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    write_picture(frames / "00001.png", np.zeros((512, 512, 3), np.uint8))
    write_picture(frames / "00012.png", _astronaut())
    folder = tmp_path / "aligned"
    folder.mkdir()
    write_dfl(folder / "00012_0.jpg", frame="00012.png", size=64)
    write_dfl(folder / "00044_0.jpg", frame="00044.png")
    report = take(folder, tmp_path / "set", frames=frames)
    store = FaceSet.open(tmp_path / "set")
    assert report.num_faces == 1
    assert "1 of 2 faces belong to frames" in report.notes[0]
    assert_is_the_astronaut(store, store.records()[0])


def test_fsa_without_its_frames_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--frames"):
        take(write_fsa(tmp_path / "a.fsa", ["clip_000003.png"]), tmp_path / "set")


def call_system() -> bytes:
    return b"cos\nsystem\n(Vtouch gotcha\ntR."


def test_malicious_files_are_refused_and_do_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rgb, _ = crop_of_photo(256, 5.0)
    (tmp_path / "a.jpg").write_bytes(dfl_jpeg(rgb, call_system()))
    (tmp_path / "b.fsa").write_bytes(zlib.compress(call_system()))
    (tmp_path / "c.pak").write_bytes(struct.pack("<QQ", 1, len(call_system())) + call_system() + bytes(8))
    for name in ("a.jpg", "b.fsa", "c.pak"):
        with pytest.raises(UnsupportedInputError, match=r"refused: its pickle names 'os\.system'"):
            take(tmp_path / name, tmp_path / f"set-{name}", frames=tmp_path / "a.jpg" if name == "b.fsa" else None)
    assert not (tmp_path / "gotcha").exists()


@pytest.mark.parametrize(
    "values",
    [
        {"landmarks": [[1, 2]] * 67},
        {"landmarks": [[1, 2]] * 67 + [["a", "b"]]},
        {"landmarks": [[float("nan"), 2]] * 68},
        {"landmarks": [[10**400, 2]] * 68},
        {"landmarks": None},
        [],
    ],
)
def test_dfl_data_without_landmarks_are_refused(tmp_path: Path, values: Any) -> None:
    rgb, _ = crop_of_photo(128, 5.0)
    (tmp_path / "a.jpg").write_bytes(dfl_jpeg(rgb, pickle.dumps(values)))
    with pytest.raises(UnsupportedInputError, match=r"a\.jpg"):
        take(tmp_path / "a.jpg", tmp_path / "set")


def test_strange_other_values_are_left_out(tmp_path: Path) -> None:
    write_dfl(
        tmp_path / "a.jpg",
        source_filename=["x"],
        source_rect={"a": 1},
        source_landmarks=7,
        image_to_face_mat=[[0, 0, 0]] * 2,
    )
    take(tmp_path / "a.jpg", tmp_path / "set")
    store = FaceSet.open(tmp_path / "set")
    assert_is_the_astronaut(store, store.records()[0])


def test_picture_too_large_to_be_a_crop_is_refused_unread(tmp_path: Path) -> None:
    _, values = dfl_values()
    data = bytearray(dfl_jpeg(np.zeros((64, 64, 3), np.uint8), pickle.dumps(values, 4)))
    place = data.index(b"\xff\xc0")
    struct.pack_into(">HH", data, place + 5, 60000, 60000)
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(UnsupportedInputError, match="32 to 4096 px"):
        take(tmp_path / "a.jpg", tmp_path / "set")


def test_nothing_to_import_leaves_no_faces(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for source in (tmp_path / "empty", tmp_path / "nowhere", tmp_path / "a.txt"):
        (tmp_path / "a.txt").touch()
        with pytest.raises(FaceswapError):
            take(source, tmp_path / "set")
        assert not (tmp_path / "set").exists()


@pytest.mark.parametrize("is_compressed", [False, True])
def test_texts_that_would_fill_the_memory_are_not_parsed(tmp_path: Path, is_compressed: bool) -> None:
    text = b"(" + b"0," * (1 << 20) + b")"
    path = write_faceswap_png(tmp_path / "a.png")
    content = b"faceswap\0\1\0\0\0" + zlib.compress(text) if is_compressed else b"faceswap\0\0\0\0\0" + text
    chunk = struct.pack(">I", len(content)) + b"iTXt" + content + bytes(4)
    with pytest.raises(UnsupportedInputError, match="more than 512 kB"):
        read_faceswap_png("a.png", path.read_bytes()[:8] + chunk)


def test_odd_digits_in_names_are_no_numbers_of_faces(tmp_path: Path) -> None:
    assert read_dfl_jpeg("00001_\u00b2.jpg", write_dfl(tmp_path / "a.jpg").read_bytes()).number == 0
