"""One job of `render.py` in a process of its own: `render_jobs.py KIND CLIP OUTPUT PRESET [--sample]`; prints one JSON line."""

from __future__ import annotations

import json
import queue
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from faceswap.errors import UsageError
from faceswap.media.encode_plan import EncodeSettings, plan_encode
from faceswap.media.probe import probe

_SECONDS_BETWEEN_SAMPLES = 0.25
_QUEUE_DEPTH = 12
_MAX_TIME_ERROR = 0.001
"""Seconds."""


def main(kind: str, clip: Path, output: Path, preset: str, is_sampled: bool) -> None:
    info = probe(clip)
    jobs = {
        "index": make_index,
        "convert": convert,
        "smart": convert,
        "pyav": transcode_pyav,
        "ffmpeg": transcode_ffmpeg,
    }
    job = Sampled(clip, output, preset, is_smart=kind == "smart", is_sampled=is_sampled)
    measured = jobs[kind](job)
    height, width = info.size
    print(json.dumps({**measured, "size": f"{width}x{height}", "peak_rss_mb": peak_mb(), **job.samples()}))


class Sampled:
    """What one job works on, and the memory it took over time, by stage."""

    def __init__(self, clip: Path, output: Path, preset: str, *, is_smart: bool, is_sampled: bool) -> None:
        self.clip, self.output, self.preset, self.is_smart = clip, output, preset, is_smart
        self.stage = ""
        self._rss: dict[str, list[float]] = {}
        self._is_sampled = is_sampled
        if is_sampled:
            threading.Thread(target=self._sample_on, daemon=True).start()

    @property
    def options(self) -> dict[str, str]:
        """The encoder's options as a conversion sets them."""
        return dict(plan_encode(probe(self.clip), self.output, EncodeSettings(preset=self.preset)).options)

    def samples(self) -> dict[str, Any]:
        return {"rss_mb": self._rss} if self._rss else {}

    def enter(self, stage: str) -> None:
        """Note which stage runs; "" = none that is measured. Even the shortest gives one sample."""
        if stage != self.stage:
            self.stage = stage
            if self._is_sampled:
                self._sample()

    def _sample_on(self) -> None:
        while True:
            self._sample()
            time.sleep(_SECONDS_BETWEEN_SAMPLES)

    def _sample(self) -> None:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        if stage := self.stage:
            self._rss.setdefault(stage, []).append(round(pages * resource.getpagesize() / 2**20, 1))


def peak_mb() -> int:
    """Of this process and those it has waited for, whichever was larger."""
    # `getrusage` of this very process would count what its parent held when it was started.
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    own = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return round(max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024)


def cpu_seconds() -> float:
    usages = [resource.getrusage(user) for user in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def make_index(job: Sampled) -> dict[str, Any]:
    """Find the faces and keep the index where conversions into the output's folder look for it."""
    from faceswap.convert.plan import plan_convert
    from faceswap.faces.analyse import analyse
    from faceswap.faces.cache import load_index
    from faceswap.faces.registry import make_detector
    from faceswap.media.reader import VideoReader

    detector = make_detector("centerface")
    plan = plan_convert(job.clip, identity_model(), job.output, overwrite=True, detector=detector.name)
    if not plan.has_index:
        analyse(VideoReader(job.clip), detector, min_face_px=plan.config.min_face_px).save(plan.index_path)
    index = load_index(plan.index_path, plan.fingerprint, detector.name, plan.config.min_face_px)
    assert index is not None
    return {"frames": index.num_frames}


def check_copies(source: Path, output: Path) -> int:
    """Decode source and output and compare each frame that `copy_untouched` had to copy, bit for bit; return their number.

    Raises:
        ValueError: one differs, or the clips have not the same times.
    """
    from faceswap import ConvertConfig
    from faceswap.convert.pipeline import cast_clip
    from faceswap.convert.plan import plan_convert
    from faceswap.convert.select import chosen_faces
    from faceswap.convert.smart import plan_copies
    from faceswap.faces.index import FaceIndex
    from faceswap.media.digest import frame_digest
    from faceswap.media.reader import VideoReader

    plan = plan_convert(source, identity_model(), output, config=ConvertConfig(copy_untouched=True), overwrite=True)
    index = FaceIndex.load(plan.index_path)
    chosen, _ = chosen_faces(index, cast_clip(plan, [identity_model()], index), plan.config.choice)
    runs = plan_copies(plan.info, plan.encode, index.frames, chosen.keys()).runs
    copied = {frame for start, stop, is_copied in runs if is_copied for frame in range(start, stop)}
    for old, new in zip(VideoReader(source), VideoReader(output), strict=True):
        if abs(old.time.seconds - new.time.seconds) > _MAX_TIME_ERROR:
            raise ValueError(f"frame {old.index} is at {new.time.seconds} s, not at {old.time.seconds} s")
        if old.index in copied and frame_digest(old) != frame_digest(new):
            raise ValueError(f"frame {old.index} was copied and decodes to another picture")
    return len(copied)


def convert(job: Sampled) -> dict[str, Any]:
    """Convert with a model that gives its input back."""
    from faceswap import ConvertConfig, convert_clip
    from faceswap.faces.registry import make_detector
    from faceswap.progress import Progress

    def on_progress(progress: Progress) -> None:
        job.enter(progress.stage)

    config = ConvertConfig(preset=job.preset, copy_untouched=job.is_smart)
    model, detector = identity_model(), make_detector("centerface")
    start, cpu = time.perf_counter(), cpu_seconds()
    report = convert_clip(
        job.clip, model, job.output, config=config, overwrite=True, detector=detector, on_progress=on_progress
    )
    job.enter("")
    return {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": cpu_seconds() - cpu,
        "frames": report.frames,
        "faces": report.faces,
        "copied": report.frames_copied,
        "has_reused_index": report.has_reused_index,
        "notes": report.notes,
        "ms_per_frame": dict(report.ms_per_frame),
    }


def identity_model() -> Any:
    """Return a swap model whose network does nothing."""
    import torch

    from faceswap.device import choose_compute
    from faceswap.models.network import SwapNetwork
    from faceswap.models.spec import CropSettings, NetworkSpec, SwapSpec
    from faceswap.models.swap_model import SwapModel
    from faceswap.provenance.consent import Subject, new_record

    class Identity(SwapNetwork):
        def forward(self, patches: torch.Tensor, identity: int) -> tuple[torch.Tensor, torch.Tensor]:
            return patches, torch.ones_like(patches[:, :1])

    spec = SwapSpec(network=NetworkSpec(size=64), crop=CropSettings(), identities=("same",))
    nobody = new_record(
        Subject(name="same", adult_attested=True), "public_domain", "bench", reason="shows no other face"
    )
    return SwapModel(spec, Identity(), choose_compute("cpu", "fp32"), "0" * 64, consents={"same": (nobody,)})


def transcode_pyav(job: Sampled) -> dict[str, Any]:
    """Decode and encode with PyAV, each with its own threads, the encoder fed through a queue."""
    import av

    options = job.options
    start, cpu = time.perf_counter(), cpu_seconds()
    with av.open(str(job.clip)) as source, av.open(str(job.output), "w") as target:
        stream = source.streams.video[0]
        stream.thread_type = "AUTO"
        copy = target.add_stream("libx264", rate=stream.average_rate)
        copy.width, copy.height, copy.pix_fmt = stream.width, stream.height, stream.pix_fmt
        copy.time_base = copy.codec_context.time_base = stream.time_base
        copy.codec_context.thread_type = "AUTO"
        copy.options = options
        waiting: queue.Queue[Any] = queue.Queue(_QUEUE_DEPTH)

        def encode() -> None:
            while (frame := waiting.get()) is not None:
                frame.pict_type = 0
                target.mux(copy.encode(frame))
            target.mux(copy.encode(None))

        thread = threading.Thread(target=encode)
        thread.start()
        frames = 0
        for frame in source.decode(stream):
            waiting.put(frame)
            frames += 1
        waiting.put(None)
        thread.join()
    return {"seconds": time.perf_counter() - start, "cpu_seconds": cpu_seconds() - cpu, "frames": frames}


def transcode_ffmpeg(job: Sampled) -> dict[str, Any]:
    """Decode and encode with FFmpeg's program."""
    import imageio_ffmpeg

    options = [word for name, value in job.options.items() for word in (f"-{name}", value)]
    program = imageio_ffmpeg.get_ffmpeg_exe()
    start, cpu = time.perf_counter(), cpu_seconds()
    subprocess.run(
        [program, "-loglevel", "error", "-y", "-i", str(job.clip), "-c:v", "libx264", *options, str(job.output)],
        check=True,
    )
    return {"seconds": time.perf_counter() - start, "cpu_seconds": cpu_seconds() - cpu}


def quality(source: Path, output: Path) -> float | None:
    """Return the VMAF of a converted clip against its source; None without the extra `ffmpeg`."""
    from vmaf import vmaf

    try:
        return round(vmaf(source, output), 2)
    except UsageError as error:
        print(error, file=sys.stderr)
        return None


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4], "--sample" in sys.argv)
