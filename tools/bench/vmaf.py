"""VMAF of a clip against another, by the FFmpeg program of `imageio-ffmpeg` (extra `ffmpeg`)."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from faceswap.errors import UsageError

_SCORE = re.compile(r"VMAF score: ([\d.]+)")


def vmaf(reference: Path, distorted: Path) -> float:
    """Return the mean VMAF of a clip against another of the same size and frame count: 0 to 100, 100 = the same.

    Raises:
        UsageError: FFmpeg cannot compare them, or the extra is not installed.
    """
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise UsageError('VMAF needs imageio-ffmpeg, which is not installed: pip install "faceswap[ffmpeg]"') from error
    # Frame by frame: containers may start the two at different times.
    graph = f"[0:v]setpts=N[a];[1:v]setpts=N[b];[a][b]libvmaf=n_threads={os.cpu_count() or 1}"
    inputs = [word for path in (distorted, reference) for word in ("-i", f"file:{path.absolute()}")]
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-hide_banner",
        "-nostdin",
        "-nostats",
        *inputs,
        "-filter_complex",
        graph,
    ]
    done = subprocess.run([*command, "-f", "null", "-"], capture_output=True, text=True, errors="replace", check=False)
    found = _SCORE.findall(done.stderr)
    if done.returncode or not found:
        reason = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise UsageError(f"{distorted} cannot be compared with {reference}: {reason}")
    return float(found[-1])
