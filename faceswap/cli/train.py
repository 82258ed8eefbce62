"""`faceswap train`: facesets in, a model out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from faceswap.cli.command import Run, command, examples


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(
        app,
        examples(
            "faceswap train --source facesets/data-tng --target facesets/data-picard -m models/data --budget 8h",
            "faceswap train --source a --target b -m models/ab --recipe df-128 --steps 20000 --set batch=16",
        ),
    )
    def train(
        run: Run,
        source: Annotated[
            list[Path], typer.Option(help="Faceset of the person whose face will appear; may be repeated.")
        ],
        target: Annotated[list[Path], typer.Option(help="Faceset of the person in the footage; may be repeated.")],
        model: Annotated[
            Path, typer.Option("--model", "-m", help="Model folder; training goes on if it has checkpoints.")
        ],
        recipe: Annotated[
            str, typer.Option(help="Recipe name or .toml file; see `faceswap recipes list`.")
        ] = "quick-64",
        steps: Annotated[int | None, typer.Option(help="Stop after this many steps in all.")] = None,
        budget: Annotated[
            str | None, typer.Option(help="Stop after this much training time in all: 90s, 10m, 2h.")
        ] = None,
        overrides: Annotated[
            list[str] | None, typer.Option("--set", help="Change one recipe key, e.g. batch=8 or augment.flip=0.5.")
        ] = None,
    ) -> None:
        """Train a swap model on two (or more) facesets; the same command again resumes."""
        from faceswap.config import parse_duration, validated, with_overrides
        from faceswap.recipes import load_recipe
        from faceswap.train.config import TrainConfig
        from faceswap.train.loop import train_model

        values = with_overrides(load_recipe(recipe), overrides or [])
        if budget is not None:
            parse_duration(budget)
        if steps is not None or budget is not None:
            values |= {"steps": steps, "budget": budget}
        if run.seed is not None:
            values["seed"] = run.seed
        config = validated(TrainConfig, values, f"recipe {recipe}")
        report = train_model(
            [*source, *target],
            model,
            config,
            device=run.device,
            on_progress=run.console.on_progress,
            on_note=run.console.note,
        )
        if not report.new_steps:
            run.console.result(
                f"{report.model} is already trained to the end asked for (step {report.step}); raise --steps or --budget"
            )
            return
        for actor, scores in report.held_out.items():
            run.console.result(f"{actor}, faces held out of training: {scores}")
        run.console.result(
            f"step {report.step}, loss {report.loss:.4f}, {report.steps_per_second:.2f} it/s, saved as {report.checkpoint}; "
            f"look at {report.model / 'preview.png'}, then: faceswap convert INPUT -m {report.model}"
        )
