"""Side jobs for the FFmpeg program: a user's filter over a clip's picture, and VMAF.

Frames never pass through it one by one: a filtered picture becomes a lossless clip (FFV1) in the job's folder, which is
then read like any other. MP4 holds it, since only that keeps times (at the source's own ticks), colour tags with their
range, pixel aspect and rotation: NUT loses the tags, Matroska rounds times to milliseconds, MOV loses the range.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from faceswap.errors import InterruptedRunError, ResourceError, UsageError
from faceswap.files import fingerprint, remove_stale_temporaries, short_name, sync_file, sync_folder, temporary_beside
from faceswap.interrupt import StopRequest
from faceswap.media.marks import packet_times
from faceswap.media.probe import ClipInfo, probe
from faceswap.progress import OnProgress, Progress, ignore_progress

_INPUT = {"protocol_whitelist": "file,crypto,data"}
_MAX_TIME_ERROR = 0.001
"""Seconds."""
_MAX_LOST = 0.01
"""Share of the source's frames that may be missing afterwards: damaged ones, and those outside its edit list."""
_GENERAL = re.compile(
    r"^(error (opening|initializing|while opening|sending|submitting|marking|reinitializing|configuring|applying)"
    r"|conversion failed|nothing was written|task finished|terminating thread|failed to|could not open encoder"
    r"|last message repeated|at least one output|exiting)",
    re.IGNORECASE,
)
"""Lines that say that something failed, not what."""
_PREFIX = re.compile(r"^\[[^\]]* @ 0x[0-9a-f]+\]\s*|^\[[a-z]+#[^\]]*\]\s*")
_VMAF = re.compile(r"VMAF score: ([\d.]+)")


def filtered_clip(
    source: Path,
    graph: str,
    folder: Path,
    *,
    video_stream: int | None = None,
    on_progress: OnProgress = ignore_progress,
    stop: StopRequest | None = None,
) -> Path:
    """Return a lossless clip of `source`'s picture after an FFmpeg filter; made once, then found again.

    Args:
        graph: a filter chain with one picture in and one out, e.g. "bwdif,hqdn3d".
        video_stream: number among the source's video streams; None = FFmpeg's best.
        folder: where the clip is kept; made if missing. Its name holds source, filter and FFmpeg's version.

    Raises:
        UsageError: the filter fails or changes the frames' times, or the extra is not installed.
        ResourceError: disk full. InterruptedRunError: `stop` was set; nothing is left.
    """
    if not graph.strip() or "://" in graph:
        raise UsageError(
            f"--ffmpeg-filter {graph!r}: a chain of FFmpeg filters is needed, such as bwdif or hqdn3d, without URLs"
        )
    ffmpeg, program, version = _tools()
    info = probe(source, video_stream)
    key = hashlib.sha256("\n".join((fingerprint(source), str(info.video_stream), graph, version)).encode()).hexdigest()
    result = folder / f"{short_name(source.stem)}-{key[:12]}.filtered.mp4"
    if result.exists():
        return result
    folder.mkdir(parents=True, exist_ok=True)
    remove_stale_temporaries(result)
    temporary = temporary_beside(result)
    arguments = _filter_arguments(ffmpeg, program, info, graph, temporary)
    try:
        _run(arguments, f"the filter {graph!r} failed on {source}", _frame_reports(info, on_progress), stop)
        _check_times(source, info.video_stream, temporary, graph)
        sync_file(temporary)
        os.replace(temporary, result)
        sync_folder(folder)
    finally:
        temporary.unlink(missing_ok=True)
    return result


def vmaf(reference: Path, distorted: Path) -> float:
    """Return the mean VMAF of a clip against another of the same size and frame count: 0 to 100, 100 = the same.

    Raises:
        UsageError: FFmpeg cannot compare them, or the extra is not installed.
    """
    ffmpeg, program, _ = _tools()
    # Frame by frame: containers may start the two at different times.
    pictures = [ffmpeg.input(_file(path), **_INPUT).video.filter("setpts", "N") for path in (distorted, reference)]
    compared = ffmpeg.filter(pictures, "libvmaf", n_threads=os.cpu_count() or 1)
    arguments = compared.output("pipe:", format="null", loglevel="info").compile(cmd=program)
    text = _run([*arguments, "-hide_banner", "-nostdin"], f"{distorted} cannot be compared with {reference}")
    found = _VMAF.findall(text)
    if not found:
        raise UsageError(f"{distorted} cannot be compared with {reference}: FFmpeg gave no VMAF score")
    return float(found[-1])


def _tools() -> tuple[Any, str, str]:
    """Return ffmpeg-python, the program and its version."""
    try:
        import ffmpeg
        import imageio_ffmpeg
    except ImportError as error:
        raise UsageError(
            f"FFmpeg's filters need {error.name or 'another package'}, which is not installed: "
            'pip install "faceswap[ffmpeg]"'
        ) from error
    return ffmpeg, imageio_ffmpeg.get_ffmpeg_exe(), imageio_ffmpeg.get_ffmpeg_version()


def _file(path: Path) -> str:
    return f"file:{path.absolute()}"


def _filter_arguments(ffmpeg: Any, program: str, info: ClipInfo, graph: str, output: Path) -> list[str]:
    picture = ffmpeg.input(_file(info.path), copyts=None, noautorotate=None, **_INPUT)[str(info.stream_index)]
    job = picture.output(
        _file(output),
        format="mp4",
        vf=graph,
        vcodec="ffv1",
        level=3,
        fps_mode="passthrough",
        enc_time_base="demux",
        video_track_timescale=info.time_base.denominator,
        map_metadata=-1,
        loglevel="error",
        progress="pipe:1",
    )
    return [*job.compile(cmd=program, overwrite_output=True), "-hide_banner", "-nostdin"]


def _frame_reports(info: ClipInfo, on_progress: OnProgress) -> Callable[[str], None]:
    def read(line: str) -> None:
        name, _, value = line.partition("=")
        if name == "frame" and value.strip().isdigit():
            on_progress(Progress("filter", int(value), info.num_frames))

    return read


def _run(
    arguments: list[str],
    failure: str,
    on_line: Callable[[str], None] | None = None,
    stop: StopRequest | None = None,
) -> str:
    """Run the program without a shell; return what it wrote to stderr."""
    with tempfile.TemporaryFile("w+", errors="replace") as log, _child(arguments, log) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if on_line is not None:
                on_line(line)
            if stop:
                raise InterruptedRunError(
                    "stopped while FFmpeg ran; repeat the command to start again", stop.signal_number
                )
        code = child.wait()
        log.seek(0)
        text = log.read()
    if code:
        reason = _reason(text, code)
        kind = ResourceError if "no space left" in reason.lower() else UsageError
        raise kind(f"{failure}: {reason}")
    return text


@contextlib.contextmanager
def _child(arguments: list[str], log: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a process that does not outlive the block."""
    child = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        yield child
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()


def _reason(text: str, code: int) -> str:
    """Return the last line that says what is wrong."""
    if code < 0:
        return f"FFmpeg was ended by signal {-code}"
    lines = [_PREFIX.sub("", _PREFIX.sub("", line.strip())) for line in text.splitlines()]
    telling = [line for line in lines if line and not _GENERAL.match(line)]
    return (telling or [line for line in lines if line] or [f"FFmpeg ended with code {code}"])[-1].rstrip(".")


def _check_times(source: Path, video_stream: int, filtered: Path, graph: str) -> None:
    """Refuse a filter that moves, adds or drops frames: sound and subtitles would no longer fit."""
    old, new = packet_times(source, video_stream), packet_times(filtered)
    known = {round(float(time) / _MAX_TIME_ERROR) for time in old}
    moved = [time for time in new if not known & set(_around(float(time) / _MAX_TIME_ERROR))]
    if moved or len(new) < len(old) * (1 - _MAX_LOST) - 2 or len(new) > len(old):
        raise UsageError(
            f"the filter {graph!r} changes the times of frames ({len(old)} frames before, {len(new)} after, "
            f"{len(moved)} at new times); only filters that keep them are allowed, such as bwdif=send_frame or hqdn3d"
        )


def _around(value: float) -> tuple[int, int, int]:
    middle = round(value)
    return middle - 1, middle, middle + 1
