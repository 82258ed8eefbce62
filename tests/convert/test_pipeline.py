from __future__ import annotations

import errno
import hashlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from clips import astronaut_picture, make_clip
from makers import detector, tiny_model
from signed import content_of

from faceswap import geometry
from faceswap.convert import outputs
from faceswap.convert.config import ConvertConfig
from faceswap.convert.engine import SwapEngine
from faceswap.convert.pipeline import convert_clip, plan_convert
from faceswap.convert.report import ConvertReport
from faceswap.errors import (
    CheckpointError,
    InterruptedRunError,
    NoFaceError,
    ResourceError,
    UnsupportedInputError,
    UsageError,
)
from faceswap.faces.align import patch_from_frame
from faceswap.faces.index import FaceIndex
from faceswap.media.encode import VideoEncoder
from faceswap.media.packets import EncodedPicture, PacketFile
from faceswap.media.reader import VideoReader
from faceswap.models.swap_model import SwapModel
from faceswap.provenance.verify import verify_clip
from faceswap.types import Frame

SIZE = (160, 200)
MILLISECONDS = [0, 40, 80, 130, 150, 230, 270, 310, 350, 500, 541, 582]
"""Times of a clip with a variable rate."""
LOSSLESS = ConvertConfig(codec="ffv1", match="none")


def face(frame: int) -> np.ndarray:
    return astronaut_picture(SIZE, 2.0 * frame)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SwapModel:
    return SwapModel.load(tiny_model(tmp_path_factory.mktemp("model")), device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "vfr.mkv"
    return make_clip(path, size=SIZE, times=[90 * t for t in MILLISECONDS], picture=face, audio_tracks=2)


@pytest.fixture
def clip(tmp_path: Path, source: Path) -> Path:
    """The clip in a folder of its own, so that tests see everything that is left there."""
    path = tmp_path / "in.mkv"
    path.write_bytes(source.read_bytes())
    return path


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory, source: Path, model: SwapModel) -> tuple[Path, ConvertReport]:
    output = tmp_path_factory.mktemp("converted") / "out.mkv"
    return output, convert(source, model, output)


def convert(clip: Path, model: SwapModel | Path, output: Path | None, **over: Any) -> ConvertReport:
    return convert_clip(clip, model, output, **{"config": LOSSLESS, "detector": detector(), **over})


def index_beside(output: Path) -> FaceIndex:
    (path,) = (output.parent / ".faceswap").glob("*.db")
    return FaceIndex.load(path)


def face_rectangle(index: FaceIndex, model: SwapModel, frame: Frame) -> tuple[slice, slice]:
    """Return the rows and columns that the crop of a frame's face touches."""
    (found,) = index.faces_at(frame.index)
    corners = geometry.corners_of((model.crop.size, model.crop.size))
    in_frame = geometry.apply(geometry.invert(patch_from_frame(found, model.crop)), corners)
    x0, y0, x1, y1 = geometry.bounding_rect(in_frame, frame.size, pad=2, multiple=2)
    return slice(y0, y1), slice(x0, x1)


def packets_of(path: Path, kind: str) -> list[list[tuple[int, bytes]]]:
    with av.open(str(path)) as container:
        streams = [stream for stream in container.streams if stream.type == kind]
        found = [[] for _ in streams]
        for packet in container.demux(streams):
            if packet.size:
                found[streams.index(packet.stream)].append((packet.pts, bytes(packet)))
    return found


def visible_files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".faceswap")


def test_picture_is_filtered_first_and_the_other_streams_stay(clip: Path, model: SwapModel) -> None:
    pytest.importorskip("ffmpeg", reason="the extra `ffmpeg` is not installed")
    pytest.importorskip("imageio_ffmpeg", reason="the extra `ffmpeg` is not installed")
    output = clip.parent / "out.mkv"
    config = LOSSLESS.model_copy(update={"ffmpeg_filter": "lutyuv=u=128:v=128", "start": "6"})
    report = convert(clip, model, output, config=config)
    frames = list(VideoReader(output))
    assert [round(frame.time.seconds * 1000) for frame in frames] == MILLISECONDS
    assert all((frame.planes[1] == 128).all() for frame in frames[:6])
    assert packets_of(output, "audio") == packets_of(clip, "audio")
    assert report.faces == 6
    assert "lutyuv" in report.notes[0]
    again = convert(clip, model, output, config=config, overwrite=True)
    assert again.has_reused_index
    kept = sorted(path.name.split(".", 1)[1] for path in (clip.parent / ".faceswap").iterdir())
    assert kept == ["faces.db", "filtered.mp4", "mkv.settings.toml"]


def test_frames_that_were_not_chosen_stay_bit_for_bit(clip: Path, model: SwapModel) -> None:
    output = clip.parent / "out.mkv"
    report = convert(clip, model, output, config=LOSSLESS.model_copy(update={"start": "pts:150", "end": "00:00:00.5"}))
    changed = [
        any((a != b).any() for a, b in zip(before.planes, after.planes, strict=True))
        for before, after in zip(VideoReader(clip), VideoReader(output), strict=True)
    ]
    assert [MILLISECONDS[i] for i, has_changed in enumerate(changed) if has_changed] == [150, 230, 270, 310, 350]
    assert (report.faces, report.skipped) == (5, {"faces outside the chosen frames": 7})


def test_output_equals_input_outside_the_face_bit_for_bit(
    converted: tuple[Path, ConvertReport], source: Path, model: SwapModel
) -> None:
    output, _ = converted
    index = index_beside(output)
    for before, after in zip(VideoReader(source), VideoReader(output), strict=True):
        rows, columns = face_rectangle(index, model, before)
        for i, (old, new) in enumerate(zip(before.planes, after.planes, strict=True)):
            step = 2 if i else 1
            inside = np.zeros(old.shape, dtype=bool)
            inside[rows.start // step : -(-rows.stop // step), columns.start // step : -(-columns.stop // step)] = True
            assert 0.02 < inside.mean() < 0.5
            np.testing.assert_array_equal(new[~inside], old[~inside])
            assert (new != old).any()


def test_frames_keep_the_times_of_a_variable_rate_clip(converted: tuple[Path, ConvertReport], source: Path) -> None:
    before, after = ([f.time.pts * f.time.time_base for f in VideoReader(path)] for path in (source, converted[0]))
    assert after == before
    assert [round(1000 * t) for t in after] == MILLISECONDS


def test_audio_packets_are_the_same(converted: tuple[Path, ConvertReport], source: Path) -> None:
    before, after = packets_of(source, "audio"), packets_of(converted[0], "audio")
    assert len(before) == 2
    assert all(len(packets) > 10 for packets in before)
    assert after == before


def test_output_is_marked(converted: tuple[Path, ConvertReport], model: SwapModel) -> None:
    mark = verify_clip(converted[0]).container
    assert mark is not None
    assert mark.model_sha256 == model.manifest_sha256


def test_report_counts_frames_and_faces(converted: tuple[Path, ConvertReport]) -> None:
    output, report = converted
    assert (report.output, report.identity) == (output, "anna")
    assert (report.frames, report.faces, dict(report.skipped)) == (12, 12, {})
    assert not report.has_reused_index
    assert {"decode", "analyse", "crop", "network", "composite", "encode"} <= report.ms_per_frame.keys()
    assert report.to_json()["output"] == str(output)


def test_nothing_but_the_output_and_the_index_is_left(converted: tuple[Path, ConvertReport]) -> None:
    assert visible_files(converted[0].parent) == ["out.c2pa", "out.mkv"]


def test_second_run_reuses_the_index_and_gives_an_identical_file(
    converted: tuple[Path, ConvertReport], source: Path, model: SwapModel
) -> None:
    output, _ = converted
    first = hashlib.sha256(output.read_bytes()).hexdigest()
    report = convert(source, model, output, overwrite=True, detector=None)
    assert report.has_reused_index
    assert hashlib.sha256(output.read_bytes()).hexdigest() == first


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_two_runs_give_identical_files(clip: Path, model: SwapModel, tmp_path: Path, suffix: str) -> None:
    outputs = [tmp_path / f"{name}{suffix}" for name in "ab"]
    for output in outputs:
        convert(clip, model, output, config=ConvertConfig(preset="ultrafast"))
    assert content_of(outputs[0]) == content_of(outputs[1])


def test_identity_can_be_chosen(clip: Path, model: SwapModel, tmp_path: Path) -> None:
    frames = {}
    for identity in ("anna", "bert"):
        output = tmp_path / f"{identity}.mkv"
        assert convert(clip, model, output, to=identity).identity == identity
        frames[identity] = next(iter(VideoReader(output))).planes[0].copy()
    assert (frames["anna"] != frames["bert"]).any()


def test_folder_of_a_model_will_do(clip: Path, tmp_path: Path) -> None:
    folder = tiny_model(tmp_path / "model", ("carl",))
    assert convert(clip, folder, tmp_path / "out.mkv", device="cpu").identity == "carl"


def test_existing_output_is_not_overwritten(clip: Path, model: SwapModel, tmp_path: Path) -> None:
    output = tmp_path / "out.mkv"
    output.write_bytes(b"precious")
    with pytest.raises(UsageError, match="--overwrite"):
        convert(clip, model, output)
    assert output.read_bytes() == b"precious"


def test_input_is_never_the_output(clip: Path, model: SwapModel) -> None:
    before = clip.read_bytes()
    os.link(clip, clip.with_name("alias.mkv"))
    for output in (clip, clip.with_name("alias.mkv")):
        with pytest.raises(UsageError, match="the input itself"):
            convert(clip, model, output, overwrite=True)
    assert clip.read_bytes() == before


def test_clip_without_faces_leaves_nothing(model: SwapModel, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "empty.mkv", num_frames=4)
    with pytest.raises(NoFaceError):
        convert(clip, model, tmp_path / "out.mkv")
    assert list(tmp_path.iterdir()) == [clip]


def test_file_that_is_no_clip_is_named(model: SwapModel, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("hello")
    with pytest.raises(UnsupportedInputError, match=r"text\.mp4"):
        convert(tmp_path / "text.mp4", model, tmp_path / "out.mkv")


def test_folder_without_a_model_is_refused(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    with pytest.raises(CheckpointError):
        convert(clip, tmp_path / "model", tmp_path / "out.mkv")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_clip_that_the_gpu_cannot_decode_is_decoded_by_the_cpu_and_that_is_said(
    clip: Path, model: SwapModel, tmp_path: Path
) -> None:
    report = convert(clip, model, tmp_path / "out.mkv", config=LOSSLESS.model_copy(update={"decode": "gpu"}))
    assert report.frames == len(MILLISECONDS)
    assert [note for note in report.notes if "decoded on the CPU: the GPU cannot" in note]


def test_report_says_what_ran_the_network_and_why(converted: tuple[Path, ConvertReport]) -> None:
    (choice,) = converted[1].network
    assert choice["runner"] == "torch-fp32"
    assert choice["words"] == "torch-fp32; usual, too few faces for a measurement"


def test_unknown_runner_is_refused_before_work_starts(clip: Path, model: SwapModel, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no runner 'cuda-graph'"):
        convert(clip, model, tmp_path / "out.mkv", config=LOSSLESS.model_copy(update={"runner": "cuda-graph"}))
    assert visible_files(tmp_path) == ["in.mkv"]


def test_error_while_swapping_leaves_no_file(
    clip: Path, model: SwapModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("broken network")

    monkeypatch.setattr(SwapEngine, "stream", fail)
    with pytest.raises(RuntimeError, match="broken network"):
        convert(clip, model, tmp_path / "out.mkv")
    assert visible_files(tmp_path) == ["in.mkv"]


@pytest.mark.parametrize("fails_at", [0, 5, 11])
def test_disk_that_is_full_leaves_the_old_output(
    clip: Path, model: SwapModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    output = tmp_path / "out.mkv"
    output.write_bytes(b"the old one")
    write = PacketFile.write
    num_calls = 0

    def write_until_full(file: PacketFile, pictures: Iterable[EncodedPicture]) -> None:
        nonlocal num_calls
        num_calls += 1
        if num_calls > fails_at:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(file, pictures)

    monkeypatch.setattr(PacketFile, "write", write_until_full)
    with pytest.raises(ResourceError):
        convert(clip, model, output, overwrite=True)
    assert output.read_bytes() == b"the old one"
    assert visible_files(tmp_path) == ["in.mkv", "out.mkv"]


def test_failed_publishing_leaves_no_file(
    clip: Path, model: SwapModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(outputs, "sync_file", fail)
    with pytest.raises(OSError, match="Input/output"):
        convert(clip, model, tmp_path / "out.mkv")
    assert visible_files(tmp_path) == ["in.mkv"]


def test_frames_lost_while_writing_are_noticed(
    clip: Path, model: SwapModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = VideoEncoder.encode
    monkeypatch.setattr(VideoEncoder, "encode", lambda self, frame: [] if frame.index == 3 else encode(self, frame))
    with pytest.raises(Exception, match="11 of 12 frames"):
        convert(clip, model, tmp_path / "out.mkv")
    assert visible_files(tmp_path) == ["in.mkv"]


def test_interrupted_run_keeps_the_index_and_no_output(clip: Path, model: SwapModel, tmp_path: Path) -> None:
    def interrupt(event: Any) -> None:
        if event.stage == "render":
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(InterruptedRunError, match="repeat the command") as caught:
        convert(clip, model, tmp_path / "out.mkv", on_progress=interrupt)
    assert caught.value.exit_code == 143
    assert visible_files(tmp_path) == ["in.mkv"]
    assert plan_convert(clip, model, tmp_path / "out.mkv", config=LOSSLESS).has_index


@pytest.mark.parametrize("change", ["damaged", "other settings"])
def test_index_that_does_not_fit_is_made_anew(clip: Path, model: SwapModel, tmp_path: Path, change: str) -> None:
    convert(clip, model, tmp_path / "out.mkv")
    config = LOSSLESS
    if change == "damaged":
        (path,) = (tmp_path / ".faceswap").glob("*.db")
        path.write_bytes(b"scribble")
    else:
        config = LOSSLESS.model_copy(update={"min_face_px": 30})
    report = convert(clip, model, tmp_path / "out.mkv", config=config, overwrite=True)
    assert not report.has_reused_index


@pytest.mark.parametrize("pix_fmt", ["yuv420p10le", "yuv422p", "yuv444p"])
def test_other_formats_keep_their_samples_far_from_the_face(model: SwapModel, tmp_path: Path, pix_fmt: str) -> None:
    clip = make_clip(tmp_path / "in.mkv", size=SIZE, num_frames=3, pix_fmt=pix_fmt, codec="ffv1", picture=face)
    convert(clip, model, tmp_path / "out.mkv")
    for before, after in zip(VideoReader(clip), VideoReader(tmp_path / "out.mkv"), strict=True):
        assert after.layout == before.layout
        for old, new in zip(before.planes, after.planes, strict=True):
            np.testing.assert_array_equal(new[-old.shape[0] // 4 :], old[-old.shape[0] // 4 :])
            assert (new != old).any()
