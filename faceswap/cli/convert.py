"""`faceswap convert`: a clip in, a swapped and marked clip out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from faceswap.cli.command import Run, command, examples
from faceswap.cli.networks import DetectorOption, LandmarksOption, RefineOption, chosen_detector

if TYPE_CHECKING:
    from faceswap.convert.plan import ConvertPlan
    from faceswap.convert.report import ConvertReport


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(
        app,
        examples(
            "faceswap convert scene.mp4 -m models/data",
            "faceswap convert scene.mov -m models/data -o out.mkv --to data-tng --codec h265 --crf 16 --preset slow",
            "faceswap convert scene.mov -m models/data -o out.mov --codec prores --deliver clip,overlay,matte,otio",
            "faceswap convert scene.mov -m models/data -o frames --codec exr",
            "faceswap convert film.mkv -m models/data --copy-untouched --jobs 4",
            "faceswap convert scene.mp4 -m models/data --shots 3,7-9",
            "faceswap convert scene.mp4 -m models/data --start 00:01:02:12 --end 1:30",
        ),
    )
    def convert(
        run: Run,
        input_path: Annotated[
            Path, typer.Argument(metavar="INPUT", help="The target: footage that receives the face.")
        ],
        model: Annotated[Path, typer.Option("--model", "-m", help="Model folder.")],
        output: Annotated[
            Path | None, typer.Option("--output", "-o", help="Output file; default: INPUT_swapped.")
        ] = None,
        to: Annotated[
            str | None, typer.Option(help="Identity whose face will appear; default: the model's source.")
        ] = None,
        codec: Annotated[
            str | None,
            typer.Option(
                help="Encoder: h264 [default], h265, av1, prores, prores4444, dnxhr, ffv1, mjpeg, h264_nvenc ..., or "
                "png, tiff, exr."
            ),
        ] = None,
        crf: Annotated[
            float | None, typer.Option(help="Constant quality on the encoder's own scale; lower is better.")
        ] = None,
        preset: Annotated[str | None, typer.Option(help="Speed of the encoder, e.g. veryfast.")] = None,
        profile: Annotated[
            str | None, typer.Option(help="Flavour: ProRes proxy lt 422 hq 4444, DNxHR lb sq hq hqx 444.")
        ] = None,
        pix_fmt: Annotated[str | None, typer.Option(help="Pixel format; default: the input's.")] = None,
        deliver: Annotated[
            str,
            typer.Option(help="What to write, comma list: clip, overlay, matte, raw (all .mov beside it), otio."),
        ] = "clip",
        faces: Annotated[str, typer.Option(help="main = the largest person of each shot; all = everybody.")] = "main",
        match: Annotated[str, typer.Option(help="Colour match: mkl or none.")] = "mkl",
        feather: Annotated[float | None, typer.Option(help="Width of the mask's soft edge, share of the crop.")] = None,
        erode: Annotated[float | None, typer.Option(help="How much the mask is shrunk, share of the crop.")] = None,
        min_face: Annotated[
            int | None, typer.Option(help="Leave faces smaller than this, px, as they are [24].")
        ] = None,
        detector: DetectorOption = "centerface",
        landmarks: LandmarksOption = None,
        refine: RefineOption = 1,
        interlaced: Annotated[
            str, typer.Option(help="First field: tff, bff; progressive = both show the same moment; auto = as tagged.")
        ] = "auto",
        copy_untouched: Annotated[
            bool,
            typer.Option("--copy-untouched", help="Copy the input's own pictures wherever no face is swapped."),
        ] = False,
        jobs: Annotated[
            int | None,
            typer.Option(min=1, help="Processes that render at once [one for 4 cores]; the output is the same."),
        ] = None,
        video_stream: Annotated[
            int | None, typer.Option(help="Which of several video streams to convert, from 0; default: the best.")
        ] = None,
        shots: Annotated[
            str | None, typer.Option(help="Swap these shots only, like 3,7-9 (`faceswap shots` lists them).")
        ] = None,
        start: Annotated[
            str | None, typer.Option(help="Swap from here: 00:01:02:12, 1:02.5, 62.5s, frame 1550 or pts:90000.")
        ] = None,
        end: Annotated[str | None, typer.Option(help="Swap up to here, not included; written like --start.")] = None,
        trim: Annotated[
            bool, typer.Option("--trim", help="Write only the span from the first to the last chosen frame.")
        ] = False,
        ffmpeg_filter: Annotated[
            str | None,
            typer.Option(
                metavar="GRAPH", help="FFmpeg filters for the whole picture first, e.g. bwdif (extra: ffmpeg)."
            ),
        ] = None,
        overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an output that exists.")] = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Print the plan and stop.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="JSON Lines on stdout; the last is the summary.")] = False,
    ) -> None:
        """Swap the faces of a clip with a trained model."""
        from faceswap.config import validated
        from faceswap.convert.config import ConvertConfig
        from faceswap.convert.pipeline import convert_clip
        from faceswap.convert.plan import plan_convert
        from faceswap.convert.workers import suggested_jobs
        from faceswap.models.swap_model import SwapModel

        os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 prints twenty lines otherwise; this way errors only
        run.console.is_json = as_json
        given = {
            "faces": faces,
            "match": match,
            "feather": feather,
            "erode": erode,
            "min_face_px": min_face,
            "codec": codec,
            "crf": crf,
            "preset": preset,
            "profile": profile,
            "pix_fmt": pix_fmt,
            "interlaced": interlaced,
            "deliver": deliver,
            "copy_untouched": copy_untouched,
            "video_stream": video_stream,
            "shots": shots,
            "start": start,
            "end": end,
            "trim": trim,
            "ffmpeg_filter": ffmpeg_filter,
        }
        config = validated(ConvertConfig, {k: v for k, v in given.items() if v is not None}, "convert")
        loaded = SwapModel.load(model, device=run.device)
        for reason in loaded.rejected:
            run.console.note(f"passed over: {reason}")
        method = chosen_detector(detector, landmarks, refine, run.device)
        if dry_run:
            plan = plan_convert(
                input_path, loaded, output, to=to, config=config, overwrite=overwrite, detector=method.name
            )
            run.console.result(_plan_text(plan, loaded))
            run.console.event("plan", **_plan_values(plan, loaded))
            return
        report = convert_clip(
            input_path,
            loaded,
            output,
            to=to,
            config=config,
            overwrite=overwrite,
            device=run.device,
            detector=method,
            jobs=jobs or suggested_jobs(),
            on_progress=run.console.on_progress,
        )
        for text in report.notes:
            run.console.note(f"note: {text}")
        run.console.result(_summary(report))
        run.console.event("summary", **report.to_json())
        if not report.is_complete:
            raise typer.Exit(4)


def _plan_values(plan: ConvertPlan, model: object) -> dict[str, object]:
    height, width = plan.info.size
    return {
        "input": str(plan.input),
        "picture": f"{width}x{height} {plan.info.layout.name}, {float(plan.info.rate):.3f} fps, {plan.info.codec}",
        "color": f"{plan.info.color.matrix}, {'full' if plan.info.color.full_range else 'studio'} range",
        "model": str(model),
        "to": plan.identity,
        "faces": "reuse the index" if plan.has_index else "analyse the clip",
        "encode": f"{plan.encode.codec} {plan.encode.pix_fmt} "
        + " ".join(f"{key}={value}" for key, value in plan.encode.options.items()),
        "frames": _chosen(plan),
        "output": str(plan.output),
        "notes": list(plan.notes),
    }


def _chosen(plan: ConvertPlan) -> str:
    """Return which frames are swapped and written, checked as far as the clip is known."""
    config = plan.config
    words = [
        f"{name} {value}"
        for name, value in (("shots", config.shots), ("from", config.start), ("to", config.end))
        if value
    ]
    words += ["only these are written"] if config.trim else []
    words += [f"after the filter {config.ffmpeg_filter}"] if config.ffmpeg_filter else []
    if plan.has_index and not config.choice.is_everything:
        from faceswap.faces.index import FaceIndex

        ranges = config.choice.ranges(FaceIndex.load(plan.index_path))
        words.append("frames " + ", ".join(f"{start}-{stop - 1}" for start, stop in ranges))
    return ", ".join(words) or "all"


def _plan_text(plan: ConvertPlan, model: object) -> str:
    values = _plan_values(plan, model)
    notes = values.pop("notes")
    assert isinstance(notes, list)
    return "\n".join(
        [f"{key:>8}: {value}" for key, value in values.items()] + [f"{'note':>8}: {note}" for note in notes]
    )


def _summary(report: ConvertReport) -> str:
    stages = ", ".join(f"{stage} {ms:.1f}" for stage, ms in report.ms_per_frame.items())
    skipped = "".join(f", {count} {what} left as they were" for what, count in report.skipped.items())
    copied = f", {report.frames_copied} frames copied from the input" if report.frames_copied else ""
    resumed = f", {report.frames_resumed} finished before" if report.frames_resumed else ""
    delivered = "\n".join(map(str, report.delivered))
    checked = ", ".join(f"{subject} {found}" for subject, found in report.checks.items())
    return (
        f"{report.frames} frames, {report.faces} faces swapped to {report.identity}{skipped}{copied}{resumed}; "
        f"{report.seconds:.1f} s, {report.fps:.1f} fps (ms a frame: {stages})\n"
        f"compared with the input: {checked}\n{delivered}"
    )
