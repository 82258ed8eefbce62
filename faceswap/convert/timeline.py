"""A timeline of the shots for an editing suite: OpenTimelineIO, and what its adapters make of it (EDL, FCP XML).

Each file is a track, cut at the shots. Matte and raw lie below the source, overlay and clip above it: so the top of the
pile is the finished picture, also in programs that do not know switched-off tracks. What is not needed for it is off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from faceswap.errors import UsageError
from faceswap.faces.index import FaceIndex
from faceswap.files import disk_errors_named, write_atomic
from faceswap.media.probe import ClipInfo
from faceswap.media.sequence import SequenceTarget
from faceswap.provenance.mark import Mark
from faceswap.types import Shot

_ADAPTERS = {".edl": ("cmx_3600", "EDL"), ".xml": ("fcp_xml", "FCP 7 XML"), ".fcpxml": ("fcpx_xml", "FCP X XML")}
"""Suffix -> OpenTimelineIO's name of the adapter, and ours of the format."""

_PILE = ("matte", "raw", "source", "overlay", "clip")
"""Tracks from the lowest to the highest."""
_FCPX_RATES = {24, 25, 30, 50, 60}
"""Frames per second that the FCP X adapter can write: fractional ones come out some frames off, others not at all."""


@dataclass(frozen=True, slots=True)
class TimelineMedia:
    """One track of the timeline: a video file, or a sequence of pictures."""

    name: str
    """ "source", "clip", "overlay", "matte" or "raw"."""
    path: Path
    pictures: SequenceTarget | None = None


@dataclass(frozen=True, slots=True)
class TimelineFiles:
    """What was written."""

    paths: tuple[Path, ...]
    notes: tuple[str, ...]
    """Formats that could not be written, and why."""


def open_otio() -> ModuleType:
    """Return the OpenTimelineIO module.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import opentimelineio
    except ImportError as error:
        raise UsageError(
            "a timeline needs the package OpenTimelineIO; pip install 'faceswap[interchange]', or leave otio out of --deliver"
        ) from error
    return opentimelineio


@dataclass(frozen=True, slots=True, eq=False)
class TimelineContent:
    """What a timeline shows."""

    name: str
    info: ClipInfo
    """Of the source."""
    index: FaceIndex
    media: tuple[TimelineMedia, ...]
    """The source and the deliverables, in any order."""
    mark: Mark


def build_timeline(content: TimelineContent, *, is_plain: bool = False) -> Any:
    """Return the OpenTimelineIO timeline.

    Args:
        is_plain: pictures are named by their first file, for formats that have no sequences.
    """
    otio = open_otio()
    rate = float(content.info.rate)
    timeline = otio.schema.Timeline(name=content.name, global_start_time=otio.opentime.RationalTime(0, rate))
    timeline.metadata["faceswap"] = {
        "mark": asdict(content.mark),
        "source_fingerprint": content.index.fingerprint,
        "rate": str(content.info.rate),
        "time_base": str(content.info.time_base),
    }
    enabled = _enabled([each.name for each in content.media])
    for media in sorted(content.media, key=lambda media: _PILE.index(media.name)):
        track = otio.schema.Track(name=media.name, kind=otio.schema.TrackKind.Video)
        track.enabled = media.name in enabled
        for number, shot in enumerate(content.index.shots, start=1):
            clip = otio.schema.Clip(
                name=f"shot {number}",
                media_reference=_reference(otio, media, rate, content.index.num_frames, is_plain),
                source_range=_range(otio, shot.start, shot.stop, rate),
            )
            clip.metadata["faceswap"] = _shot_facts(content.index, shot)
            track.append(clip)
        timeline.tracks.append(track)
    return timeline


def _enabled(names: Sequence[str]) -> set[str]:
    return {"source", "clip"} if "clip" in names else {"source", "overlay"}


def _range(otio: ModuleType, start: int, stop: int, rate: float) -> Any:
    """Return a half-open run of frames as a time range."""
    time = otio.opentime.RationalTime
    return otio.opentime.TimeRange(time(start, rate), time(stop - start, rate))


def _reference(otio: ModuleType, media: TimelineMedia, rate: float, num_frames: int, is_plain: bool) -> Any:
    available = _range(otio, 0, num_frames, rate)
    if media.pictures is None or is_plain:
        path = media.path if media.pictures is None else media.pictures.folder / media.pictures.name_of(0)
        reference = otio.schema.ExternalReference(target_url=path.absolute().as_uri(), available_range=available)
        reference.name = path.name
        return reference
    before, num_digits, after = media.pictures.name_parts
    return otio.schema.ImageSequenceReference(
        target_url_base=f"{media.pictures.folder.absolute().as_uri()}/",
        name_prefix=before,
        name_suffix=after,
        start_frame=0,
        frame_step=1,
        rate=rate,
        frame_zero_padding=num_digits,
        available_range=available,
    )


def _shot_facts(index: FaceIndex, shot: Shot) -> dict[str, Any]:
    """Return what the index knows of a shot: exact times, since a frame number at a constant rate is not one."""
    table = index.frames
    last = shot.stop - 1
    tracks = {face.track for frame in range(shot.start, shot.stop) for face in index.faces_at(frame)}
    return {
        "first_frame": shot.start,
        "first_pts": int(table.pts[shot.start]),
        "last_frame": last,
        "last_pts": int(table.pts[last]),
        "face_tracks": sorted(tracks),
    }


def write_timeline(path: Path, content: TimelineContent) -> TimelineFiles:
    """Write `path` (.otio) and, beside it, every other format whose adapter is installed and can hold it.

    Raises:
        UsageError: OpenTimelineIO is not installed. ResourceError: disk full.
    """
    otio = open_otio()
    with disk_errors_named(path):
        write_atomic(path, f"{otio.adapters.write_to_string(build_timeline(content), 'otio_json')}\n".encode())
    paths, notes = [path], []
    known = set(otio.adapters.available_adapter_names())
    for suffix, (adapter, title) in _ADAPTERS.items():
        if adapter not in known:
            notes.append(f"no {title} was written: its adapter is not installed; pip install 'faceswap[interchange]'")
            continue
        try:
            text = otio.adapters.write_to_string(_fitted(otio, content, adapter), adapter)
        except Exception as error:  # adapters raise whatever they like; the .otio file is there
            notes.append(f"no {title} was written: its adapter cannot hold this timeline ({error})")
            continue
        with disk_errors_named(path):
            write_atomic(path.with_suffix(suffix), text.encode())
        paths.append(path.with_suffix(suffix))
    return TimelineFiles(tuple(paths), tuple(notes))


def _fitted(otio: ModuleType, content: TimelineContent, adapter: str) -> Any:
    """Return the timeline as an adapter can take it."""
    if adapter == "fcpx_xml" and content.info.rate not in _FCPX_RATES:
        allowed = ", ".join(map(str, sorted(_FCPX_RATES)))
        raise UsageError(f"it writes {allowed} frames a second rightly, the clip has {float(content.info.rate):.3f}")
    timeline = build_timeline(content, is_plain=True)
    if adapter != "cmx_3600":
        return timeline
    # An EDL holds one track: the finished picture, or what comes nearest.
    shown = otio.schema.Timeline(name=timeline.name, global_start_time=timeline.global_start_time)
    shown.tracks.append([track for track in timeline.video_tracks() if track.enabled][-1].deepcopy())
    return shown
