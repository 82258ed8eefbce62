from __future__ import annotations

import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from clips import make_clip
from makers import face_at, frame_table

from faceswap.convert.timeline import TimelineContent, TimelineMedia, build_timeline, open_otio, write_timeline
from faceswap.errors import UsageError
from faceswap.faces.index import FaceIndex
from faceswap.media.probe import probe
from faceswap.media.sequence import SequenceTarget
from faceswap.provenance.mark import DIGITAL_SOURCE_TYPE, Mark
from faceswap.types import Shot

otio = pytest.importorskip("opentimelineio", reason="needs the extra 'interchange'")
SHOTS = (Shot(0, 20), Shot(20, 45), Shot(45, 60))
RANGES = [(0, 20), (20, 25), (45, 15)]


@pytest.fixture
def content(tmp_path: Path) -> TimelineContent:
    clip = make_clip(tmp_path / "in #1.mp4", num_frames=60, rate=25, size=(32, 32))
    index = FaceIndex(
        fingerprint="f" * 64,
        detector="none",
        frames=frame_table(60),
        every=1,
        min_face_px=24,
        shortfalls=(),
        remarks=(),
        shots=SHOTS,
        faces=(face_at(10, 10, 5, frame=3, track=2), face_at(10, 10, 5, frame=50, track=4)),
    )
    pictures = SequenceTarget(tmp_path / "out", "%06d.exr", "exr")
    media = (
        TimelineMedia("source", clip),
        TimelineMedia("clip", tmp_path / "out", pictures),
        TimelineMedia("overlay", tmp_path / "out_overlay.mov"),
        TimelineMedia("matte", tmp_path / "out_matte.mov"),
    )
    return TimelineContent("out", probe(clip), index, media, Mark(model_sha256="ab" * 32))


def ranges(track: Any) -> list[tuple[float, float]]:
    return [(c.source_range.start_time.value, c.source_range.duration.value) for c in track.find_clips()]


def test_every_deliverable_is_a_track_of_named_shots(content: TimelineContent, tmp_path: Path) -> None:
    files = write_timeline(tmp_path / "out.otio", content)
    timeline = otio.adapters.read_from_file(str(tmp_path / "out.otio"))
    assert files.paths[0] == tmp_path / "out.otio"
    assert [track.name for track in timeline.video_tracks()] == ["matte", "source", "overlay", "clip"]
    assert [track.enabled for track in timeline.video_tracks()] == [False, True, False, True]
    for track in timeline.video_tracks():
        assert ranges(track) == RANGES
        assert [clip.name for clip in track.find_clips()] == ["shot 1", "shot 2", "shot 3"]
        for clip in track.find_clips():
            available = clip.media_reference.available_range
            assert (available.start_time.value, available.duration.value, available.duration.rate) == (0, 60, 25)


def test_media_are_found_by_their_references(content: TimelineContent, tmp_path: Path) -> None:
    matte, source, _, clip = (
        next(iter(t.find_clips())).media_reference for t in build_timeline(content).video_tracks()
    )
    assert source.target_url == (tmp_path / "in #1.mp4").as_uri()
    assert matte.target_url == (tmp_path / "out_matte.mov").as_uri()
    assert clip.target_url_for_image_number(45) == f"{(tmp_path / 'out').as_uri()}/000045.exr"


def test_timeline_carries_the_mark_and_exact_times(content: TimelineContent) -> None:
    timeline = build_timeline(content)
    assert timeline.metadata["faceswap"]["mark"]["digital_source_type"] == DIGITAL_SOURCE_TYPE
    facts = [clip.metadata["faceswap"] for clip in timeline.video_tracks()[0].find_clips()]
    assert [list(fact["face_tracks"]) for fact in facts] == [[2], [], [4]]
    assert [(fact["first_pts"], fact["last_pts"]) for fact in facts] == [(0, 19), (20, 44), (45, 59)]


def test_without_a_clip_the_overlay_over_the_source_is_on(content: TimelineContent) -> None:
    shown = replace(content, media=tuple(media for media in content.media if media.name != "clip"))
    on = [track.name for track in build_timeline(shown).video_tracks() if track.enabled]
    assert on == ["source", "overlay"]


def test_timeline_is_the_same_bytes_every_time(content: TimelineContent, tmp_path: Path) -> None:
    first = write_timeline(tmp_path / "a.otio", content).paths[0].read_bytes()
    assert write_timeline(tmp_path / "b.otio", content).paths[0].read_bytes() == first


@pytest.mark.parametrize(
    ("suffix", "package"),
    [(".xml", "otio_fcp_adapter"), (".fcpxml", "otio_fcpx_xml_adapter"), (".edl", "otio_cmx3600_adapter")],
)
def test_other_formats_hold_the_same_cuts(content: TimelineContent, tmp_path: Path, suffix: str, package: str) -> None:
    pytest.importorskip(package, reason="needs the extra 'interchange'")
    assert tmp_path / f"out{suffix}" in write_timeline(tmp_path / "out.otio", content).paths
    options = {"rate": 25} if suffix == ".edl" else {}
    read = otio.adapters.read_from_file(str(tmp_path / f"out{suffix}"), **options)
    found = (
        [read] if isinstance(read, otio.schema.Timeline) else [t for t in read if isinstance(t, otio.schema.Timeline)]
    )
    tracks = found[0].video_tracks()
    assert len(tracks) == (1 if suffix == ".edl" else 4)
    for track in tracks:
        assert ranges(track) == RANGES
    last = next(iter(tracks[-1].find_clips()))
    assert last.name == "shot 1"
    assert last.media_reference.target_url.endswith("/out/000000.exr")


def test_rates_that_an_adapter_gets_wrong_are_left_out_and_said(content: TimelineContent, tmp_path: Path) -> None:
    film = replace(content, info=replace(content.info, rate=Fraction(24000, 1001)))
    files = write_timeline(tmp_path / "out.otio", film)
    assert not (tmp_path / "out.fcpxml").exists()
    assert any("FCP X" in note and "23.976" in note for note in files.notes)
    timeline = otio.adapters.read_from_file(str(tmp_path / "out.otio"))
    assert ranges(timeline.video_tracks()[0]) == RANGES


def test_missing_package_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentimelineio", None)
    with pytest.raises(UsageError, match="pip install"):
        open_otio()
