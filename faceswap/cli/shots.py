"""`faceswap shots`: the shots of a clip, with the numbers that `convert --shots` takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from faceswap.cli.command import Run, command, examples
from faceswap.cli.networks import DetectorOption, LandmarksOption, RefineOption, chosen_detector
from faceswap.cli.table import table

if TYPE_CHECKING:
    from faceswap.faces.index import FaceIndex


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, examples("faceswap shots scene.mp4", "faceswap shots scene.mp4 --json"))
    def shots(
        run: Run,
        input_path: Annotated[Path, typer.Argument(metavar="INPUT", help="A clip.")],
        output: Annotated[
            Path | None,
            typer.Option("--output", "-o", help="What `convert` will write: the face index is shared with it."),
        ] = None,
        min_face: Annotated[int, typer.Option(help="Ignore faces smaller than this, px.", min=8)] = 24,
        detector: DetectorOption = "centerface",
        landmarks: LandmarksOption = None,
        refine: RefineOption = 1,
        as_json: Annotated[bool, typer.Option("--json", help="JSON Lines on stdout: one for each shot.")] = False,
    ) -> None:
        """List the shots of a clip: where they begin, how, and how many faces they show."""
        from faceswap.faces.analyse import kept_index
        from faceswap.media.encode_plan import default_output
        from faceswap.media.reader import VideoReader

        run.console.is_json = as_json
        reader = VideoReader(input_path)
        index = kept_index(
            reader,
            chosen_detector(detector, landmarks, refine, run.device),
            output or default_output(input_path, "_swapped"),
            min_face_px=min_face,
            on_progress=run.console.on_progress,
        )
        rows = shot_rows(index)
        heads = ["shot", "start", "end", "frames from", "to", "seconds", "begins by", "tracks", "faces"]
        run.console.result(table(heads, [list(row.values()) for row in rows]))
        for row in rows:
            run.console.event("shot", **row)


def shot_rows(index: FaceIndex) -> list[dict[str, object]]:
    """Return what is to be told of each shot, ready for JSON."""
    from faceswap.convert.timecode import ClipClock

    clock = ClipClock.of(index.frames)
    rows: list[dict[str, object]] = []
    for number, shot in enumerate(index.shots, start=1):
        faces = [face for frame in range(shot.start, shot.stop) for face in index.faces_at(frame)]
        rows.append(
            {
                "shot": number,
                "start": clock.timecode_at(shot.start),
                "end": clock.timecode_at(shot.stop),
                "start_frame": shot.start,
                "end_frame": shot.stop,
                "seconds": round(float(clock.seconds_at(shot.stop) - clock.seconds_at(shot.start)), 3),
                "transition": shot.transition,
                "tracks": len({face.track for face in faces}),
                "faces": len(faces),
            }
        )
    return rows
