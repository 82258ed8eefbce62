"""`faceswap export` and `faceswap import-model`: models to and from the files of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from faceswap.cli.command import Run, command, examples


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @command(
        app,
        examples(
            "faceswap export models/data -o data.dfm",
            "faceswap export models/data -o picard.onnx --to picard --fp16",
        ),
    )
    def export(
        run: Run,
        model: Annotated[Path, typer.Argument(help="Model folder.")],
        output: Annotated[
            Path,
            typer.Option("--output", "-o", help="x.dfm for DeepFaceLive and others, x.onnx for batches of our own."),
        ],
        to: Annotated[str | None, typer.Option(help="Identity to export; default: the model's source.")] = None,
        fp16: Annotated[bool, typer.Option("--fp16", help="Half precision: half the size.")] = False,
        overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="JSON Lines on stdout.")] = False,
    ) -> None:
        """Write one identity of a model as an ONNX file, and check the file against the model."""
        from dataclasses import asdict

        from faceswap.models.export import export_model
        from faceswap.models.swap_model import SwapModel

        run.console.is_json = as_json
        loaded = SwapModel.load(model, device="cpu", precision="fp32")
        report = export_model(loaded, output, to=to, fp16=fp16, overwrite=overwrite)
        for note in report.notes:
            run.console.note(f"note: {note}")
        shapes = "; ".join(f"{name} {list(shape)}" for name, shape in (report.inputs | report.outputs).items())
        run.console.result(
            f"{report.path}: {report.identity}, {report.bytes / 1e6:.1f} MB, opset {report.opset}, {shapes}; "
            f"run back by onnxruntime it differs from the model by {report.max_difference:.2g} at most"
        )
        run.console.event("export", **asdict(report) | {"path": str(report.path)})

    @command(
        app,
        examples(
            "faceswap import-model dfl/model -m models/kim --source kim --target lee",
            "faceswap import-model dfl/model -m models/kim --source kim --target lee --name new_SAEHD --options ud",
        ),
        name="import-model",
    )
    def import_model(
        run: Run,
        folder: Annotated[Path, typer.Argument(help="Folder with the .npy files of a DeepFaceLab SAEHD or AMP model.")],
        model: Annotated[Path, typer.Option("--model", "-m", help="Model folder to make.")],
        source: Annotated[str, typer.Option(help="Name for its source (src).")] = "source",
        target: Annotated[str, typer.Option(help="Name for its destination (dst).")] = "target",
        name: Annotated[
            str | None, typer.Option(help="What the files begin with, if there are several models.")
        ] = None,
        options: Annotated[
            str | None, typer.Option(help="Letters u, d, t, c of the architecture; default: as its .dat says.")
        ] = None,
        face_type: Annotated[str | None, typer.Option(help="wf or f; default: as its .dat says.")] = None,
    ) -> None:
        """Make a model folder from DeepFaceLab's weights; nothing in their pickles is run."""
        from faceswap.models.importing import import_dfl_model
        from faceswap.models.work import work_of

        made = import_dfl_model(folder, model, (source, target), name=name, options=options, face_type=face_type)
        network, came_from = made.spec.network, made.document("train")["imported"]
        run.console.note(f"{network.name} {network.size} px {network.options}: {work_of(network)}")
        run.console.result(
            f"{model}: {came_from['from']}, trained for {came_from['iterations']} iterations, as {source} and {target}; "
            f"next: faceswap convert INPUT -m {model}"
        )
