"""Outputs of real conversions, and what is left in them after other programs: which layer tells what."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from clips import astronaut_picture, gradient_picture, make_clip
from makers import detector, tiny_consent, tiny_model

from faceswap.convert.config import ConvertConfig
from faceswap.convert.pipeline import convert_clip
from faceswap.convert.preview import PreviewWish, preview_clip
from faceswap.errors import ConsentError
from faceswap.models.swap_model import SwapModel
from faceswap.provenance.consent_rules import ConsentWish
from faceswap.provenance.consent_store import ConsentStore
from faceswap.provenance.registry import Registry
from faceswap.provenance.verify import verify_clip, verify_folder
from faceswap.provenance.watermark_layer import WatermarkFound, frames_to_look_at
from faceswap.provenance.wish import ProvenanceWish

ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="the extra `ffmpeg` is not installed")
SIZE = (160, 200)
RATE = 24


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SwapModel:
    return SwapModel.load(tiny_model(tmp_path_factory.mktemp("model")), device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "in.mp4"
    return make_clip(path, size=SIZE, num_frames=2 * RATE, picture=lambda n: astronaut_picture(SIZE, n))


def gradient(_: int) -> Any:
    return gradient_picture((32, 32), 0)


def convert(source: Path, model: SwapModel, output: Path, **settings: Any) -> Path:
    config = ConvertConfig.model_validate({"preset": "ultrafast", "figures": False, **settings})
    return convert_clip(source, model, output, config=config, detector=detector(), overwrite=True).output


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory, source: Path, model: SwapModel) -> Path:
    return convert(source, model, tmp_path_factory.mktemp("out") / "out.mp4")


def through_ffmpeg(path: Path, name: str, *words: str) -> Path:
    target = path.with_name(name)
    program = ffmpeg.get_ffmpeg_exe()
    subprocess.run([program, "-y", "-loglevel", "error", "-i", str(path), *words, str(target)], check=True)
    return target


def test_an_output_is_intact_and_says_everything(output: Path, model: SwapModel) -> None:
    report = verify_clip(output)
    assert (report.verdict, report.agrees, report.is_registered) == ("intact", True, True)
    assert report.container == report.sei == report.mark
    assert report.manifest is not None
    assert report.manifest.models == (model.manifest_sha256,)
    assert report.manifest.consents == (tiny_consent("anna").sha256,)
    assert report.manifest.parent == "in.mp4"
    (entry, *_) = report.entries
    assert (entry.path, entry.identities) == (str(output), "anna")
    assert entry.consent_ids == tiny_consent("anna").record_id


CHANGES: dict[str, tuple[str, tuple[str, ...], set[str]]] = {
    "copied": ("copy.mp4", ("-c", "copy"), {"sei"}),
    "copied to mkv": ("copy.mkv", ("-c", "copy"), {"container", "sei"}),
    "copied without tags": ("bare.mp4", ("-c", "copy", "-map_metadata", "-1"), {"sei"}),
    "trimmed": ("trim.mkv", ("-t", "1", "-c", "copy"), {"container", "sei"}),
    "encoded again": ("again.mkv", ("-c:v", "libx264", "-crf", "28"), {"container"}),
    "encoded again as mp4": ("again.mp4", ("-c:v", "libx264", "-crf", "28"), {"comment"}),
    "uploaded as mp4": (
        "upload.mp4",
        ("-vf", "scale=100:-2", "-r", "25", "-c:v", "libx264", "-crf", "30"),
        {"comment"},
    ),
    "uploaded": (
        "upload.mkv",
        ("-vf", "scale=100:-2", "-r", "25", "-c:v", "libx264", "-crf", "30", "-c:a", "aac"),
        {"container"},
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_other_programs_leave(output: Path, change: str) -> None:
    name, words, left = CHANGES[change]
    report = verify_clip(through_ffmpeg(output, name, *words))
    assert report.manifest is None
    assert report.verdict == "stripped"
    found = {layer for layer, mark in report.layers.items() if mark}
    assert found | ({"comment"} if report.sentence else set()) >= left
    assert report.mark is None or report.mark.consents == (tiny_consent("anna").sha256,)
    assert report.entries[0].consent_ids == tiny_consent("anna").record_id
    assert str(output) in {entry.path for entry in report.entries}  # found by the id in what is left


def test_without_tags_and_stream_data_nothing_is_left_but_a_watermark(output: Path) -> None:
    bare = through_ffmpeg(
        output, "none.mkv", "-map_metadata", "-1", "-c:v", "libx264", "-bsf:v", "filter_units=remove_types=6"
    )
    assert verify_clip(bare).layers == {"container": None, "sei": None}


def test_a_watermark_alone_leads_back_to_the_output(output: Path) -> None:
    bare = through_ffmpeg(
        output, "pixels.mkv", "-map_metadata", "-1", "-c:v", "libx265", "-x265-params", "log-level=none"
    )
    mark = verify_clip(output).mark
    assert mark is not None
    report = verify_clip(bare, find_watermark=lambda _: WatermarkFound(mark.id, 1e-9))
    assert (report.verdict, report.mark, report.has_looked) == ("stripped", None, True)
    assert report.entries[0].consent_ids == tiny_consent("anna").record_id
    other = verify_clip(output.with_name("copy.mkv"), find_watermark=lambda _: WatermarkFound("0" * 10, 1e-9))
    assert not other.agrees
    assert not verify_clip(
        output, find_watermark=lambda _: pytest.fail("the manifest says that there is none")
    ).has_looked


def test_a_changed_byte_is_an_alteration(output: Path) -> None:
    data = bytearray(output.read_bytes())
    data[data.find(b"mdat") + 3000] ^= 4
    changed = output.with_name("changed.mp4")
    changed.write_bytes(data)
    report = verify_clip(changed)
    assert report.verdict == "altered"
    assert report.manifest is not None
    assert any("bmffHash" in problem for problem in report.manifest.problems)


def test_a_sidecar_of_another_file_does_not_fit(source: Path, model: SwapModel, tmp_path: Path) -> None:
    first = convert(source, model, tmp_path / "one.mkv")
    second = convert(source, model, tmp_path / "two.mkv", feather=0.2)
    assert verify_clip(first).verdict == verify_clip(second).verdict == "intact"
    os.replace(first.with_suffix(".c2pa"), second.with_suffix(".c2pa"))
    assert verify_clip(second).verdict == "altered"
    assert verify_clip(first).verdict == "intact"  # the registry knows its very bytes
    (tmp_path / "three.mkv").write_bytes(first.read_bytes() + b"\0")
    assert verify_clip(tmp_path / "three.mkv").verdict == "stripped"


def test_of_a_long_clip_places_all_over_it_are_looked_at(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "long.mkv", size=(32, 32), times=[3000 * n for n in range(150)], picture=gradient)
    seen = [frame.time.seconds for frame in frames_to_look_at(clip)]
    assert len(seen) == 150  # short enough to be looked at whole
    slow = make_clip(tmp_path / "slow.mkv", size=(32, 32), times=[90000 * n for n in range(240)], picture=gradient)
    seen = [frame.time.seconds for frame in frames_to_look_at(slow)]
    assert len(seen) == 120
    assert seen[::10] == pytest.approx([20 * place for place in range(12)])


def test_an_unmarked_clip_is_unmarked(source: Path) -> None:
    report = verify_clip(source)
    assert (report.verdict, report.is_marked) == ("unmarked", False)


def every_output(source: Path, model: SwapModel, folder: Path) -> list[Path]:
    """Make one of everything that can be made of a clip."""
    outputs = []
    for codec, name in (("h264", "a.mp4"), ("h265", "b.mov"), ("h264", "c.ts"), ("ffv1", "d.mkv"), ("av1", "e.webm")):
        outputs.append(convert(source, model, folder / name, codec=codec, preset=None, trim=True, end="3"))
    convert(
        source,
        model,
        folder / "f.mov",
        codec="prores",
        preset=None,
        deliver="clip,overlay,matte,raw",
        end="3",
        trim=True,
    )
    outputs += [folder / name for name in ("f.mov", "f_overlay.mov", "f_matte.mov", "f_raw.mov")]
    outputs.append(convert(source, model, folder / "g.mp4", codec="h264", copy_untouched=True, start="30"))
    for kind in ("png", "tiff", "exr"):
        outputs.append(convert(source, model, folder / kind, codec=kind, preset=None, trim=True, end="2"))
    preview_clip(source, model, folder / "h.png", wish=PreviewWish(("5",)), detector=detector())
    return [*outputs, folder / "h.png"]


def test_there_is_no_way_to_an_output_without_marks(source: Path, model: SwapModel, tmp_path: Path) -> None:
    pytest.importorskip("OpenEXR", reason="needs the extra 'interchange'")
    outputs = every_output(source, model, tmp_path)
    assert len(outputs) == 14
    for path in outputs:
        report = verify_folder(path) if path.is_dir() else verify_clip(path)
        if path.is_dir():
            assert report.is_whole, path
            assert len(report.marks) == 1
            continue
        assert report.verdict == "intact", path
        assert report.mark is not None, path
        assert report.mark.id, path
    known = {entry.path for entry in Registry.of_user().entries()}
    assert {str(path) for path in outputs} <= known
    (tmp_path / "exr" / "000000.exr").write_bytes((tmp_path / "exr" / "000001.exr").read_bytes())
    assert [path.name for path in verify_folder(tmp_path / "exr").altered] == ["000000.exr"]
    (tmp_path / "tiff" / "000000.tif").unlink()
    (tmp_path / "exr" / "frames.c2pa").unlink()
    assert [path.name for path in verify_folder(tmp_path / "exr").stripped] == ["000001.exr"]
    whole = verify_folder(tmp_path)
    assert not whole.unmarked
    assert {clip.verdict for clip in whole.clips} == {"intact"}


def test_a_face_without_a_record_is_shown_by_no_command(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    tiny_model(folder, ("nobody", "else"))
    stranger = SwapModel.load(folder, device="cpu", precision="fp32")
    stranger.consents = {}
    with pytest.raises(ConsentError, match="faceswap consent new nobody"):
        convert(source, stranger, tmp_path / "out.mp4")
    with pytest.raises(ConsentError, match="faceswap consent new nobody"):
        preview_clip(source, stranger, tmp_path / "p.png", wish=PreviewWish(("5",)), detector=detector())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]
    record = tmp_path / "nobody.json"
    record.write_bytes(tiny_consent("nobody").to_bytes())
    wish = ProvenanceWish(ConsentWish((str(record),)))
    preview_clip(source, stranger, tmp_path / "p.png", wish=PreviewWish(("5",)), detector=detector(), provenance=wish)
    ConsentStore.of_user().revoke(tiny_consent("nobody").record_id, "tests", "asked")
    with pytest.raises(ConsentError, match="was revoked on"):
        preview_clip(
            source, stranger, tmp_path / "p.png", wish=PreviewWish(("5",)), detector=detector(), provenance=wish
        )


def test_the_command_says_all_that_is_known(output: Path) -> None:
    def verify(*words: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "faceswap", "verify", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True)

    done = verify(output)
    assert done.returncode == 0
    for word in (
        "intact",
        "signed by",
        "'in.mp4'",
        tiny_consent("anna").sha256,
        "face of 'anna'",
        "manifest (embedded)",
    ):
        assert word in done.stdout
    stripped = through_ffmpeg(output, "told.mkv", "-c", "copy")
    done = verify(stripped, "--json")
    assert done.returncode == 4
    event = json.loads(done.stdout.splitlines()[-1])
    assert (event["verdict"], event["manifest"], event["layers"]["sei"]["id"]) == (
        "stripped",
        None,
        verify_clip(output).mark.id,  # type: ignore[union-attr]
    )
