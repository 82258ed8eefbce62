"""Smart rendering: pictures without a swapped face are the source's own packets, bit for bit."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import make_clip
from convert_job import SIZE, faces_between
from makers import detector, tiny_model

from faceswap.convert import assembly, segments
from faceswap.convert.config import ConvertConfig
from faceswap.convert.pipeline import convert_clip
from faceswap.convert.report import ConvertReport
from faceswap.errors import InterruptedRunError
from faceswap.faces.index import FaceIndex
from faceswap.media.gops import copied_packets
from faceswap.media.packets import EncodedPicture, read_packets
from faceswap.media.reader import VideoReader
from faceswap.models.swap_model import SwapModel
from faceswap.progress import OnProgress, Progress, ignore_progress
from faceswap.provenance.verify import verify_clip

NUM_FRAMES, FACES = 64, (28, 36)
X265 = "log-level=error:keyint=8:min-keyint=8:pools=1:scenecut=0"
SOURCES = {
    "h264": ("libx264", {}),
    "h264 open": ("libx264", {"x264-params": "open-gop=1:keyint=8:min-keyint=8:bframes=3:scenecut=0"}),
    "h265": ("libx265", {"x265-params": f"{X265}:open-gop=0"}),
    "h265 open": ("libx265", {"x265-params": f"{X265}:open-gop=1"}),
    "prores": ("prores_ks", {}),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SwapModel:
    return SwapModel.load(tiny_model(tmp_path_factory.mktemp("model")), device="cpu", precision="fp32")


def make_source(folder: Path, kind: str, container: str) -> Path:
    codec, options = SOURCES[kind]
    return make_clip(
        folder / f"in.{container}",
        size=SIZE,
        num_frames=NUM_FRAMES,
        codec=codec,
        options=options,
        pix_fmt="yuv422p10le" if codec == "prores_ks" else "yuv420p",
        picture=faces_between(*FACES),
        audio_tracks=1,
    )


def convert(
    clip: Path, model: SwapModel, codec: str, on_progress: OnProgress = ignore_progress
) -> tuple[Path, ConvertReport]:
    output = clip.with_name(f"out{clip.suffix}")
    config = ConvertConfig(codec=codec, copy_untouched=True)
    return output, convert_clip(clip, model, output, config=config, detector=detector(), on_progress=on_progress)


def swapped_frames(output: Path) -> set[int]:
    (path,) = (output.parent / ".faceswap").glob("*.db")
    return {face.frame for face in FaceIndex.load(path).faces}


def equal_frames(clip: Path, output: Path) -> list[bool]:
    """Return for each frame whether both clips decode to the same samples at the same time."""
    result = []
    for before, after in zip(VideoReader(clip), VideoReader(output), strict=True):
        assert abs(before.time.seconds - after.time.seconds) <= 1e-3
        result.append(all(np.array_equal(a, b) for a, b in zip(before.planes, after.planes, strict=True)))
    return result


CASES = [
    *((kind, container) for kind in ("h264", "h264 open", "h265", "h265 open") for container in ("mp4", "mkv")),
    ("prores", "mov"),
    ("h264", "ts"),
    ("h265", "ts"),
]


@pytest.mark.parametrize(("kind", "container"), CASES)
def test_copied_frames_are_bit_exact(model: SwapModel, tmp_path: Path, kind: str, container: str) -> None:
    clip = make_source(tmp_path, kind, container)
    output, report = convert(clip, model, SOURCES[kind][0])
    swapped = swapped_frames(output)
    assert swapped
    equal = equal_frames(clip, output)
    assert not any(equal[frame] for frame in swapped)
    assert sum(equal) >= report.frames_copied
    assert not [note for note in report.notes if "everything was encoded" in note]
    before_the_face = range(min(swapped) // 8 * 8)
    assert all(equal[frame] for frame in before_the_face)
    if (
        kind != "h264 open"
    ):  # its groups cannot be entered; those of H.265 can, but for what is shown before their first picture
        assert all(equal[frame] for frame in range(-(-(max(swapped) + 1) // 8) * 8, NUM_FRAMES))
        assert report.frames_copied >= NUM_FRAMES - len(swapped) - 16


def test_a_spliced_clip_is_marked_from_its_first_key_frame_on(model: SwapModel, tmp_path: Path) -> None:
    output, _ = convert(make_source(tmp_path, "h264", "mp4"), model, "libx264")
    report = verify_clip(output)
    assert report.container == report.sei
    assert report.sei is not None


@pytest.mark.parametrize("profile", ["baseline", "main", "high"])
def test_encoded_parts_have_the_profile_and_level_of_the_source(model: SwapModel, tmp_path: Path, profile: str) -> None:
    options = {"profile": profile, "level": "3.1", "bf": "0"}
    clip = make_clip(
        tmp_path / "in.mp4", size=SIZE, num_frames=NUM_FRAMES, picture=faces_between(*FACES), options=options
    )
    output, report = convert(clip, model, "libx264")
    assert report.frames_copied
    with av.open(str(output)) as container:
        stream = container.streams.video[0]
        sets = {
            bytes(packet)[place + 5 : place + 8]  # profile, constraints, level
            for packet in container.demux(stream)
            for place in _parameter_sets(bytes(packet))
        }
    assert {(found[0], found[2]) for found in sets} == {({"baseline": 66, "main": 77, "high": 100}[profile], 31)}


def _parameter_sets(packet: bytes) -> Iterator[int]:
    """Yield the places of length-prefixed sequence parameter sets."""
    place = 0
    while place + 4 < len(packet):
        if packet[place + 4] & 31 == 7:
            yield place
        place += 4 + int.from_bytes(packet[place : place + 4], "big")


def test_sound_is_copied_beside_the_pictures(model: SwapModel, tmp_path: Path) -> None:
    clip = make_source(tmp_path, "h265", "mp4")
    output, _ = convert(clip, model, "libx265")
    sounds = []
    for path in (clip, output):
        with av.open(str(path)) as container:
            sounds.append([(p.pts, bytes(p)) for p in container.demux(container.streams.audio[0]) if p.size])
    assert sounds[0] == sounds[1]


def damaged(picture: EncodedPicture) -> EncodedPicture:
    return replace(picture, data=picture.data[: len(picture.data) // 2])


def damage_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the fourth packet of each copied run come out damaged."""

    def read(*args: Any) -> Iterator[EncodedPicture]:
        for number, picture in enumerate(copied_packets(*args)):
            yield damaged(picture) if number == 3 else picture

    monkeypatch.setattr(assembly, "copied_packets", read)


def damage_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the fourth packet of a rendered segment come out damaged when it stands beside copied ones."""
    done: list[bool] = []

    def read(path: Path) -> Iterator[EncodedPicture]:
        is_first_time = not done
        done.append(True)
        for number, picture in enumerate(read_packets(path)):
            yield damaged(picture) if is_first_time and number == 3 else picture

    monkeypatch.setattr(assembly, "read_packets", read)


@pytest.mark.parametrize("damage", [damage_copied, damage_encoded])
def test_a_splice_that_decodes_wrong_is_replaced_by_a_full_encode(
    model: SwapModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[pytest.MonkeyPatch], None]
) -> None:
    damage(monkeypatch)
    clip = make_source(tmp_path, "h264", "mp4")
    output, report = convert(clip, model, "libx264")
    assert report.frames_copied == 0
    assert any("everything was encoded" in note for note in report.notes)
    assert len(list(VideoReader(output))) == NUM_FRAMES
    assert sorted(p.name for p in tmp_path.iterdir()) == [".faceswap", "in.mp4", "out.mp4"]


def test_the_full_encode_is_resumed_and_the_splice_not_tried_again(
    model: SwapModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "MAX_FRAMES", 16)
    monkeypatch.setattr(segments, "_MIN_FRAMES", 8)
    damage_copied(monkeypatch)
    clip = make_source(tmp_path, "h264", "mp4")

    def stop_late(event: Progress) -> None:
        if event.stage == "render" and 50 < event.done < NUM_FRAMES:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(InterruptedRunError, match="of 64 frames are finished"):
        convert(clip, model, "libx264", on_progress=stop_late)
    _, report = convert(clip, model, "libx264")
    assert report.frames_resumed >= 16
    assert any("an earlier run found" in note for note in report.notes)


def test_what_cannot_be_copied_is_encoded_and_said(model: SwapModel, tmp_path: Path) -> None:
    clip = make_source(tmp_path, "h264", "mkv")
    _, report = convert(clip, model, "ffv1")
    assert report.frames_copied == 0
    (note,) = [note for note in report.notes if "nothing was copied" in note]
    assert "ffv1 cannot stand beside h264" in note
