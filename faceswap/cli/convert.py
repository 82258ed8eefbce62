"""`faceswap convert`: a clip in, a swapped and marked clip out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from faceswap.cli.command import Run, command, examples
from faceswap.cli.networks import DetectorOption, LandmarksOption, RefineOption, chosen_detector


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
            "faceswap convert scene.mp4 -m models/data --keep eyes,mouth --mask painted",
            "faceswap convert scene.mp4 -m models/data --start 00:01:02:12 --end 1:30",
            "faceswap convert scene.mp4 -m models/data --auto",
            "faceswap convert scene.mp4 -m models/data --track 3,7",
            "faceswap convert scene.mp4 -m models/data --person picard.jpg --id-encoder arcface.onnx",
            "faceswap convert scene.mp4 -m models/a -m models/b --map alice=data-tng,track:4=picard",
        ),
    )
    def convert(
        run: Run,
        input_path: Annotated[
            Path, typer.Argument(metavar="INPUT", help="The target: footage that receives the face.")
        ],
        model: Annotated[list[Path], typer.Option("--model", "-m", help="Model folder; several with --map or --auto.")],
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
        faces: Annotated[
            str | None,
            typer.Option(help="Whom to swap: main, all or auto [auto if several people are seen at once, else main]."),
        ] = None,
        largest: Annotated[
            bool, typer.Option("--largest", help="Swap the largest person of each shot (--faces main).")
        ] = False,
        auto: Annotated[
            bool,
            typer.Option("--auto", help="Swap whom the model takes for one of its other identities (--faces auto)."),
        ] = False,
        track: Annotated[
            str | None, typer.Option(help="Swap these tracks, like 3,7 (`faceswap index show` lists them).")
        ] = None,
        person: Annotated[
            list[str] | None,
            typer.Option(help="Picture of the person to swap; or NAME=PICTURE for --map. May be repeated."),
        ] = None,
        cast: Annotated[
            str | None,
            typer.Option(
                "--map", help="Who becomes whom: WHO=IDENTITY,...; WHO: a name, track:N or an identity on screen."
            ),
        ] = None,
        id_encoder: Annotated[
            str | None, typer.Option(help="Network that tells people apart, for --person: an .onnx file or a name.")
        ] = None,
        min_cosine: Annotated[
            float | None, typer.Option(help="How alike a track and --person must be, -1 to 1 [0.35].")
        ] = None,
        match: Annotated[str, typer.Option(help="Colour match: mkl, reinhard, mean or none.")] = "mkl",
        sharpness: Annotated[
            float | None, typer.Option(help="How far the face is made as sharp as the footage, 0 to 1 [1].")
        ] = None,
        grain: Annotated[str, typer.Option(help="match = the footage's grain on the face too; off.")] = "match",
        light: Annotated[
            float | None, typer.Option(help="How far the light across the face is the footage's own, 0 to 1 [1].")
        ] = None,
        feather: Annotated[float | None, typer.Option(help="Width of the mask's soft edge, share of the crop.")] = None,
        erode: Annotated[float | None, typer.Option(help="How much the mask is shrunk, share of the crop.")] = None,
        keep: Annotated[
            str | None,
            typer.Option(help="Parts that stay the actor's own, comma list: eyes, mouth, brows, nose, teeth."),
        ] = None,
        occlusion: Annotated[
            str, typer.Option(help="Hands, hair, microphones before the face: auto = they stay in front; off.")
        ] = "auto",
        segmenter: Annotated[
            str | None, typer.Option(metavar="FILE.onnx", help="Network that marks the face: XSeg or face parsing.")
        ] = None,
        glasses: Annotated[
            bool, typer.Option(help="With a face parsing segmenter: glasses are swapped with the face.")
        ] = True,
        mask: Annotated[
            str | None,
            typer.Option(
                metavar="FOLDER|PNG",
                help="Painted masks, white = swap: PNG files named by frame number (key frames will do), or one for all.",
            ),
        ] = None,
        mask_use: Annotated[
            str, typer.Option(help="multiply = painted masks only take away; replace = they are the masks.")
        ] = "multiply",
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
        figures: Annotated[
            bool, typer.Option("--figures/--no-figures", help="Measure the result in a few places.")
        ] = True,
        strict: Annotated[
            bool, typer.Option("--strict", help="Exit with 4 when the figures of a shot are poor.")
        ] = False,
        overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an output that exists.")] = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Print the plan and stop.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="JSON Lines on stdout; the last is the summary.")] = False,
    ) -> None:
        """Swap the faces of a clip with a trained model."""
        from faceswap.cli.convert_words import plan_text, plan_values, summary
        from faceswap.config import validated
        from faceswap.convert.config import ConvertConfig
        from faceswap.convert.pipeline import convert_clip
        from faceswap.convert.plan import plan_convert
        from faceswap.convert.workers import suggested_jobs
        from faceswap.faces.registry import make_encoder
        from faceswap.models.swap_model import SwapModel

        os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 prints twenty lines otherwise; this way errors only
        run.console.is_json = as_json
        given = {
            "faces": _whom(faces, largest, auto),
            "track": track,
            "person": tuple(person) if person else None,
            "map": cast,
            "min_cosine": min_cosine,
            "match": match,
            "light": light,
            "sharpness": sharpness,
            "grain": grain,
            "feather": feather,
            "erode": erode,
            "keep": keep,
            "occlusion": occlusion,
            "segmenter": segmenter,
            "glasses": glasses,
            "mask": mask,
            "mask_use": mask_use,
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
            "figures": figures or strict,
        }
        config = validated(ConvertConfig, {k: v for k, v in given.items() if v is not None}, "convert")
        loaded = [SwapModel.load(folder, device=run.device) for folder in model]
        for reason in (reason for each in loaded for reason in each.rejected):
            run.console.note(f"passed over: {reason}")
        encoder = make_encoder(id_encoder, device=run.device) if id_encoder else None
        method = chosen_detector(detector, landmarks, refine, run.device)
        if dry_run:
            plan = plan_convert(
                input_path, loaded, output, to=to, config=config, overwrite=overwrite, detector=method.name
            )
            values = plan_values(plan, loaded, encoder, method)
            run.console.result(plan_text(values))
            run.console.event("plan", **values)
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
            encoder=encoder,
            jobs=jobs or suggested_jobs(),
            on_progress=run.console.on_progress,
        )
        for text in report.notes:
            run.console.note(f"note: {text}")
        run.console.result(summary(report))
        run.console.event("summary", **report.to_json())
        is_poor = strict and report.figures is not None and bool(report.figures.poor)
        if not report.is_complete or is_poor:
            raise typer.Exit(4)


def _whom(faces: str | None, largest: bool, auto: bool) -> str | None:
    """Return the one setting behind three options."""
    from faceswap.errors import UsageError

    said = [*([faces] if faces else []), *(["main"] if largest else []), *(["auto"] if auto else [])]
    if len(set(said)) > 1:
        raise UsageError(f"--faces, --largest and --auto contradict each other ({' and '.join(said)}); give one")
    return said[0] if said else None
