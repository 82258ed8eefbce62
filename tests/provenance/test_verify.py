"""Marks on real files: which layer survives what."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from clips import make_clip

from faceswap.media.encode_plan import EncodeSettings
from faceswap.media.reader import VideoReader
from faceswap.media.remux import source_metadata
from faceswap.media.transcode import transcode
from faceswap.provenance.mark import Mark, mark_in_metadata, marked_metadata, packet_marker, sentence_in_metadata
from faceswap.provenance.verify import verify_clip

MARK = Mark(model_sha256="ab" * 32)


def marked(tmp_path: Path, name: str, codec: str = "libx264") -> Path:
    source = make_clip(tmp_path / "in.mp4", metadata={"comment": "shot by me"})
    transcode(
        source,
        tmp_path / name,
        EncodeSettings(codec),
        metadata=marked_metadata(source_metadata(source), MARK),
        edit_key_packet=packet_marker(MARK),
    )
    return tmp_path / name


def stream_copy(path: Path, name: str) -> Path:
    """Copy packets into a new file without any metadata, as `ffmpeg -c copy -map_metadata -1` does."""
    output = path.with_name(name)
    with av.open(str(path)) as source, av.open(str(output), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    return output


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv"])
def test_both_layers_are_read_back(tmp_path: Path, name: str, codec: str) -> None:
    report = verify_clip(marked(tmp_path, name, codec))
    assert report.container == report.sei == MARK
    assert report.agrees


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
@pytest.mark.parametrize("copy", ["copy.mkv", "copy.mp4"])
def test_sei_survives_a_stream_copy_without_metadata(tmp_path: Path, codec: str, copy: str) -> None:
    report = verify_clip(stream_copy(marked(tmp_path, "out.mp4", codec), copy))
    assert report.container is None
    assert report.sei == MARK


def test_transport_streams_carry_the_sei_layer(tmp_path: Path) -> None:
    assert verify_clip(marked(tmp_path, "out.ts")).sei == MARK


def test_other_codecs_carry_the_container_layer(tmp_path: Path) -> None:
    report = verify_clip(marked(tmp_path, "out.mkv", "ffv1"))
    assert (report.container, report.sei, report.is_marked) == (MARK, None, True)


def test_unmarked_clip_is_unmarked(tmp_path: Path) -> None:
    assert not verify_clip(make_clip(tmp_path / "plain.mp4")).is_marked


def test_marked_clip_still_decodes_to_the_same_pictures(tmp_path: Path) -> None:
    frames = list(VideoReader(marked(tmp_path, "out.mkv", "ffv1")))
    assert len(frames) == 12


def test_the_sources_comment_is_kept_before_ours() -> None:
    metadata = marked_metadata({"COMMENT": "shot by me", "title": "x"}, MARK)
    assert metadata["COMMENT"].startswith("shot by me | AI-modified")
    assert metadata["title"] == "x"


def test_a_mark_of_an_earlier_conversion_is_replaced() -> None:
    metadata = marked_metadata({"FACESWAP": Mark(model_sha256="old").to_json()}, MARK)
    assert mark_in_metadata(metadata) == MARK


@pytest.mark.parametrize(
    ("comment", "number"),
    [
        (marked_metadata({"comment": "mine"}, Mark("ab" * 32, id="00112233aa"))["comment"], "00112233aa"),
        (marked_metadata({}, MARK)["comment"], ""),
        ("AI-modified: faces in this video were replaced by a trained model (faceswap 0.1.0, model abcd)", ""),
        ("a film about AI", None),
        ("(" * 5000, None),
    ],
)
def test_the_sentence_to_people_is_read(comment: str, number: str | None) -> None:
    assert sentence_in_metadata({"COMMENT": comment}) == number


def test_marks_of_earlier_versions_are_read() -> None:
    old = Mark.from_json('{"digital_source_type": "x", "model_sha256": "ab", "statement": "s", "version": "0.0.1"}')
    assert old == Mark("ab", version="0.0.1", statement="s", digital_source_type="x")
    assert (old.id, old.consents) == ("", ())


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"version": 1}', "null", "not json"])
def test_texts_that_are_no_mark_give_none(text: str) -> None:
    assert Mark.from_json(text) is None
