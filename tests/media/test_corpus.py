"""Real odd files: each converts with everything it holds, or ends with one clear line and leaves nothing."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from facts import assert_same_surroundings, assert_same_times, facts_of
from makers import FixedDetector, tiny_model

from faceswap.cli.main import main
from faceswap.convert.config import ConvertConfig
from faceswap.convert.pipeline import convert_clip
from faceswap.convert.report import ConvertReport
from faceswap.errors import FaceswapError
from faceswap.media.reader import VideoReader
from faceswap.models.swap_model import SwapModel
from faceswap.provenance.manifest import format_of, sidecar_of

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus_video"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of odd video files is not beside the checkout"),
]


@dataclass(frozen=True)
class Good:
    """A file that converts."""

    file: str
    num_frames: int
    notes: tuple[str, ...] = ()
    """Each is found in one of the report's notes."""
    is_complete: bool = True
    video_stream: int = 0
    num_dropped: int = 0
    """Audio and subtitle tracks that hold packets and cannot be kept."""
    differs: dict[str, Any] = field(default_factory=dict)
    """Facts of the output that are meant to differ from the source's."""
    is_slow: bool = False


GOOD = [
    Good("media__sample_rotate_and_reflect.mp4", 30),
    Good("mp4parse-rust__video_rotation_90.mp4", 1),
    Good("media__dolbyVision-hdr.MOV", 4),
    Good("media__edit_list_positive_shift.mp4", 270, is_slow=True),
    Good("media__iibbibb_editlist_videoonly.mp4", 12),
    Good("media__sample_android_slow_motion.mp4", 7),
    Good("c2pa-rs__c.mov", 310, is_slow=True),
    Good("media__sample_with_pgs_subtitles.mkv", 30),
    Good("media__sample_with_ass_subtitles.mkv", 30),
    Good("media__sample_with_chapters.mkv", 150),
    Good("media__sample_with_chapters.mp4", 30),
    Good("torchcodec__nasa_13013.mp4", 390, ("number 1 (480x270) is taken", "0 copied"), video_stream=1, is_slow=True),
    Good("media__sample_empty_track.mp4", 30),
    Good("media__sample_mdat_too_long.mp4", 30, ("8 bytes too early",), is_complete=False),
    Good("media__sample_missing_stsd.mp4", 30, ("audio stream 1",), num_dropped=1),
    Good(
        "media__sample_with_invalid_nalu.mp4",
        26,
        ("1 places of the input are damaged", "4 frames of the input are lost"),
        is_complete=False,
    ),
    Good("media__sample_vvc.mp4", 120),
    Good(
        "mp4parse-rust__no_timescale.mp4",
        170,
        ("display matrix makes no sense", "12 frames of the input are lost", "times are moved"),
        is_complete=False,
        differs={"matrix": None},
    ),
    Good("moviepy__no_duration.webm", 74),
    Good("moviepy__transparent.webm", 150, ("alpha is dropped",)),
    Good("media__bear-vp9-odd-dimensions.webm", 30, ("yuv444p keeps the size",)),
    Good("mp4parse-rust__h264_white_frame_sar_16_9.mp4", 1),
    Good("media__hlg10-color-test.mp4", 9),
    Good("media__roadtrip-vp92-10bit.webm", 72),
    Good("media__sample_h262_mpeg_audio.ts", 3),
    Good("media__sample_fragmented.mp4", 30),
    Good("c2pa-python__test.avi", 901, is_slow=True),
    Good("media__hdr10-av1.mp4", 127),
]
BAD = {
    "media__sample_audio_only.mp4": "no video stream",
    "gpac__gpac.mp4": "no video stream",
    "moviepy__result.webm": "0 bytes",
    "c2pa-rs__nested_moov_1000.mp4": "cannot be opened",
    "media__sample_malformed_free_box.mp4": "cannot be opened",
    "media__invalid-bitstream.webm": "no picture can be decoded",
    "mp4parse-rust__zero_empty_stsc.mp4": "no picture can be decoded",
    "mp4parse-rust__short-cenc.mp4": "is encrypted",
    "mp4parse-rust__invalid_userdata.mp4": "zero frames",
    "c2pa-python__dashinit.mp4": "zero frames",
    "moviepy__-video-with-dash-.mp4": "1x1 px",
    "mp4parse-rust__video_colr_nclx_rgb.mp4": "2x2 px",
}
UNTIMED = {"c2pa-python__test.avi": 30, "mp4parse-rust__no_timescale.mp4": None}
"""Files whose own times cannot be meant, and the frames per second that are (None: times only have to rise)."""


@pytest.fixture(scope="module")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def model(model_path: Path) -> SwapModel:
    return SwapModel.load(model_path, device="cpu", precision="fp32")


def convert(clip: Path, output: Path, model: SwapModel, **config: Any) -> ConvertReport:
    return convert_clip(
        clip, model, output, config=ConvertConfig(**{"preset": "ultrafast", **config}), detector=FixedDetector()
    )


def output_suffix(clip: str) -> str:
    suffix = Path(clip).suffix.lower()
    return suffix if suffix in (".mp4", ".mov", ".ts") else ".mkv"


def expected_times(case: Good, times: list[Fraction], output: list[Fraction]) -> list[Fraction]:
    if case.file not in UNTIMED:
        return times
    rate = UNTIMED[case.file]
    return output if rate is None else [Fraction(i, rate) for i in range(case.num_frames)]


@pytest.mark.parametrize(
    "case", [pytest.param(c, marks=pytest.mark.slow) if c.is_slow else c for c in GOOD], ids=lambda case: case.file
)
@pytest.mark.timeout(120)
def test_file_converts_with_all_it_holds(case: Good, model: SwapModel, tmp_path: Path) -> None:
    source, output = CORPUS / case.file, tmp_path / f"out{output_suffix(case.file)}"
    report = convert(source, output, model)
    assert (report.frames, report.faces, report.is_complete) == (case.num_frames, case.num_frames, case.is_complete)
    for part in case.notes:
        assert any(part in note for note in report.notes), report.notes
    before, after = facts_of(source, case.video_stream), facts_of(output)
    assert len(after.times) == case.num_frames
    assert (np.diff([float(t) for t in after.times]) > 0).all()
    assert_same_times(expected_times(case, before.times, after.times), after.times)
    for name, value in case.differs.items():
        assert getattr(after, name) == value
        object.__setattr__(before, name, value)
    assert_same_surroundings(before, after, dropped=case.num_dropped)
    beside = [sidecar_of(output).name] if format_of(output) is None else []
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([".faceswap", *beside, output.name])


@pytest.mark.parametrize("name", BAD)
@pytest.mark.timeout(10)
def test_file_is_refused_in_one_line_and_nothing_is_left(name: str, model: SwapModel, tmp_path: Path) -> None:
    with pytest.raises(FaceswapError, match=BAD[name].replace("(", r"\(")) as caught:
        convert(CORPUS / name, tmp_path / "out.mp4", model)
    assert caught.value.exit_code == 3
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_every_file_of_the_corpus_is_tried() -> None:
    lines = (CORPUS / "manifest.tsv").read_text(encoding="utf-8").splitlines()[1:]
    assert {line.split("\t")[0] for line in lines} == {case.file for case in GOOD} | BAD.keys()


def test_other_video_stream_can_be_chosen(model: SwapModel, tmp_path: Path) -> None:
    info = VideoReader(CORPUS / "torchcodec__nasa_13013.mp4", 0).info
    assert (info.size, info.video_stream) == ((180, 320), 0)
    assert any("number 0 (320x180) is asked for, 1 copied unchanged" in note for note in info.notes)


def test_hdr_material_has_its_chroma_at_the_top_left() -> None:
    sitings = {name: VideoReader(CORPUS / name).info.color.siting for name in ("media__hlg10-color-test.mp4",)}
    assert sitings == {"media__hlg10-color-test.mp4": "topleft"}


def test_webm_alpha_reaches_an_encoder_that_keeps_it(model: SwapModel, tmp_path: Path) -> None:
    source = CORPUS / "moviepy__transparent.webm"
    report = convert(source, tmp_path / "out.mkv", model, codec="ffv1", preset=None)
    assert not any("alpha" in note for note in report.notes)
    alpha_before = [frame.planes[3].copy() for frame in VideoReader(source)]
    for before, frame in zip(alpha_before, VideoReader(tmp_path / "out.mkv"), strict=True):
        np.testing.assert_array_equal(frame.planes[3], before)
    assert any((plane < 255).any() for plane in alpha_before)


def test_name_with_a_leading_dash_is_no_option(model: SwapModel, tmp_path: Path, monkeypatch: Any) -> None:
    shutil.copy(CORPUS / "media__sample_android_slow_motion.mp4", tmp_path / "-video-with-dash-.mp4")
    monkeypatch.chdir(tmp_path)
    assert convert(Path("-video-with-dash-.mp4"), Path("-out.mp4"), model).frames == 7


def test_command_ends_with_one_line_and_exit_code_3(
    model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    clip = CORPUS / "media__invalid-bitstream.webm"
    words = ["faceswap", "convert", str(clip), "-m", str(model_path), "-o", str(tmp_path / "out.mp4")]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as ended:
        main()
    said = capfd.readouterr().err
    assert (ended.value.code, len(said.splitlines())) == (3, 1)
    assert said.startswith("faceswap: ")
    assert list(tmp_path.iterdir()) == []
