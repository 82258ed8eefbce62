"""`faceswap index`: look at a clip's face index and put it right by hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from faceswap.cli.command import Run, command, examples
from faceswap.cli.networks import FinderOptions
from faceswap.cli.table import table

if TYPE_CHECKING:
    from faceswap.faces.edits import Edit
    from faceswap.faces.handwork import HandWork

app = typer.Typer(
    help="Look at the faces found in a clip and put them right by hand.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog=examples("faceswap index show scene.mp4 --sheet tracks.png", "faceswap index drop scene.mp4 --track 4"),
)
Clip = Annotated[Path, typer.Argument(metavar="INPUT", help="The clip.")]
Track = Annotated[int, typer.Option(help="Number of the track (`faceswap index show`).", min=0)]
Frames = Annotated[str | None, typer.Option(help="Only these frames: 57, or 100-200 (both included).")]


@dataclass(frozen=True, slots=True)
class PlaceOptions:
    """Which index of a clip is meant."""

    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="What `convert` will write: the index lies in .faceswap/ beside it."),
    ] = None
    min_face: Annotated[int, typer.Option(help="As for `convert`: the index with this setting is meant.", min=8)] = 24


def _open(run: Run, clip: Path, place: PlaceOptions, finder: FinderOptions) -> HandWork:
    """Open the index that `convert` uses when it is told the same: another way to find faces means another index."""
    from faceswap.faces.handwork import HandWork
    from faceswap.media.encode_plan import default_output

    return HandWork.open(
        clip,
        place.output or default_output(clip, "_swapped"),
        finder.make(run.device),
        min_face_px=place.min_face,
        on_progress=run.console.on_progress,
    )


@command(app, examples("faceswap index show scene.mp4", "faceswap index show scene.mp4 --sheet tracks.png"))
def show(
    run: Run,
    *,
    clip: Clip,
    place: PlaceOptions,
    finder: FinderOptions,
    sheet: Annotated[
        Path | None, typer.Option(help="Write a picture with the best face of each track (.png or .jpg).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON Lines on stdout: one for each track and edit.")] = False,
) -> None:
    """List the tracks of a clip, and the edits made so far."""
    from dataclasses import asdict

    from faceswap.faces.tracks_shown import track_pictures, track_rows
    from faceswap.files import write_atomic
    from faceswap.media.contact_sheet import contact_sheet
    from faceswap.media.pictures import encode_picture

    run.console.is_json = as_json
    work = _open(run, clip, place, finder)
    rows = track_rows(work.index)
    heads = ["track", "person", "shot", "first", "last", "faces", "bridged", "px", "yaw", "score"]
    lines = [
        [
            r.track,
            r.person or "-",
            r.shot,
            r.first,
            r.last,
            r.faces,
            r.interpolated,
            r.size_px,
            f"{r.yaw[0]}..{r.yaw[1]}",
            r.score,
        ]
        for r in rows
    ]
    run.console.result(table(heads, lines))
    for number, edit in enumerate(work.edits, start=1):
        run.console.result(f"edit {number}: {_in_words(edit)}")
        run.console.event("edit", number=number, **edit.model_dump(mode="json", exclude={"trail", "other"}))
    for row in rows:
        run.console.event("track", **asdict(row))
    if sheet is not None:
        pictures = track_pictures(work.reader, work.index)
        titles = [f"{track} {work.index.people.get(track, '')}" for track in pictures]
        write_atomic(sheet, encode_picture(sheet.suffix, contact_sheet(list(pictures.values()), titles)))
        run.console.result(f"pictures of the tracks: {sheet}")


@command(
    app, examples("faceswap index drop scene.mp4 --track 4", "faceswap index drop scene.mp4 --track 2 --frames 57")
)
def drop(
    run: Run, *, clip: Clip, track: Track, frames: Frames = None, place: PlaceOptions, finder: FinderOptions
) -> None:
    """Take faces out: no faces at all, or not to be swapped."""
    _done(run, _open(run, clip, place, finder).drop(track, frames))


@command(
    app,
    examples(
        "faceswap index move scene.mp4 --track 2 --frames 100-140 --by 3,-2 --ease 8",
        "faceswap index move scene.mp4 --track 2 --scale 1.05 --turn -2",
    ),
)
def move(
    run: Run,
    *,
    clip: Clip,
    track: Track,
    frames: Frames = None,
    by: Annotated[str, typer.Option(help="Shift X,Y, px: right and down.")] = "0,0",
    scale: Annotated[float, typer.Option(help="Larger (above 1) or smaller.")] = 1.0,
    turn: Annotated[float, typer.Option(help="Degrees, clockwise.")] = 0.0,
    ease: Annotated[int, typer.Option(help="Frames over which the change grows and fades.", min=0)] = 0,
    place: PlaceOptions,
    finder: FinderOptions,
) -> None:
    """Put faces somewhere else: shift, scale or turn their alignment."""
    from faceswap.faces.index_words import parse_shift

    x, y = parse_shift(by)
    work = _open(run, clip, place, finder)
    _done(run, work.move(track, frames, x=x, y=y, scale=scale, degrees=turn, ease=ease))


@command(
    app,
    examples(
        "faceswap index reassign scene.mp4 --track 2,5-7 --person alice",
        "faceswap index reassign scene.mp4 --track 5 --to 2",
        "faceswap index reassign scene.mp4 --track 2 --frames 80-120 --new",
    ),
)
def reassign(
    run: Run,
    *,
    clip: Clip,
    track: Annotated[str, typer.Option(help="Numbers of tracks, like 2,5-7.")],
    frames: Frames = None,
    person: Annotated[str | None, typer.Option(help="Name of the person, for `convert --map`.")] = None,
    to: Annotated[int | None, typer.Option(help="Join this track.", min=0)] = None,
    new: Annotated[bool, typer.Option("--new", help="Make the frames a track of their own.")] = False,
    place: PlaceOptions,
    finder: FinderOptions,
) -> None:
    """Say who is who: name the person of tracks, join tracks, divide them."""
    from faceswap.errors import UsageError
    from faceswap.faces.index_words import parse_tracks

    if to is not None and new:
        raise UsageError("--to and --new contradict each other; give one of them")
    if person is None and to is None and not new:
        raise UsageError("nothing to reassign; give --person NAME, --to TRACK or --new")
    tracks = parse_tracks(track)
    work = _open(run, clip, place, finder)
    for number in tracks:
        work.faces_of(number, frames)  # all of them or none
    for number in tracks:
        _done(run, work.reassign(number, frames, person=person, to_track=to, is_new=new))


@command(
    app,
    examples(
        "faceswap index add scene.mp4 --points 57:610,200,668,203,640,236,618,262,660,264",
        "faceswap index add scene.mp4 --points 57:610,200,668,203,640,236,618,262,660,264 "
        "--points 63:620,205,678,208,650,241,628,267,670,269",
    ),
)
def add(
    run: Run,
    *,
    clip: Clip,
    points: Annotated[
        list[str],
        typer.Option(
            help="FRAME:x,y,x,y,x,y,x,y,x,y: eyes, nose tip, mouth corners, px; frames between are interpolated."
        ),
    ],
    place: PlaceOptions,
    finder: FinderOptions,
) -> None:
    """Add a face that was not found."""
    from faceswap.faces.index_words import parse_points

    keys = [parse_points(text) for text in points]
    _done(run, _open(run, clip, place, finder).add(keys))


@command(app, examples("faceswap index undo scene.mp4", "faceswap index undo scene.mp4 --edit 2"))
def undo(
    run: Run,
    *,
    clip: Clip,
    edit: Annotated[int | None, typer.Option(help="Number of the edit; default: the last.", min=1)] = None,
    place: PlaceOptions,
    finder: FinderOptions,
) -> None:
    """Take an edit back."""
    taken = _open(run, clip, place, finder).undo(edit)
    run.console.result(f"taken back: {_in_words(taken)}")


def _done(run: Run, edit: Edit) -> None:
    run.console.result(f"kept: {_in_words(edit)}")


def _in_words(edit: Edit) -> str:
    if edit.kind == "add":
        return f"add a face in the frames {edit.keys[0][0]}-{edit.keys[-1][0]}"
    middle = edit.box_at(edit.start).reshape(2, 2).mean(axis=0).round().astype(int).tolist()
    where = f"in the frames {edit.start}-{edit.stop - 1}, from x,y {middle[0]},{middle[1]}"
    if edit.kind == "drop":
        return f"drop the face {where}"
    if edit.kind == "move":
        changes = f"by {edit.x:g},{edit.y:g}, scale {edit.scale:g}, turn {edit.degrees:g}, ease {edit.ease}"
        return f"move the face {changes} {where}"
    goals = [f"is {edit.person}"] if edit.person is not None else []
    goals += ["joins another track"] if edit.other is not None else []
    goals += ["is a track of its own"] if edit.is_new else []
    return f"the face {' and '.join(goals)} {where}"
