"""`faceswap faceset`: the commands that make something of facesets: others, reports, tables, folders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from faceswap.cli.command import Run, command, examples
from faceswap.cli.faceset_options import Json, Place, app

Size = Annotated[int, typer.Option(help="Side of the crops, px.")]
Coverage = Annotated[str, typer.Option(help="whole_face, head or face: how much is around the face.")]


@command(
    app,
    examples(
        "faceswap faceset merge facesets/s1 facesets/s2 -o facesets/data-tng",
        "faceswap faceset merge facesets/wide facesets/close -o facesets/both --actor data-tng",
    ),
)
def merge(
    run: Run,
    facesets: Annotated[list[Path], typer.Argument(metavar="FACESET...", help="Facesets of one actor.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Faceset folder; made or added to.")],
    actor: Annotated[str | None, typer.Option(help="Whose the result is; needed when the names differ.")] = None,
) -> None:
    """Put facesets of one actor together; crops of another size or coverage are cut anew out of what is stored."""
    from faceswap.facesets.combine import merge as merge_sets
    from faceswap.facesets.store import FaceSet

    sets = [FaceSet.open(path) for path in facesets]
    crop = FaceSet.open(output).crop if (output / "faces.db").is_file() else None
    done = merge_sets(sets, output, actor=actor, crop=crop, on_progress=run.console.on_progress)
    for clip in done.skipped:
        run.console.note(f"{clip}: in the faceset already")
    for path in done.recut:
        run.console.note(f"{path}: its crops are of another kind and were cut anew")
    run.console.result(f"{done.num_faces} crops added to {output}")


@command(
    app,
    examples(
        "faceswap faceset split facesets/data-tng --by era -o facesets/eras",
        "faceswap faceset split facesets/data-tng --by yaw --edges -30,30 -o facesets/sides",
    ),
)
def split(
    run: Run,
    faceset: Place,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder in which the parts are made.")],
    by: Annotated[
        str, typer.Option(help="clip, shot, era, yaw or cluster (person; group with `sort --by cluster` first).")
    ],
    edges: Annotated[str, typer.Option(help="Degrees of yaw at which parts end.")] = "-20,20",
) -> None:
    """Make a faceset of each part; the original stays as it is."""
    from faceswap.errors import UsageError
    from faceswap.facesets.combine import split as split_set
    from faceswap.facesets.store import FaceSet

    try:
        degrees = [float(part) for part in edges.split(",")]
    except ValueError as error:
        raise UsageError(f"--edges {edges!r} is not a list of degrees; write it like -30,30") from error
    parts = split_set(FaceSet.open(faceset), output, by, edges=degrees, on_progress=run.console.on_progress)  # type: ignore[arg-type]
    for part in parts:
        run.console.result(f"{part.path}: {len(part.records())} crops of {part.actor}")


@command(
    app,
    examples(
        "faceswap faceset report facesets/data-tng -o report.html",
        "faceswap faceset report facesets/data-tng facesets/data-picard -o report.html",
    ),
)
def report(
    run: Run,
    source: Annotated[Path, typer.Argument(help="Faceset of the person whose face will appear.")],
    target: Annotated[Path | None, typer.Argument(help="Faceset of the footage that receives it.")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The page.")] = Path("report.html"),
    as_json: Json = False,
) -> None:
    """Show a faceset on one page: best, worst, people, angles, light; against a target, also what is missing."""
    from faceswap.facesets.report import write_report
    from faceswap.facesets.store import FaceSet

    run.console.is_json = as_json
    target_set = None if target is None else FaceSet.open(target)
    advice = write_report(FaceSet.open(source), target_set, output, on_progress=run.console.on_progress)
    for line in advice:
        run.console.result(line)
        run.console.event("advice", text=line)
    run.console.result(f"report: {output}")
    run.console.event("report", output=str(output))


@command(
    app,
    examples(
        "faceswap faceset export facesets/data-tng -o crops.parquet",
        "faceswap faceset export facesets/data-tng --dropped -o crops.csv",
        "faceswap faceset export facesets/data-tng -o folder-of-crops",
    ),
)
def export(
    run: Run,
    faceset: Place,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="A table (.csv, .jsonl, .parquet), or a new folder for the crops.")
    ],
    with_dropped: Annotated[bool, typer.Option("--dropped", help="Those that were sorted out, too.")] = False,
) -> None:
    """Write all that is known of the crops as a table, or the crops themselves into a folder."""
    from faceswap.facesets import looking, tables
    from faceswap.facesets.measure import measured_records
    from faceswap.facesets.store import FaceSet

    store = FaceSet.open(faceset)
    records = measured_records(store, with_dropped=with_dropped, on_progress=run.console.on_progress)
    if output.suffix:
        tables.write_table(store, records, output)
    else:
        looking.write_view(store, [(r.era or store.actor, r) for r in records], output, is_copy=True)
    run.console.result(f"{len(records)} crops in {output}")


@command(
    app,
    examples(
        "faceswap faceset import aligned/ -o facesets/data-tng --actor data-tng",
        "faceswap faceset import faceset.pak -o facesets/data-tng --actor data-tng",
        "faceswap faceset import alignments.fsa --frames clip.mp4 -o facesets/data-tng --actor data-tng",
    ),
    name="import",
)
def import_faceset(
    run: Run,
    inputs: Annotated[
        list[Path],
        typer.Argument(help="Folders or files of DeepFaceLab (.jpg, .pak) or deepfakes/faceswap (.png, .fsa)."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Faceset folder; made or added to.")],
    actor: Annotated[str, typer.Option(help="Name of the person; becomes the model's identity.")],
    frames: Annotated[
        Path | None, typer.Option(help="The clip or folder of pictures the faces come from: crops are cut out of it.")
    ] = None,
    size: Size = 256,
    coverage: Coverage = "whole_face",
    era: Annotated[str, typer.Option(help="Label of this material.")] = "",
    consent: Annotated[
        str | None, typer.Option(metavar="ID|FILE", help="Consent record of the person (`faceswap consent new`).")
    ] = None,
) -> None:
    """Take over a faceset of another tool. Its files are read as data: nothing in them is run."""
    from faceswap.errors import PartialResultError, UsageError
    from faceswap.facesets.imports import import_faces
    from faceswap.facesets.store import FaceSet
    from faceswap.provenance.consent_store import ConsentStore

    record = ConsentStore.of_user().find_or_adopt(consent) if consent is not None else None
    if coverage not in ("face", "whole_face", "head"):
        raise UsageError(f"--coverage {coverage!r} is unknown; allowed: face, whole_face, head")
    done = import_faces(
        inputs,
        output,
        actor,
        frames=frames,
        size=size,
        coverage=coverage,  # type: ignore[arg-type]
        era=era,
        device=run.device,
        on_progress=run.console.on_progress,
    )
    if record is not None:
        FaceSet.open(output).add_consents([record])
    for text in (*done.notes, *done.failed):
        run.console.note(text)
    run.console.result(f"{done.num_faces} faces of {actor} imported, {done.num_total} in {output}")
    if done.failed:
        raise PartialResultError(f"{len(done.failed)} files could not be imported (named above)")
