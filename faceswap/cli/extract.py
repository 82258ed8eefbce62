"""`faceswap extract`: clips and pictures in, a faceset out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from faceswap.cli.command import Run, command, examples
from faceswap.cli.networks import FinderOptions


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(
        app,
        examples(
            "faceswap extract tng_s1.mkv tng_s2.mkv -o facesets/data-tng --actor data-tng",
            "faceswap extract new.mkv -o facesets/data-tng --actor data-tng --consent data-tng-3f",
            "faceswap extract stills/ -o facesets/data-tng --actor data-tng --min-face 64",
            "faceswap extract tng_s1.mkv -o facesets/data-tng --actor data-tng --landmarks facemesh",
        ),
    )
    def extract(
        run: Run,
        *,
        clips: Annotated[list[Path], typer.Argument(help="Clips, pictures, or folders of either.")],
        output: Annotated[Path, typer.Option("--output", "-o", help="Faceset folder; made or added to.")],
        actor: Annotated[str, typer.Option(help="Name of the person; becomes the model's identity.")],
        every: Annotated[int, typer.Option(help="Use every n-th frame.")] = 1,
        size: Annotated[int, typer.Option(help="Side of the crops, px.")] = 256,
        coverage: Annotated[
            str, typer.Option(help="whole_face, head or face: how much is around the face.")
        ] = "whole_face",
        min_face: Annotated[int, typer.Option(help="Ignore faces smaller than this, px.")] = 32,
        finder: FinderOptions,
        store: Annotated[
            str, typer.Option(help="jpeg, or png16: keeps all bits of footage that has more than 8.")
        ] = "jpeg",
        largest: Annotated[bool, typer.Option("--largest", help="Only the largest face of each frame.")] = False,
        era: Annotated[str, typer.Option(help="Label of this material, e.g. a season or a year.")] = "",
        consent: Annotated[
            str | None, typer.Option(metavar="ID|FILE", help="Consent record of the person (`faceswap consent new`).")
        ] = None,
    ) -> None:
        """Find the faces of one actor in clips or pictures and store them as aligned crops."""
        from faceswap.errors import PartialResultError, UsageError
        from faceswap.facesets.build import extract_faces
        from faceswap.provenance.consent_store import ConsentStore

        if coverage not in ("face", "whole_face", "head"):
            raise UsageError(f"--coverage {coverage!r} is unknown; allowed: face, whole_face, head")
        report = extract_faces(
            clips,
            output,
            actor,
            size=size,
            coverage=coverage,  # type: ignore[arg-type]
            every=every,
            min_face_px=min_face,
            store=store,  # type: ignore[arg-type]
            largest=largest,
            era=era,
            consent=ConsentStore.of_user().find_or_adopt(consent) if consent is not None else None,
            device=run.device,
            detector=finder.make(run.device),
            on_progress=run.console.on_progress,
        )
        for clip in report.skipped:
            run.console.note(f"{clip}: in the faceset already")
        for text in (*report.notes, *report.failed):
            run.console.note(text)
        run.console.result(f"{report.num_faces} faces of {report.actor} added, {report.num_total} in {report.faceset}")
        if report.failed:
            raise PartialResultError(
                f"{len(report.failed)} of {report.num_inputs} inputs could not be used (named above)"
            )
