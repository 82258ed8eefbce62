"""`faceswap preview`: single frames and comparison grids, before a clip is converted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from faceswap.cli.command import Run, command, examples
from faceswap.cli.convert_options import (
    FootageOptions,
    PeopleOptions,
    PictureOptions,
    RunnerOption,
    SettingsOption,
    SourceOption,
    ToOption,
    settings_of,
)
from faceswap.cli.mark_options import ConsentOptions, SigningOptions, provenance_of
from faceswap.cli.networks import FinderOptions

if TYPE_CHECKING:
    from faceswap.convert.preview import PreviewReport, PreviewWish


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(
        app,
        examples(
            "faceswap preview scene.mp4 -m models/data --frame 00:01:02:12",
            "faceswap preview scene.mp4 -m models/data --frame 57 --frame 62.5s --show original,swapped,mask",
            "faceswap preview scene.mp4 -m models/data --frame 57 --grid match",
            "faceswap preview scene.mp4 -m models/data --frame 57 --grid match=mkl,none --grid feather=0.04,0.08,0.16",
            "faceswap preview film.mkv -m models/data --frame 1:30 --settings film.toml --grid keep=none,eyes,eyes+mouth",
        ),
    )
    def preview(
        run: Run,
        *,
        input_path: Annotated[
            Path, typer.Argument(metavar="INPUT", help="The target: footage that receives the face.")
        ],
        model: Annotated[
            list[Path], typer.Option("--model", "-m", help="Model folder, .dfm or .onnx; several with --map or --auto.")
        ],
        frame: Annotated[
            list[str],
            typer.Option(
                help="What to show: 00:01:02:12, 1:02.5, 62.5s, 1550 (a frame) or pts:90000. May be repeated.",
            ),
        ],
        output: Annotated[
            Path | None, typer.Option("--output", "-o", help="PNG file; default: INPUT_preview.png.")
        ] = None,
        grid: Annotated[
            list[str] | None,
            typer.Option(
                metavar="KEY[=V1,V2]",
                help="Compare values of a setting, like feather=0.04,0.16 or match; a second --grid: rows x columns.",
            ),
        ] = None,
        show: Annotated[
            str, typer.Option(help="Pictures of each frame, comma list: original, swapped, mask, raw.")
        ] = "original,swapped",
        view: Annotated[
            str | None, typer.Option(help="frame = whole; face = enlarged faces [face in a grid, else frame].")
        ] = None,
        quick: Annotated[
            bool,
            typer.Option("--quick", help="Look at 24 frames before each only: nearly exact, for slow networks."),
        ] = False,
        to: ToOption = None,
        source: SourceOption = None,
        settings: SettingsOption = None,
        people: PeopleOptions,
        picture: PictureOptions,
        finder: FinderOptions,
        footage: FootageOptions,
        consent: ConsentOptions,
        signing: SigningOptions,
        runner: RunnerOption = None,
        overwrite: Annotated[
            bool, typer.Option("--overwrite", help="Replace a file that is no earlier preview, too.")
        ] = False,
        as_json: Annotated[bool, typer.Option("--json", help="JSON Lines on stdout; the last is the preview.")] = False,
    ) -> None:
        """Show single frames swapped, and compare settings, in seconds."""
        from faceswap.convert.overrides import config_of
        from faceswap.convert.preview import preview_clip
        from faceswap.convert.sources import with_sources
        from faceswap.faces.registry import make_encoder
        from faceswap.models.swap_model import SwapModel

        run.console.is_json = as_json
        method = finder.make(run.device)
        encoder = make_encoder(people.id_encoder, device=run.device) if people.id_encoder else None
        loaded = [SwapModel.load(path, device=run.device) for path in model]
        report = preview_clip(
            input_path,
            with_sources(loaded, source or (), method, encoder),
            output,
            wish=_wish(frame, grid or (), show, view, quick),
            to=to,
            config=config_of(settings, settings_of(people, picture, footage) | {"runner": runner}, "preview"),
            overwrite=overwrite,
            device=run.device,
            detector=method,
            encoder=encoder,
            provenance=provenance_of(consent, signing),
            on_progress=run.console.on_progress,
        )
        for text in report.notes:
            run.console.note(f"note: {text}")
        run.console.result(_summary(report))
        run.console.event("preview", **report.to_json())


def _wish(
    frames: list[str], grid: tuple[str, ...] | list[str], show: str, view: str | None, quick: bool
) -> PreviewWish:
    """Return what is to be shown.

    Raises:
        UsageError: unknown words.
    """
    from typing import get_args

    from faceswap.convert.preview import PreviewWish
    from faceswap.convert.preview_sheet import Kind, View
    from faceswap.errors import UsageError

    kinds = tuple(dict.fromkeys(word.strip() for word in show.split(",")))
    for option, words, allowed in (
        ("--show", kinds, get_args(Kind)),
        ("--view", (view,) if view else (), get_args(View)),
    ):
        for word in words:
            if word not in allowed:
                raise UsageError(f"{option}: there is no {word!r}; allowed: {', '.join(allowed)}")
    return PreviewWish(tuple(frames), tuple(grid), kinds, view, quick)  # type: ignore[arg-type]


def _summary(report: PreviewReport) -> str:
    """Return what a preview shows, for people."""
    lines = []
    for row in report.frames:
        faces = ", ".join(f"track {face['track']} -> {face['to']}" for face in row.faces) or "no face to swap"
        lines.append(f"frame {row.frame}: {faces}")
    how = "the pixels of a conversion before it is encoded" if report.is_exact else "near to a conversion"
    variants = f", {len(report.variants)} settings compared" if len(report.variants) > 1 else ""
    lines.append(f"{how}{variants}; {report.seconds:.1f} s")
    return "\n".join([*lines, str(report.output)])
