"""The colours of whole shots, gathered before rendering: the match of each track is settled once and cannot drift.

Some frames of each track, evenly over its shot, go through the network; what a match reads off them is averaged. It follows
from the clip and the settings alone, so that every process and every restart renders with the same numbers.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from faceswap.convert.feed import FrameFeed
from faceswap.convert.fields import engine_for
from faceswap.convert.match import Key, Looks
from faceswap.convert.workers import RenderJob
from faceswap.errors import InterruptedRunError
from faceswap.faces.index import FaceIndex
from faceswap.files import write_atomic
from faceswap.interrupt import StopRequest
from faceswap.media.reader import SeekableReader, VideoReader
from faceswap.progress import OnProgress, Progress, StageTimes

LOOKS_FILE = "colours.json"
"""Name in the work folder."""
NUM_SAMPLES = 12
"""Frames of each track in a shot that are looked at."""
_READ_THROUGH = 40
"""Frames that are decoded rather than jumped over: a seek leads back to a key frame, often further than that."""


def look_at_shots(
    job: RenderJob,
    index: FaceIndex,
    times: StageTimes,
    on_progress: OnProgress,
    reader: SeekableReader | None = None,
    stop: StopRequest | None = None,
) -> Looks:
    """Return the colours of every track and shot whose `match_over` is "shot"; nothing is read when there is none.

    Args:
        reader: gives the frames of the index; None = the clip, opened anew.

    Raises:
        InterruptedRunError: `stop` was set.
    """
    chosen = job.chosen(index)
    wanted = _samples(job, index)
    if not wanted:
        return {}
    reader = reader or VideoReader(job.plan.picture, job.plan.picture_stream)
    engine = job.engine(times)
    in_fields = engine_for(engine, job.plan.field_order, chosen, is_tagged=reader.info.field_order is not None)
    feed = FrameFeed(reader, index.frames, times)
    try:
        for number, (frame, keys) in enumerate(sorted(wanted.items()), start=1):
            is_near = 0 <= frame - feed.position <= _READ_THROUGH and feed.position >= 0
            *_, picture = feed.run(feed.position if is_near else frame, frame + 1)
            faces = [face for face in chosen[frame] if (index.shot_of(frame), face.track) in keys]
            in_fields.process([picture], [faces], [index.shot_of(frame)])
            on_progress(Progress("look at shots", number, len(wanted)))
            if stop:
                raise InterruptedRunError("stopped while looking at the shots; repeat the command", stop.signal_number)
    finally:
        feed.close()
    return engine.gathered


def _samples(job: RenderJob, index: FaceIndex) -> Mapping[int, set[Key]]:
    """Return which frames are looked at, and which tracks in them."""
    frames: dict[Key, list[int]] = defaultdict(list)
    for frame, faces in job.chosen(index).items():
        for face in faces:
            settings = job.settings.face(frame, face.track)
            if settings.match_over == "shot" and settings.match != "none":
                frames[index.shot_of(frame), face.track].append(frame)
    wanted: dict[int, set[Key]] = defaultdict(set)
    for key, of_key in frames.items():
        ordered = sorted(of_key)
        count = min(NUM_SAMPLES, len(ordered))
        for i in range(count):
            wanted[ordered[(2 * i + 1) * len(ordered) // (2 * count)]].add(key)
    return wanted


def write_looks(path: Path, looks: Looks) -> None:
    """Write looks as JSON: {kind: [{shot, track, values []}]}; numbers come back as they are, bit for bit."""
    document = {
        kind: [{"shot": shot, "track": track, "values": seen.tolist()} for (shot, track), seen in of_kind.items()]
        for kind, of_kind in looks.items()
    }
    write_atomic(path, json.dumps(document).encode())


def read_looks(path: Path) -> Looks | None:
    """Return the looks of a file; None when it is not there or damaged."""
    try:
        document = json.loads(path.read_bytes())
        return {
            kind: {(row["shot"], row["track"]): np.array(row["values"], dtype=np.float64) for row in rows}
            for kind, rows in document.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
