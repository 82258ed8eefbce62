"""What every way of writing promises: all frames back, at their times, in their size and colour, and marked."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import make_clip
from makers import encode_clip

from faceswap.convert.products import SequenceProduct
from faceswap.convert.rendered import Rendered
from faceswap.media.encode_plan import EncodeSettings, plan_encode
from faceswap.media.encoders import ENCODERS, find_encoder
from faceswap.media.pictures import encode_picture
from faceswap.media.probe import probe
from faceswap.media.reader import VideoReader
from faceswap.media.rgb import rgb_values
from faceswap.media.sequence import KINDS, sequence_target
from faceswap.provenance.mark import Mark, marked_metadata, packet_marker
from faceswap.provenance.picture_mark import texts_of
from faceswap.provenance.verify import verify_clip, verify_folder

SIZE = (128, 256)
TIMES = [0, 3600, 7200, 12_000, 14_400]
TAGS = (1, 1, 1, 1)
MARK = Mark(model_sha256="ab" * 32)


@dataclass(frozen=True, slots=True)
class Case:
    """One way of encoding, and what must come out of it."""

    codec: str
    suffix: str
    source: str
    """Pixel format of the source."""
    stored: str
    """Pixel format that the decoder reports."""
    profile: str | None = None
    """As FFmpeg names it."""
    settings: tuple[tuple[str, str], ...] = ()
    tag: str | None = None
    """Four letters in the container."""
    tolerance: float = 4.0
    """Largest mean error of RGB, in 8-bit codes."""

    def __str__(self) -> str:
        flavour = dict(self.settings).get("profile", "")
        return f"{self.codec}{flavour and '-' + flavour}-{self.source}{self.suffix}"


FAST = (("preset", "ultrafast"),)
CASES = [
    Case("h264", ".mp4", "yuv420p", "yuv420p", None, FAST, "avc1"),
    Case("h264", ".mov", "yuv420p10le", "yuv420p10le", "High 10", FAST, "avc1"),
    Case("h264", ".ts", "yuv422p10le", "yuv422p10le", "High 4:2:2", FAST),
    Case("h265", ".mp4", "yuv420p", "yuv420p", "Main", FAST, "hvc1"),
    Case("hevc", ".mov", "yuv420p10le", "yuv420p10le", "Main 10", FAST, "hvc1"),
    Case("h265", ".mkv", "yuv444p10le", "yuv444p10le", None, FAST),
    Case("av1", ".mp4", "yuv420p", "yuv420p", "Main", FAST, "av01"),
    Case("av1", ".mkv", "yuv420p10le", "yuv420p10le", "Main", FAST),
    Case("vp9", ".webm", "yuv420p", "yuv420p", "Profile 0"),
    Case("prores", ".mov", "yuv420p", "yuv422p10le", "HQ", tag="apch"),
    Case("prores", ".mov", "yuv422p10le", "yuv422p10le", "Proxy", (("profile", "proxy"),), "apco"),
    Case("prores", ".mov", "yuv422p10le", "yuv422p10le", "LT", (("profile", "lt"),), "apcs"),
    Case("prores", ".mov", "yuv422p10le", "yuv422p10le", "Standard", (("profile", "422"),), "apcn"),
    # FFmpeg decodes the 4444 flavours to 12 bits, whatever went in.
    Case("prores4444", ".mov", "yuv444p10le", "yuv444p12le", "4444", tag="ap4h"),
    Case("prores4444", ".mov", "yuva444p10le", "yuva444p12le", "4444", tag="ap4h"),
    Case("dnxhr", ".mov", "yuv420p", "yuv422p", "DNXHR HQ", tag="AVdh"),
    Case("dnxhr", ".mov", "yuv420p10le", "yuv422p10le", "DNXHR HQX", tag="AVdh"),
    Case("dnxhr", ".mov", "yuv444p10le", "yuv444p10le", "DNXHR 444", tag="AVdh"),
    Case("dnxhr", ".mov", "yuv422p", "yuv422p", "DNXHR LB", (("profile", "lb"),), "AVdh", tolerance=8),
    Case("ffv1", ".mkv", "yuv422p10le", "yuv422p10le", tolerance=0),
    Case("mjpeg", ".mov", "yuv420p", "yuv420p", "Baseline"),
]


def encoded(tmp_path: Path, case: Case) -> tuple[Path, Path]:
    """Encode a generated clip as the case says; return source and output."""
    source = make_clip(tmp_path / "in.mkv", size=SIZE, pix_fmt=case.source, codec="ffv1", times=TIMES, color_tags=TAGS)
    output = tmp_path / f"out{case.suffix}"
    reader = VideoReader(source)
    plan = plan_encode(reader.info, output, EncodeSettings(case.codec, **dict(case.settings)))
    encode_clip(
        output, reader.info, plan, reader, metadata=marked_metadata({}, MARK), edit_key_packet=packet_marker(MARK)
    )
    return source, output


@pytest.mark.parametrize("case", CASES, ids=str)
def test_clip_comes_back_as_it_was_announced(tmp_path: Path, case: Case) -> None:
    source, output = encoded(tmp_path, case)
    before, after = list(VideoReader(source)), list(VideoReader(output))
    assert len(after) == len(before)
    errors = [a.time.seconds - b.time.seconds for a, b in zip(after, before, strict=True)]
    assert max(map(abs, errors)) <= 1e-3
    info = probe(output)
    assert (info.size, info.layout.name) == (SIZE, case.stored)
    expected = (1, 1, 5 if case.codec == "mjpeg" else 1, 1)  # JPEG knows one matrix, and the plan says so
    assert (info.tags.primaries, info.tags.transfer, info.tags.matrix, info.tags.range) == expected
    with av.open(str(output)) as container:
        stream = container.streams.video[0]
        if case.profile is not None:
            assert stream.profile == case.profile
        if case.tag is not None:
            assert stream.codec_context.codec_tag == case.tag
    error = 255 * abs(rgb_values(after[2]) - rgb_values(before[2])).mean()
    assert error <= case.tolerance
    assert verify_clip(output).is_marked


@pytest.mark.parametrize("case", [case for case in CASES if case.codec in ("h264", "prores", "ffv1")][::2], ids=str)
def test_encoding_twice_gives_the_same_bytes(tmp_path: Path, case: Case) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = (encoded(tmp_path / name, case)[1].read_bytes() for name in "ab")
    assert first == second


def test_every_software_encoder_has_a_case() -> None:
    covered = {find_encoder(case.codec)[0].name for case in CASES}
    assert covered == {row.name for row in ENCODERS.values() if not row.is_hardware}


def test_alpha_survives_prores_4444(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", size=SIZE, pix_fmt="yuva444p10le", codec="ffv1", num_frames=1)
    reader = VideoReader(source)
    frame = next(iter(reader))
    ramp = np.linspace(0, 1023, SIZE[1]).round().astype(np.uint16)
    frame = replace(frame, planes=(*frame.planes[:3], np.broadcast_to(ramp, SIZE)))
    plan = plan_encode(reader.info, tmp_path / "out.mov", EncodeSettings("prores4444"))
    encode_clip(tmp_path / "out.mov", reader.info, plan, [frame])
    alpha = next(iter(VideoReader(tmp_path / "out.mov"))).planes[3]
    np.testing.assert_allclose(alpha / 4095, frame.planes[3] / 1023, atol=1 / 1023)


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le"])
def test_pictures_come_back_as_they_were_announced(tmp_path: Path, kind: str, pix_fmt: str) -> None:
    if kind == "exr":
        pytest.importorskip("OpenEXR", reason="needs the extra 'interchange'")
    reader = VideoReader(
        make_clip(tmp_path / "in.mkv", size=SIZE, pix_fmt=pix_fmt, codec="ffv1", times=TIMES, color_tags=TAGS)
    )
    target = sequence_target(tmp_path / "out", kind)
    assert target is not None
    product = SequenceProduct("clip", target, reader.info, texts_of(MARK), lambda rendered: rendered.frame)
    writer = product.open_writer(target.folder)
    frames = list(reader)
    for frame in frames:
        writer.write(Rendered(frame, frame))
    writer.close()
    assert len(list(target.folder.glob(f"*{KINDS[kind]}"))) == len(frames)
    table = json.loads((target.folder / "frames.json").read_bytes())
    assert [row["pts"] * Fraction(table["time_base"]) for row in table["frames"]] == [
        frame.time.pts * frame.time.time_base for frame in frames
    ]
    for frame in frames:
        path = target.folder / target.name_of(frame.index)
        report = verify_clip(path)
        assert (report.container, report.xmp, report.agrees) == (MARK, MARK, True)
        np.testing.assert_allclose(stored_rgb(path), rgb_values(frame).clip(0, 1), atol=0.003)
    whole = verify_folder(target.folder)
    assert (whole.num_pictures, whole.is_marked, whole.marks) == (len(frames), True, frozenset({MARK}))


def stored_rgb(path: Path) -> np.ndarray:
    """Return the (3, h, w) RGB of a picture on a scale from 0 to 1, read by somebody else's code."""
    if path.suffix == ".exr":
        import OpenEXR

        with OpenEXR.File(str(path), separate_channels=True) as file:
            return np.stack([file.channels()[name].pixels for name in "RGB"]).astype(np.float32).clip(0, 1)
    import cv2

    bgr = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    return bgr[..., ::-1].transpose(2, 0, 1) / np.iinfo(bgr.dtype).max


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_aborted_pictures_leave_nothing(tmp_path: Path, kind: str) -> None:
    if kind == "exr":
        pytest.importorskip("OpenEXR", reason="needs the extra 'interchange'")
    reader = VideoReader(make_clip(tmp_path / "in.mkv", size=SIZE, codec="ffv1", num_frames=2))
    target = sequence_target(tmp_path / "out", kind)
    assert target is not None
    writer = SequenceProduct("clip", target, reader.info, texts_of(MARK), lambda rendered: rendered.frame).open_writer(
        target.folder
    )
    for frame in reader:
        writer.write(Rendered(frame, frame))
    writer.abort()
    assert list(target.folder.iterdir()) == []


def test_a_folder_with_an_unmarked_picture_is_not_marked(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode_picture(".png", np.zeros((16, 16, 3), np.uint8)))
    report = verify_folder(tmp_path)
    assert (report.num_pictures, report.is_marked, report.unmarked) == (1, False, (tmp_path / "a.png",))
