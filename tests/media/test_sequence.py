from __future__ import annotations

import json
import zlib
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import make_clip

from faceswap.errors import FaceswapError, ResourceError, UnsupportedInputError, UsageError
from faceswap.media import sequence_files
from faceswap.media.picture_texts import MARK_KEYWORD, XMP_KEYWORD, PictureTexts, read_texts
from faceswap.media.probe import ClipInfo
from faceswap.media.reader import VideoReader, open_clip
from faceswap.media.rgb import rgb_values, upright
from faceswap.media.sequence import SequenceTarget, plan_pictures, sequence_target
from faceswap.media.sequence_files import SequenceWriter, assemble, publish_pictures
from faceswap.types import Frame

TEXTS = PictureTexts('{"it":"is marked"}', "<xmp>it is märked</xmp>")


def written(folder: Path, frames: list[Frame], info: ClipInfo, target: SequenceTarget) -> Path:
    folder.mkdir(exist_ok=True)
    writer = SequenceWriter(folder, target, info, TEXTS)
    for frame in frames:
        writer.write(frame)
    writer.close()
    return folder


def source(tmp_path: Path, **how: object) -> tuple[list[Frame], ClipInfo]:
    clip = make_clip(tmp_path / "in.mkv", **{"codec": "ffv1", "num_frames": 4, **how})  # type: ignore[arg-type]
    reader = VideoReader(clip)
    return list(reader), reader.info


@pytest.mark.parametrize(
    ("output", "codec", "expected"),
    [
        ("out", "png", SequenceTarget(Path("out"), "%06d.png", "png")),
        ("out", "exr", SequenceTarget(Path("out"), "%06d.exr", "exr")),
        ("a/shot_%04d.tif", "libx264", SequenceTarget(Path("a"), "shot_%04d.tif", "tiff")),
        ("a/%d.png", "png", SequenceTarget(Path("a"), "%d.png", "png")),
        ("out.mp4", "libx264", None),
    ],
)
def test_output_and_codec_say_where_pictures_go(output: str, codec: str, expected: SequenceTarget | None) -> None:
    assert sequence_target(Path(output), codec) == expected


@pytest.mark.parametrize(
    ("output", "codec", "message"),
    [
        ("out.png", "png", "one place for the frame's number, as in out_%06d.png"),
        ("%d%d.png", "png", "one place for the frame's number"),
        ("a_%s_%04d.png", "png", "one place for the frame's number"),
        ("out.mkv", "png", "writes pictures"),
        ("a_%04d.png", "exr", "is no EXR file"),
    ],
)
def test_names_that_cannot_be_meant_are_refused(output: str, codec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        sequence_target(Path(output), codec)


def test_png_depth_follows_the_source(tmp_path: Path) -> None:
    for pix_fmt, dtype in (("yuv420p", np.uint8), ("yuv420p10le", np.uint16)):
        frames, info = source(tmp_path, pix_fmt=pix_fmt)
        target = SequenceTarget(tmp_path / pix_fmt, "%06d.png", "png")
        written(target.folder, frames, info, target)
        bgr = cv2.imread(str(target.folder / "000002.png"), cv2.IMREAD_UNCHANGED)
        assert bgr.dtype == dtype
        top = np.iinfo(dtype).max
        np.testing.assert_allclose(
            bgr[..., ::-1].transpose(2, 0, 1) / top, rgb_values(frames[2]).clip(0, 1), atol=1 / 255
        )


def test_tiff_has_sixteen_bits_and_its_own_values(tmp_path: Path) -> None:
    import tifffile

    frames, info = source(tmp_path)
    target = SequenceTarget(tmp_path / "t", "%06d.tif", "tiff")
    written(target.folder, frames, info, target)
    rgb = tifffile.imread(target.folder / "000001.tif")
    assert (rgb.dtype, rgb.shape) == (np.uint16, (120, 160, 3))
    np.testing.assert_allclose(rgb.transpose(2, 0, 1) / 65535, rgb_values(frames[1]).clip(0, 1), atol=1e-4)


def test_exr_holds_half_floats_of_all_channels(tmp_path: Path) -> None:
    exr = pytest.importorskip("OpenEXR", reason="needs the extra 'interchange'")
    frames, info = source(tmp_path, color_tags=(9, 16, 9, 1))
    info = replace(info, pixel_aspect=Fraction(4, 3))
    target = SequenceTarget(tmp_path / "e", "%06d.exr", "exr")
    target.folder.mkdir()
    writer = SequenceWriter(target.folder, target, info, TEXTS)
    ramp = np.linspace(0, 1, 120 * 160, dtype=np.float32).reshape(120, 160)
    writer.write(frames[0], {"A": ramp, "face.R": 1 - ramp})
    writer.close()
    with exr.File(str(target.folder / "000000.exr"), separate_channels=True) as file:
        channels, header = file.channels(), file.header()
        assert set(channels) == {"R", "G", "B", "A", "face.R"}
        assert channels["A"].pixels.dtype == np.float16
        np.testing.assert_allclose(channels["A"].pixels, ramp, atol=1e-3)
        np.testing.assert_allclose(channels["G"].pixels, rgb_values(frames[0])[1], atol=1e-3)
        assert header["pixelAspectRatio"] == pytest.approx(4 / 3)
        assert "16" in header["transferCurve"]
        assert header["chromaticities"][0] == pytest.approx(0.708)


@pytest.mark.parametrize("kind", ["png", "tiff", "exr"])
def test_every_picture_carries_its_texts(tmp_path: Path, kind: str) -> None:
    if kind == "exr":
        pytest.importorskip("OpenEXR", reason="needs the extra 'interchange'")
    frames, info = source(tmp_path)
    target = sequence_target(tmp_path / "out", kind)
    assert target is not None
    written(target.folder, frames, info, target)
    for frame in frames:
        found = read_texts(target.folder / target.name_of(frame.index))
        assert found == {MARK_KEYWORD: TEXTS.statement, XMP_KEYWORD: TEXTS.xmp}


def test_png_chunks_are_sound(tmp_path: Path) -> None:
    frames, info = source(tmp_path, color_tags=(9, 18, 9, 1))
    target = SequenceTarget(tmp_path / "p", "%06d.png", "png")
    data = (written(target.folder, frames[:1], info, target) / "000000.png").read_bytes()
    place, kinds = 8, []
    while place < len(data):
        length = int.from_bytes(data[place : place + 4])
        content = data[place + 4 : place + 8 + length]
        assert int.from_bytes(data[place + 8 + length : place + 12 + length]) == zlib.crc32(content)
        kinds.append((content[:4], content[4:]))
        place += 12 + length
    assert [kind for kind, _ in kinds][:4] == [b"IHDR", b"cICP", b"iTXt", b"iTXt"]
    assert kinds[1][1] == bytes([9, 18, 0, 1])


def test_pictures_are_upright(tmp_path: Path) -> None:
    frames, info = source(tmp_path)
    turned = replace(info, display_matrix=(0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30))
    target = SequenceTarget(tmp_path / "up", "%06d.png", "png")
    written(target.folder, frames[:1], turned, target)
    bgr = cv2.imread(str(target.folder / "000000.png"))
    assert bgr.shape == (160, 120, 3)
    table = json.loads((target.folder / "frames.json").read_bytes())
    assert table["size"] == [160, 120]


def test_upright_moves_pixels_as_the_matrix_says() -> None:
    picture = np.arange(6).reshape(1, 2, 3)  # rows of x: 0 1 2 / 3 4 5
    for matrix in ([[0, -1], [1, 0]], [[0, 1], [-1, 0]], [[-1, 0], [0, -1]], [[-1, 0], [0, 1]], [[0, 1], [1, 0]]):
        turn = np.array(matrix, dtype=float)
        moved = upright(picture, turn)[0]
        corners = np.array([[0, 0], [3, 0], [3, 2], [0, 2]]) @ turn.T
        x, y = turn @ [0.5, 0.5] - corners.min(axis=0)  # where the first pixel's centre goes
        assert moved[int(y), int(x)] == 0
        assert moved.shape == ((2, 3) if turn[0, 0] else (3, 2))
    assert upright(picture, None) is picture


def test_table_keeps_times_and_colour(tmp_path: Path) -> None:
    frames, info = source(tmp_path, times=[0, 3000, 9000, 9900], color_tags=(9, 16, 9, 1))
    target = SequenceTarget(tmp_path / "o", "shot_%04d.png", "png")
    folder = written(target.folder, frames, info, target)
    table = json.loads((folder / "shot_frames.json").read_bytes())
    assert Fraction(table["time_base"]) == info.time_base
    assert [row["pts"] for row in table["frames"]] == [frame.time.pts for frame in frames]
    assert [row["file"] for row in table["frames"]] == [f"shot_{i:04d}.png" for i in range(4)]
    assert (table["color"]["primaries"], table["color"]["transfer"]) == (9, 16)
    assert table["mark"] == {"it": "is marked"}


def test_written_pictures_are_read_as_a_clip(tmp_path: Path) -> None:
    frames, info = source(tmp_path)
    target = SequenceTarget(tmp_path / "o", "%06d.png", "png")
    again = list(open_clip(written(target.folder, frames, info, target)))
    assert len(again) == len(frames)


def test_parts_become_one_sequence(tmp_path: Path) -> None:
    frames, info = source(tmp_path)
    target = SequenceTarget(tmp_path / "all", "%06d.png", "png")
    parts = [written(tmp_path / f"part{i}", frames[i : i + 2], info, target) for i in (0, 2)]
    assemble(parts, target)
    whole = written(tmp_path / "whole", frames, info, target)
    names = sorted(path.name for path in whole.iterdir())
    assert sorted(path.name for path in target.folder.iterdir()) == names
    for name in names:
        assert (target.folder / name).read_bytes() == (whole / name).read_bytes(), name


def test_assembling_is_done_again_after_a_break(tmp_path: Path) -> None:
    frames, info = source(tmp_path)
    target = SequenceTarget(tmp_path / "all", "%06d.png", "png")
    parts = [written(tmp_path / f"part{i}", frames[i : i + 2], info, target) for i in (0, 2)]
    target.folder.mkdir()
    (target.folder / "000000.png").write_bytes(b"half of it")
    assemble(parts, target)
    assert (target.folder / "000000.png").read_bytes() == (parts[0] / "000000.png").read_bytes()
    assert len(list(target.folder.glob("*.png"))) == 4


def test_old_table_is_gone_for_good_before_pictures_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames, info = source(tmp_path)
    target = SequenceTarget(tmp_path / "out", "%06d.png", "png")
    written(target.folder, frames, info, target)
    old = (target.folder / "000000.png").read_bytes()
    made = written(tmp_path / "made", [replace(frames[3 - i], index=i) for i in range(2)], info, target)
    new = (made / "000000.png").read_bytes()
    found = []

    def look(folder: Path) -> None:
        assert folder == target.folder
        found.append((sorted(path.name for path in folder.iterdir()), (folder / "000000.png").read_bytes()))

    monkeypatch.setattr(sequence_files, "sync_folder", look)
    publish_pictures(made, target)
    pictures = ["000000.png", "000001.png"]
    assert found == [(pictures, old), (pictures, new), ([*pictures, "frames.json"], new)]


def test_parts_of_different_conversions_are_not_mixed(tmp_path: Path) -> None:
    frames, info = source(tmp_path)
    target = SequenceTarget(tmp_path / "all", "%06d.png", "png")
    parts = [
        written(tmp_path / "a", frames[:2], info, target),
        written(tmp_path / "b", frames[2:], replace(info, rate=Fraction(30)), target),
    ]
    with pytest.raises(FaceswapError, match="not of one conversion"):
        assemble(parts, target)


def test_abort_leaves_nothing(tmp_path: Path) -> None:
    frames, info = source(tmp_path)
    target = SequenceTarget(tmp_path / "o", "%06d.png", "png")
    target.folder.mkdir()
    writer = SequenceWriter(target.folder, target, info, TEXTS)
    writer.write(frames[0])
    writer.abort()
    assert list(target.folder.iterdir()) == []


@pytest.mark.parametrize("kind", ["png", "tiff", "exr"])
def test_a_full_disk_is_named(tmp_path: Path, kind: str) -> None:
    if kind == "exr":
        pytest.importorskip("OpenEXR", reason="needs the extra 'interchange'")
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    frames, info = source(tmp_path)
    target = sequence_target(tmp_path / "out", kind)
    assert target is not None
    target.folder.mkdir()
    (target.folder / target.name_of(0)).symlink_to(full)
    with pytest.raises(ResourceError, match="cannot write"):
        SequenceWriter(target.folder, target, info, TEXTS).write(frames[0])


def test_plan_names_what_pictures_lose(tmp_path: Path) -> None:
    _, info = source(tmp_path, pix_fmt="yuva420p")
    losses = plan_pictures(info, SequenceTarget(tmp_path, "%d.png", "png")).losses
    assert losses == ("pictures hold no audio, subtitles or chapters", "alpha is dropped")


@pytest.mark.parametrize("suffix", [".png", ".tif", ".exr"])
@pytest.mark.parametrize(
    "data", [b"", b"\x89PNG\r\n\x1a\n\0", b"v/1\x01\2\0\0\0abc", b"II*\0\xff\xff\xff\xff", b"\0" * 64]
)
def test_damaged_pictures_are_named_or_bare(tmp_path: Path, suffix: str, data: bytes) -> None:
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(data)
    found: dict[str, str] = {}
    with suppress(UnsupportedInputError):
        found = read_texts(path)
    assert found == {}


def test_publishing_over_an_earlier_sequence_leaves_other_pictures_alone(tmp_path: Path) -> None:
    frames, info = source(tmp_path)
    target = SequenceTarget(tmp_path / "all", "%06d.png", "png")
    publish_pictures(written(tmp_path / "first", frames, info, target), target)
    others = ["2024.png", "000777.png", "plate_0001.png"]
    for name in others:
        (target.folder / name).write_bytes(b"not ours")
    publish_pictures(written(tmp_path / "second", frames[:2], info, target), target)
    assert sorted(path.name for path in target.folder.iterdir()) == sorted(
        ["000000.png", "000001.png", "frames.json", *others]
    )
    assert all((target.folder / name).read_bytes() == b"not ours" for name in others)


def test_taken_names_are_those_of_the_pattern_only(tmp_path: Path) -> None:
    for name in ("a_0001.png", "a_0001.jpg", "b_0001.png", "a_frames.json", "notes.txt", "a_01.png"):
        (tmp_path / name).touch()
    assert SequenceTarget(tmp_path, "a_%04d.png", "png").taken_names() == ["a_0001.png", "a_frames.json"]
