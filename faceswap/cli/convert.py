"""`faceswap convert`: a clip in, a swapped and marked clip out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from faceswap.cli.command import Run, command, examples
from faceswap.cli.convert_options import (
    EncodingOptions,
    ExtentOptions,
    FootageOptions,
    PeopleOptions,
    PictureOptions,
    RunnerOption,
    SettingsOption,
    SourceOption,
    ToOption,
    settings_of,
)
from faceswap.cli.mark_options import ConsentOptions, MarkOptions, PlateOptions, SigningOptions, provenance_of
from faceswap.cli.networks import FinderOptions


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
            "faceswap convert film.mkv -m models/data --settings film.toml",
            "faceswap convert scene.mp4 -m models/data --start 00:01:02:12 --end 1:30",
            "faceswap convert scene.mp4 -m models/data --label eu-ai --label-seconds 5",
            "faceswap convert scene.mp4 -m models/data --auto",
            "faceswap convert scene.mp4 -m models/data --track 3,7",
            "faceswap convert scene.mp4 -m models/data --person picard.jpg --id-encoder arcface.onnx",
            "faceswap convert scene.mp4 -m models/a -m models/b --map alice=data-tng,track:4=picard",
            "faceswap convert scene.mp4 -m data.dfm",
            "faceswap convert scene.mp4 -m inswapper_128.onnx --source data.jpg --id-encoder w600k_r50.onnx",
        ),
    )
    def convert(
        run: Run,
        *,
        input_path: Annotated[
            Path, typer.Argument(metavar="INPUT", help="The target: footage that receives the face.")
        ],
        model: Annotated[
            list[Path], typer.Option("--model", "-m", help="Model folder, .dfm or .onnx; several with --map or --auto.")
        ],
        output: Annotated[
            Path | None, typer.Option("--output", "-o", help="Output file; default: INPUT_swapped.")
        ] = None,
        to: ToOption = None,
        source: SourceOption = None,
        settings: SettingsOption = None,
        encoding: EncodingOptions,
        people: PeopleOptions,
        picture: PictureOptions,
        finder: FinderOptions,
        footage: FootageOptions,
        extent: ExtentOptions,
        consent: ConsentOptions,
        signing: SigningOptions,
        marks: MarkOptions,
        plate: PlateOptions,
        jobs: Annotated[
            int | None,
            typer.Option(min=1, help="Processes that render at once [one for 4 cores]; the output is the same."),
        ] = None,
        figures: Annotated[
            bool | None, typer.Option("--figures/--no-figures", help="Measure the result in a few places.")
        ] = None,
        runner: RunnerOption = None,
        strict: Annotated[
            bool, typer.Option("--strict", help="Exit with 4 when the figures of a shot are poor.")
        ] = False,
        overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an output that exists.")] = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Print the plan and stop.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="JSON Lines on stdout; the last is the summary.")] = False,
    ) -> None:
        """Swap the faces of a clip with a trained model."""
        from faceswap.cli.convert_words import plan_text, plan_values, summary
        from faceswap.convert.overrides import config_of
        from faceswap.convert.pipeline import convert_clip
        from faceswap.convert.plan import plan_convert
        from faceswap.convert.sources import with_sources
        from faceswap.convert.workers import suggested_jobs
        from faceswap.faces.registry import make_encoder
        from faceswap.models.swap_model import SwapModel

        os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 prints twenty lines otherwise; this way errors only
        run.console.is_json = as_json
        given = settings_of(people, picture, encoding, footage, extent, marks) | {
            "figures": strict or figures,
            "runner": runner,
        }
        config = config_of(settings, given, "convert")
        loaded = [SwapModel.load(folder, device=run.device) for folder in model]
        for reason in (reason for each in loaded for reason in each.rejected):
            run.console.note(f"passed over: {reason}")
        encoder = make_encoder(people.id_encoder, device=run.device) if people.id_encoder else None
        method = finder.make(run.device)
        loaded = with_sources(loaded, source or (), method, encoder)
        if dry_run:
            plan = plan_convert(
                input_path,
                loaded,
                output,
                to=to,
                config=config,
                overwrite=overwrite,
                detector=method.name,
                provenance=provenance_of(consent, signing, plate),
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
            provenance=provenance_of(consent, signing, plate),
            on_progress=run.console.on_progress,
        )
        for text in report.notes:
            run.console.note(f"note: {text}")
        run.console.result(summary(report))
        run.console.event("summary", **report.to_json())
        is_poor = strict and report.figures is not None and bool(report.figures.poor)
        if not report.is_complete or is_poor:
            raise typer.Exit(4)
