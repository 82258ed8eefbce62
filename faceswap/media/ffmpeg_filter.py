"""A user's filter over a clip's picture, by the FFmpeg program.

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
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from faceswap.errors import InterruptedRunError, ResourceError, UnsupportedInputError, UsageError
from faceswap.files import fingerprint, remove_stale_temporaries, short_name, sync_file, sync_folder, temporary_beside
from faceswap.interrupt import StopRequest
from faceswap.media.decoding import DecodingPass
from faceswap.media.layouts import planar_name
from faceswap.media.marks import packet_times
from faceswap.media.probe import ClipInfo, probe
from faceswap.progress import OnProgress, Progress, ignore_progress

_INPUT = {"protocol_whitelist": "file,crypto,data"}
_MAX_TIME_ERROR = 0.001
"""Seconds."""
_MAX_DIFFERENCE = 0.005
"""Share of the frames that may be missing or elsewhere, and two: of damaged places FFmpeg makes more or less than we do."""
_GENERAL = re.compile(
    r"^(error (opening|initializing|while opening|sending|submitting|marking|reinitializing|configuring|applying)"
    r"|conversion failed|nothing was written|task finished|terminating thread|failed to|could not open encoder"
    r"|last message repeated|at least one output|exiting)",
    re.IGNORECASE,
)
"""Lines that say that something failed, not what."""
_PREFIX = re.compile(r"^\[[^\]]* @ 0x[0-9a-f]+\]\s*|^\[[a-z]+#[^\]]*\]\s*")
_DYING_WITH_US = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1 = PR_SET_PDEATHSIG; the program keeps it through exec
if os.getppid() == int(sys.argv[1]):  # otherwise we are gone already
    os.execv(sys.argv[2], sys.argv[2:])
"""
"""Becomes the program that it is given, which Linux then kills when the thread that started it ends, however that happens."""


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
        UnsupportedInputError: the picture changes its size or format on the way.
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
        _check_times(info, temporary, graph, on_progress, stop)
        sync_file(temporary)
        os.replace(temporary, result)
        sync_folder(folder)
    finally:
        temporary.unlink(missing_ok=True)
    return result


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
        **({"color_range": "pc"} if info.color.full_range and not info.layout.is_rgb else {}),
        movflags="+write_colr",  # also when only some of the colour tags are known
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


def _run(arguments: list[str], failure: str, on_line: Callable[[str], None], stop: StopRequest | None) -> None:
    """Run the program without a shell."""
    with tempfile.TemporaryFile("w+", errors="replace") as log, _child(arguments, log) as child:
        assert child.stdout is not None
        for line in child.stdout:
            on_line(line)
            _raise_if_stopped(stop)
        code = child.wait()
        _raise_if_stopped(stop)  # before the code: whoever stopped us may have stopped the program too
        log.seek(0)
        text = log.read()
    if code:
        reason = _reason(text, code)
        kind = ResourceError if "no space left" in reason.lower() else UsageError
        raise kind(f"{failure}: {reason}")


def _raise_if_stopped(stop: StopRequest | None) -> None:
    if stop:
        raise InterruptedRunError(
            "stopped while the filter ran; repeat the command to start it again", stop.signal_number
        )


@contextlib.contextmanager
def _child(arguments: list[str], log: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a program that does not outlive the block, nor (on Linux) this process, even if that is killed.

    A survivor would go on writing a file that nobody waits for. It would not notice by itself: FFmpeg goes on when its
    pipes are closed. A `preexec_fn` could ask for the signal too, but may deadlock when other threads run.
    """
    is_bound = sys.platform == "linux" and bool(sys.executable)
    if is_bound:
        arguments = [sys.executable, "-I", "-S", "-c", _DYING_WITH_US, str(os.getpid()), *arguments]
    child = subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        # Ctrl-C then ends it only through us. Where nothing binds it to us, Ctrl-C must still reach it.
        start_new_session=is_bound,
    )
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


def _check_times(info: ClipInfo, filtered: Path, graph: str, on_progress: OnProgress, stop: StopRequest | None) -> None:
    """Refuse a filter that moves, adds or drops frames: sound and subtitles would no longer fit."""
    old = _source_times(info, on_progress, stop)
    new = packet_times(filtered)  # a packet of FFV1 is a frame
    known = {round(time / _MAX_TIME_ERROR) for time in old}
    moved = [time for time in map(float, new) if not known & set(_around(time / _MAX_TIME_ERROR))]
    allowed = len(old) * _MAX_DIFFERENCE + 2
    if len(moved) > allowed or abs(len(new) - len(old)) > allowed:
        raise UsageError(
            f"the filter {graph!r} changes the times of frames ({len(old)} frames before, {len(new)} after, "
            f"{len(moved)} at new times); only filters that keep them are allowed, such as bwdif=send_frame or hqdn3d"
        )


def _source_times(info: ClipInfo, on_progress: OnProgress, stop: StopRequest | None) -> list[float]:
    """Seconds of each frame that decodes: packets also hold damaged ones and those outside the edit list."""
    times: list[float] = []
    for decoded, pts in DecodingPass(info).pictures():
        _raise_if_stopped(stop)
        if (decoded.height, decoded.width) != info.size or planar_name(decoded.format.name) != info.layout.name:
            # FFmpeg would stretch all to the size of the first, and nobody would know.
            raise UnsupportedInputError(
                f"{info.path}: the picture changes its size or format at frame {len(times)}; split the clip there"
            )
        times.append(float(pts * info.time_base))
        on_progress(Progress("filter check", len(times), info.num_frames))
    return times


def _around(value: float) -> tuple[int, int, int]:
    middle = round(value)
    return middle - 1, middle, middle + 1
