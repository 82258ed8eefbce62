"""`faceswap evaluate`: how good a result is, as numbers and as a page to look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from faceswap.cli.command import Run, command, examples
from faceswap.cli.table import table

if TYPE_CHECKING:
    from faceswap.evaluate.run import Evaluation

_WORD = "models"


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(
        app,
        examples(
            "faceswap evaluate scene.mp4 scene_swapped.mp4",
            "faceswap evaluate scene.mp4 ours.mp4 theirs.mp4 -o compare.html",
            "faceswap evaluate models models/a models/b theirs.mp4 --clip scene.mp4 -o compare.html",
            "faceswap evaluate scene.mp4 out.mp4 --id-encoder arcface.onnx --faceset facesets/data-tng --protocol per-actor-v1",
        ),
    )
    def evaluate(
        run: Run,
        clips: Annotated[
            list[Path],
            typer.Argument(
                metavar="INPUT OUTPUT...",
                help="The untouched clip and one or more results of it; or the word `models` with models and results.",
            ),
        ],
        clip: Annotated[Path | None, typer.Option(help="With `models`: the untouched clip.")] = None,
        output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the page here (.html).")] = None,
        model: Annotated[
            Path | None,
            typer.Option("--model", "-m", help="Model that made the result: measures the network's shift error."),
        ] = None,
        faceset: Annotated[Path | None, typer.Option(help="The source's faceset, for identity.")] = None,
        id_encoder: Annotated[str | None, typer.Option(help="ONNX file (or name) of an identity encoder.")] = None,
        shots: Annotated[str | None, typer.Option(help="Only these shots, like 3,7-9.")] = None,
        protocol: Annotated[
            str | None, typer.Option(help="per-actor-v1 or ff10k-v1: frames are chosen by rule.")
        ] = None,
        every: Annotated[int, typer.Option(min=1, help="Measure faces in every n-th frame only.")] = 1,
        min_face: Annotated[int, typer.Option(min=8, help="Ignore faces smaller than this, px.")] = 24,
        strict: Annotated[bool, typer.Option("--strict", help="Exit with 4 when a shot is poor.")] = False,
        as_json: Annotated[
            bool, typer.Option("--json", help="JSON Lines on stdout; the last holds everything.")
        ] = False,
    ) -> None:
        """Measure a result against the clip it was made of: edges, colour, sharpness, steadiness, identity."""
        from faceswap.errors import UsageError
        from faceswap.files import write_atomic

        run.console.is_json = as_json
        if output is not None and output.suffix.lower() not in (".html", ".htm"):
            raise UsageError(f"{output} is not a name for a page; use one that ends in .html")
        if clips[0] == Path(_WORD) and not clips[0].exists():
            if clip is None:
                raise UsageError("`evaluate models` needs the untouched clip: --clip INPUT")
            source, results = clip, [_as_clip(run, clip, path) for path in clips[1:]]
        else:
            source, results = clips[0], clips[1:]
        if not results:
            raise UsageError("nothing to compare; give the untouched clip and at least one result of it")
        settings = {"faceset": faceset, "shots": shots, "protocol": protocol, "every": every, "min_face_px": min_face}
        found = [_evaluate(run, source, result, id_encoder, model, settings) for result in results]
        if output is not None:
            write_atomic(output, _page(found).encode())
        for evaluation in found:
            _print(run, evaluation)
        if output is not None:
            run.console.result(f"page: {output}")
        if strict and any(part.verdict == "poor" for evaluation in found for part in evaluation.parts):
            raise typer.Exit(4)


def _evaluate(
    run: Run, source: Path, result: Path, id_encoder: str | None, model: Path | None, settings: dict[str, Any]
) -> Evaluation:
    from faceswap.convert.range import FrameChoice
    from faceswap.evaluate.protocols import find_protocol
    from faceswap.evaluate.run import evaluate_clip
    from faceswap.faces.registry import make_detector, make_encoder

    encoder = make_encoder(id_encoder, device=run.device) if id_encoder is not None else None
    choice = FrameChoice.parse(settings["shots"], None, None)
    rule = None
    if settings["protocol"] is not None:
        has_identity = encoder is not None and settings["faceset"] is not None
        rule = find_protocol(settings["protocol"], has_identity=has_identity)
    return evaluate_clip(
        source,
        result,
        make_detector(device=run.device),
        faceset=settings["faceset"],
        encoder=encoder,
        model=model,
        protocol=rule,
        ranges_of=choice.ranges if settings["shots"] else None,
        every=settings["every"],
        min_face_px=settings["min_face_px"],
        device=run.device,
        on_progress=run.console.on_progress,
    )


def _as_clip(run: Run, source: Path, path: Path) -> Path:
    """Return a result: the clip itself, or what a model makes of the source, kept in `.faceswap/` beside the model."""
    if not path.is_dir():
        return path
    from faceswap.convert.pipeline import convert_clip
    from faceswap.models.swap_model import SwapModel

    loaded = SwapModel.load(path, device=run.device)
    place = path / "evaluated" / f"{source.stem}-{loaded.manifest_sha256[:12]}.mp4"
    if not place.is_file():
        place.parent.mkdir(exist_ok=True)
        run.console.note(f"converting {source} with {path}")
        convert_clip(source, loaded, place, device=run.device, on_progress=run.console.on_progress)
    return place


def _print(run: Run, evaluation: Evaluation) -> None:
    from faceswap.evaluate.as_json import to_json
    from faceswap.evaluate.report import in_words
    from faceswap.evaluate.table import FIGURES

    run.console.result(f"{evaluation.output}: {evaluation.whole.verdict}")
    rows = [
        [
            FIGURES[key].title,
            in_words(FIGURES[key], value),
            FIGURES[key].verdict(value) if FIGURES[key].is_judged else "-",
        ]
        for key, value in evaluation.whole.values.items()
    ]
    run.console.result(table(["figure", "value", "verdict"], rows))
    for part in evaluation.parts:
        worst = ", ".join(map(str, part.worst)) or "none"
        run.console.result(
            f"{part.name}, frames {part.frames[0]}-{part.frames[1]}: {part.verdict}; worst frames {worst}"
        )
    for text in evaluation.notes:
        run.console.note(f"note: {text}")
    run.console.event("evaluation", **to_json(evaluation))


def _page(found: list[Evaluation]) -> str:
    from faceswap.evaluate.compare import compare_html
    from faceswap.evaluate.report import report_html

    return report_html(found[0]) if len(found) == 1 else compare_html(found, [e.output.name for e in found])
