"""The options of a conversion that decide what its pictures look like: those of `convert`, and of `preview`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SettingsOption = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        metavar="FILE.toml",
        help="Settings, and [[override]] tables for shots, tracks or stretches; options win over it.",
    ),
]
ToOption = Annotated[str | None, typer.Option(help="Identity whose face will appear; default: the model's source.")]
FacesOption = Annotated[
    str | None,
    typer.Option(help="Whom to swap: main, all or auto [auto if several people are seen at once, else main]."),
]
LargestOption = Annotated[bool, typer.Option("--largest", help="Swap the largest person of each shot (--faces main).")]
AutoOption = Annotated[
    bool,
    typer.Option("--auto", help="Swap whom the model takes for one of its other identities (--faces auto)."),
]
TrackOption = Annotated[
    str | None, typer.Option(help="Swap these tracks, like 3,7 (`faceswap index show` lists them).")
]
PersonOption = Annotated[
    list[str] | None,
    typer.Option(help="Picture of the person to swap; or NAME=PICTURE for --map. May be repeated."),
]
MapOption = Annotated[
    str | None,
    typer.Option("--map", help="Who becomes whom: WHO=IDENTITY,...; WHO: a name, track:N or an identity on screen."),
]
IdEncoderOption = Annotated[
    str | None, typer.Option(help="Network that tells people apart, for --person: an .onnx file or a name.")
]
MinCosineOption = Annotated[float | None, typer.Option(help="How alike a track and --person must be, -1 to 1 [0.35].")]
MatchOption = Annotated[str | None, typer.Option(help="Colour match: mkl [default], reinhard, mean or none.")]
SharpnessOption = Annotated[
    float | None, typer.Option(help="How far the face is made as sharp as the footage, 0 to 1 [1].")
]
GrainOption = Annotated[str | None, typer.Option(help="match = the footage's grain on the face too [default]; off.")]
LightOption = Annotated[
    float | None, typer.Option(help="How far the light across the face is the footage's own, 0 to 1 [1].")
]
FeatherOption = Annotated[float | None, typer.Option(help="Width of the mask's soft edge, share of the crop.")]
ErodeOption = Annotated[float | None, typer.Option(help="How much the mask is shrunk, share of the crop.")]
KeepOption = Annotated[
    str | None,
    typer.Option(help="Parts that stay the actor's own, comma list: eyes, mouth, brows, nose, teeth."),
]
OcclusionOption = Annotated[
    str | None, typer.Option(help="Hands, hair, microphones before the face: auto = they stay in front [default]; off.")
]
SegmenterOption = Annotated[
    str | None, typer.Option(metavar="FILE.onnx", help="Network that marks the face: XSeg or face parsing.")
]
GlassesOption = Annotated[
    bool | None, typer.Option(help="With a face parsing segmenter: glasses are swapped with the face [default].")
]
MaskOption = Annotated[
    str | None,
    typer.Option(
        metavar="FOLDER|PNG",
        help="Painted masks, white = swap: PNG files named by frame number (key frames will do), or one for all.",
    ),
]
MaskUseOption = Annotated[
    str | None, typer.Option(help="multiply = painted masks only take away [default]; replace = they are the masks.")
]
MinFaceOption = Annotated[int | None, typer.Option(help="Leave faces smaller than this, px, as they are [24].")]
InterlacedOption = Annotated[
    str | None,
    typer.Option(help="First field: tff, bff; progressive = both show the same moment; auto = as tagged [default]."),
]
VideoStreamOption = Annotated[
    int | None, typer.Option(help="Which of several video streams to convert, from 0; default: the best.")
]


def whom(faces: str | None, largest: bool, auto: bool) -> str | None:
    """Return the one setting behind three options.

    Raises:
        UsageError: they contradict each other.
    """
    from faceswap.errors import UsageError

    said = [*([faces] if faces else []), *(["main"] if largest else []), *(["auto"] if auto else [])]
    if len(set(said)) > 1:
        raise UsageError(f"--faces, --largest and --auto contradict each other ({' and '.join(said)}); give one")
    return said[0] if said else None
