"""How much slower is a conversion than decoding and encoding alone?

    python tools/bench/render.py                          # 1080p, 300 frames, against two bare transcodes
    python tools/bench/render.py --clip film.mkv --json out.json
    python tools/bench/render.py --smart                  # a person on screen a fifth of the time: --copy-untouched
    python tools/bench/render.py --memory                 # memory over 20,000 small, 2,400 HD and 600 large frames

The model gives its input back (64 px), so that what is measured is all the rest; the face index exists before the clock
starts. Each run is a fresh process that times its own work; the things compared alternate; medians are printed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import render_footage
import render_jobs

from faceswap.bench.run import circumstances

ROUNDS = 3
GOAL, SMART_GOAL = 1.25, 0.35
MEMORY_CLIPS = (((240, 320), 20_000), ((1080, 1920), 2_400), ((2160, 3840), 600))
TITLES = {
    "index": "face index",
    "convert": "faceswap convert",
    "smart": "  with copy_untouched",
    "pyav": "bare, PyAV",
    "ffmpeg": "bare, ffmpeg",
}


def main() -> None:
    arguments = read_arguments()
    work = Path(tempfile.mkdtemp(prefix="render-bench-", dir=arguments.work))
    conditions = circumstances("cpu")
    results: dict[str, Any] = {}
    if arguments.memory:
        for size, count in MEMORY_CLIPS:
            results[f"memory_{size[1]}x{size[0]}"] = measure_memory(work, size, arguments.frames or count)
    else:
        clip = arguments.clip or make_clip(work, arguments)
        kinds = ["convert", "smart"] if arguments.smart else ["convert", "pyav", "ffmpeg"]
        results["smart" if arguments.smart else "render"] = compare(work, clip, kinds, arguments)
    value = {"results": results, "circumstances": {**conditions, "commit": commit()}}
    if arguments.json:
        arguments.json.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def make_clip(work: Path, arguments: argparse.Namespace) -> Path:
    path, size, frames = work / "clip.mp4", arguments.size, arguments.frames or 300
    if arguments.smart:
        return render_footage.write_in_groups(path, size, frames, share=0.2)
    return render_footage.write(path, size, frames, share=1.0)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--size", type=size, default=(1080, 1920), help="WIDTHxHEIGHT of the generated clip [1920x1080]"
    )
    parser.add_argument(
        "--frames", type=int, help="length of the generated clips [300; --memory: 20,000, 2,400 and 600]"
    )
    parser.add_argument("--clip", type=Path, help="a clip to use instead")
    parser.add_argument("--preset", default="veryfast", help="of x264 [veryfast]")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"runs of each, at least 3 count [{ROUNDS}]")
    parser.add_argument("--smart", action="store_true", help="measure copy_untouched instead")
    parser.add_argument("--memory", action="store_true", help="measure memory over time instead")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--work", type=Path, help="folder for clips; default: the system's for temporary files")
    return parser.parse_args()


def size(text: str) -> tuple[int, int]:
    """(h, w) of "1920x1080"."""
    width, height = map(int, text.split("x"))
    return height, width


def compare(work: Path, clip: Path, kinds: list[str], arguments: argparse.Namespace) -> dict[str, Any]:
    """Run the kinds in turn; return and print their medians."""
    first = run("index", clip, work, arguments.preset)
    frames = first["frames"]
    runs: dict[str, list[dict[str, Any]]] = {kind: [] for kind in kinds}
    for _ in range(arguments.rounds):
        for kind in kinds:
            measured = run(kind, clip, work, arguments.preset)
            if not measured.get("has_reused_index", True):
                sys.exit(f"{TITLES[kind].strip()} analysed the clip again: its time says nothing")
            runs[kind].append(measured)
    table = {kind: summary(of_kind, frames) for kind, of_kind in runs.items()}
    print(f"{frames} frames, {first['size']}, x264 {arguments.preset} crf 18, median of {arguments.rounds}")
    for kind, row in table.items():
        print(
            f"{TITLES[kind]:<24}{row['fps']:7.2f} fps   {row['seconds']:7.2f} s (IQR {row['iqr']:.2f})   "
            f"CPU {row['cpu_seconds']:7.2f} s   peak {row['peak_rss_mb']:5d} MB"
        )
    convert = table["convert"]
    result: dict[str, Any] = {"frames": frames, "size": first["size"], "preset": arguments.preset, "crf": 18}
    result |= {"rounds": arguments.rounds, "runs": table, "ms_per_frame": runs["convert"][-1]["ms_per_frame"]}
    if "smart" in table:
        result["copied"] = copied_frames(clip, work / "smart.mp4", runs["smart"][-1])
        result["smart_over_full"] = ratio = round(table["smart"]["seconds"] / convert["seconds"], 3)
        print(f"copy_untouched takes {ratio:.1%} of the full time (goal: at most {SMART_GOAL:.0%})")
    else:
        result["over_bare_pyav"] = ratio = round(convert["seconds"] / table["pyav"]["seconds"], 3)
        result["over_bare_ffmpeg"] = round(convert["seconds"] / table["ffmpeg"]["seconds"], 3)
        result["cpu_over_bare_pyav"] = cpu = round(convert["cpu_seconds"] / table["pyav"]["cpu_seconds"], 3)
        result["vmaf"] = {kind: render_jobs.quality(clip, work / f"{kind}.mp4") for kind in kinds}
        print(f"time over bare PyAV {ratio:.2f} (goal: at most {GOAL}), CPU over bare PyAV {cpu:.2f}")
        print(f"time over bare ffmpeg {result['over_bare_ffmpeg']:.2f}")
        print(f"VMAF against the source: {', '.join(f'{kind} {value}' for kind, value in result['vmaf'].items())}")
    print("busy ms a frame: " + ", ".join(f"{stage} {ms:.1f}" for stage, ms in result["ms_per_frame"].items()))
    return result


def copied_frames(clip: Path, output: Path, measured: dict[str, Any]) -> int:
    """Return how many frames were copied, each compared with the source; print it."""
    if not measured["copied"]:
        reason = next((note for note in measured["notes"] if "copied" in note or "encoded" in note), "no reason given")
        print(f"no frame was copied: {reason}")
        return 0
    try:
        count = render_jobs.check_copies(clip, output)
    except ValueError as error:
        sys.exit(f"{output}: {error}")
    if count != measured["copied"]:
        sys.exit(f"{measured['copied']} frames are said to be copied, {count} should have been")
    print(f"{count} of {measured['frames']} frames were copied; each decodes to the source's very picture")
    return count


def run(kind: str, clip: Path, work: Path, preset: str, *, sample: bool = False) -> dict[str, Any]:
    """Do one job in a fresh process and return what it measured."""
    output = work / f"{kind}.mp4"
    command = [
        sys.executable,
        render_jobs.__file__,
        kind,
        str(clip),
        str(output),
        preset,
        *(["--sample"] if sample else []),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(
            f"the run of {TITLES[kind].strip()!r} failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}"
        )
    return json.loads(done.stdout.splitlines()[-1])


def summary(runs: list[dict[str, Any]], frames: int) -> dict[str, Any]:
    seconds = [each["seconds"] for each in runs]
    quarters = statistics.quantiles(seconds, n=4) if len(seconds) > 1 else seconds * 3
    median = statistics.median(seconds)
    return {
        "fps": round(frames / median, 2),
        "seconds": round(median, 3),
        "iqr": round(quarters[2] - quarters[0], 3),
        "cpu_seconds": round(statistics.median(each["cpu_seconds"] for each in runs), 2),
        "peak_rss_mb": max(each["peak_rss_mb"] for each in runs),
    }


def measure_memory(work: Path, size: tuple[int, int], count: int) -> dict[str, Any]:
    """Convert a long clip, analysis included; return the median memory of each quarter of the rendering."""
    clip = render_footage.write_repeated(work / f"memory-{size[0]}.mp4", size, count)
    start = time.perf_counter()
    measured = run("convert", clip, work, "ultrafast", sample=True)
    result: dict[str, Any] = {"frames": measured["frames"], "seconds": round(time.perf_counter() - start, 1)}
    print(f"{measured['frames']} frames, {measured['size']}, peak {measured['peak_rss_mb']} MB")
    for stage, values in measured["rss_mb"].items():
        quarters = list(quartered(values))
        result[stage.replace(" ", "_")] = quarters
        growth = quarters[3] / quarters[1] - 1
        print(
            f"  {stage:<12} MB by quarter: {', '.join(f'{value:.0f}' for value in quarters)}; last over second {growth:+.1%}"
        )
    clip.unlink()
    return {**result, "peak_rss_mb": measured["peak_rss_mb"]}


def quartered(values: list[float]) -> Iterator[float]:
    for quarter in range(4):
        part = values[len(values) * quarter // 4 : len(values) * (quarter + 1) // 4] or values[-1:]
        yield round(statistics.median(part), 1)


def commit() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
