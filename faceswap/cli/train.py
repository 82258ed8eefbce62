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
            "faceswap train --source a --target b -m models/ab --recipe df-128 --until plateau --set batch=16",
            "torchrun --nproc-per-node 4 -m faceswap train --source a --target b -m models/ab --recipe liae-128 --budget 2h",
        ),
    )
    def train(
        run: Run,
        source: Annotated[
            list[Path], typer.Option(help="Faceset of the person whose face will appear; may be repeated.")
        ],
        model: Annotated[
            Path, typer.Option("--model", "-m", help="Model folder; training goes on if it has checkpoints.")
        ],
        target: Annotated[
            list[Path] | None,
            typer.Option(help="Faceset of the person in the footage; may be repeated. Not needed to pretrain."),
        ] = None,
        recipe: Annotated[
            str, typer.Option(help="Recipe name or .toml file; see `faceswap recipes list`.")
        ] = "quick-64",
        steps: Annotated[int | None, typer.Option(help="Stop after this many steps in all.")] = None,
        budget: Annotated[
            str | None, typer.Option(help="Stop after this much training time in all: 90s, 10m, 2h.")
        ] = None,
        until: Annotated[
            str | None,
            typer.Option(help='"plateau" = stop when held-out faces get no better; or a time, like --budget.'),
        ] = None,
        init_from: Annotated[
            Path | None,
            typer.Option(help="Model folder whose encoder and decoders a new model starts from, as far as they fit."),
        ] = None,
        tensorboard: Annotated[
            bool, typer.Option("--tensorboard", help="Write curves and previews for TensorBoard into the model folder.")
        ] = False,
        overrides: Annotated[
            list[str] | None, typer.Option("--set", help="Change one recipe key, e.g. batch=8 or augment.flip=0.5.")
        ] = None,
    ) -> None:
        """Train a swap model on two (or more) facesets; the same command again resumes."""
        from faceswap.config import parse_duration, validated, with_overrides
        from faceswap.device import choose_compute
        from faceswap.errors import UsageError
        from faceswap.heap import keep_freed_memory
        from faceswap.recipes import load_recipe
        from faceswap.train.config import TrainConfig
        from faceswap.train.distributed import is_first_here
        from faceswap.train.loop import train_model

        values = with_overrides(load_recipe(recipe), overrides or [])
        if until not in (None, "plateau"):
            if budget is not None:
                raise UsageError(f"--until {until} and --budget {budget} are both an end; give one of them")
            budget, until = until, None
        if budget is not None:
            parse_duration(budget)
        if steps is not None or budget is not None or until is not None:
            values |= {"steps": steps, "budget": budget, "until": until}
        if init_from is not None:
            values["init_from"] = str(init_from)
        if tensorboard:
            values["tensorboard"] = True
        if run.seed is not None:
            values["seed"] = run.seed
        config = validated(TrainConfig, values, f"recipe {recipe}")
        if choose_compute(run.device).device.type == "cpu":
            keep_freed_memory()
        report = train_model(
            [*source, *(target or [])],
            model,
            config,
            device=run.device,
            on_progress=run.console.on_progress,
            on_note=run.console.note,
        )
        if not is_first_here():
            return
        if not report.new_steps:
            run.console.result(
                f"{report.model} is already trained to the end asked for (step {report.step}); raise --steps or --budget"
            )
            return
        for actor, scores in report.held_out.items():
            run.console.result(f"{actor}, faces held out of training: {scores}")
        for line in report.advice:
            run.console.note(line)
        next_step = f"faceswap convert INPUT -m {report.model}"
        if not target and len(source) == 1:
            next_step = "a new model with --source, --target and --init-from, since this one knows a single person"
        run.console.result(
            f"step {report.step}, loss {report.loss:.4f}, {report.steps_per_second:.2f} it/s, saved as {report.checkpoint}; "
            f"look at {report.model / 'preview.png'} and {report.model / 'report.html'}, "
            f"then: {next_step}"
        )
