"""The options of `faceswap convert` and `preview`, by topic.

Fields have the names of the settings that they become (`ConvertConfig`). An option that is left out is None, never the
setting's default: that would win over a settings file. The help names the defaults.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from faceswap.cli.mark_options import MarkOptions
from faceswap.errors import UsageError

SettingsOption = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        metavar="FILE.toml",
        help="Settings, and [[override]] tables for shots, tracks or stretches; options win over it.",
    ),
]
SourceOption = Annotated[
    list[Path] | None,
    typer.Option(help="Picture of the source's face, for .onnx files of inswapper's kind. May be repeated."),
]
RunnerOption = Annotated[
    str | None,
    typer.Option(
        envvar="FACESWAP_RUNNER",
        help="What runs the network: auto = the quickest, measured once [default]; torch, onnxruntime, cuda-graph, compile; "
        "torch-fp32 ...",
    ),
]
ToOption = Annotated[str | None, typer.Option(help="Identity whose face will appear; default: the model's source.")]


@dataclass(frozen=True, slots=True)
class EncodingOptions:
    """What is written, and how."""

    codec: Annotated[
        str | None,
        typer.Option(
            help="Encoder: h264 [default], h265, av1, prores, prores4444, dnxhr, ffv1, mjpeg, h264_nvenc ..., or "
            "png, tiff, exr."
        ),
    ] = None
    crf: Annotated[float | None, typer.Option(help="Constant quality on the encoder's own scale; lower is better.")] = (
        None
    )
    preset: Annotated[str | None, typer.Option(help="Speed of the encoder, e.g. veryfast.")] = None
    profile: Annotated[
        str | None, typer.Option(help="Flavour: ProRes proxy lt 422 hq 4444, DNxHR lb sq hq hqx 444.")
    ] = None
    pix_fmt: Annotated[str | None, typer.Option(help="Pixel format; default: the input's.")] = None
    deliver: Annotated[
        str | None,
        typer.Option(help="What to write, comma list: clip [default], overlay, matte, raw (all .mov beside it), otio."),
    ] = None


@dataclass(frozen=True, slots=True)
class PeopleOptions:
    """Who is swapped."""

    faces: Annotated[
        str | None,
        typer.Option(help="Whom to swap: main, all or auto [auto if several people are seen at once, else main]."),
    ] = None
    largest: Annotated[bool, typer.Option("--largest", help="Swap the largest person of each shot (--faces main).")] = (
        False
    )
    auto: Annotated[
        bool, typer.Option("--auto", help="Swap whom the model takes for one of its other identities (--faces auto).")
    ] = False
    track: Annotated[
        str | None, typer.Option(help="Swap these tracks, like 3,7-9 (`faceswap index show` lists them).")
    ] = None
    person: Annotated[
        list[str] | None,
        typer.Option(help="Picture of the person to swap; or NAME=PICTURE for --map. May be repeated."),
    ] = None
    map: Annotated[
        str | None,
        typer.Option(help="Who becomes whom: WHO=IDENTITY,...; WHO: a name, track:N or an identity on screen."),
    ] = None
    id_encoder: Annotated[
        str | None, typer.Option(help="Network that tells people apart, for --person: an .onnx file or a name.")
    ] = None
    min_cosine: Annotated[
        float | None, typer.Option(help="How alike a track and --person must be, -1 to 1 [0.35].")
    ] = None

    @property
    def settings(self) -> dict[str, Any]:
        """Return what `ConvertConfig` takes.

        Raises:
            UsageError: options that contradict each other.
        """
        flags = {"main": self.largest, "auto": self.auto}
        said = [*([self.faces] if self.faces else []), *(word for word, is_set in flags.items() if is_set)]
        if len(set(said)) > 1:
            raise UsageError(f"--faces, --largest and --auto contradict each other ({' and '.join(said)}); give one")
        values = asdict(self)
        for name in ("largest", "auto", "id_encoder"):
            del values[name]
        return values | {"faces": said[0] if said else None, "person": tuple(self.person) if self.person else None}


@dataclass(frozen=True, slots=True)
class PictureOptions:
    """How the swapped face is matched, masked and laid over."""

    match: Annotated[
        str | None,
        typer.Option(
            help="Colour match: mkl [default], reinhard, mean, histogram, poisson (may leak at profiles), none."
        ),
    ] = None
    match_over: Annotated[
        str | None,
        typer.Option(help="Colours are gathered over: sliding = half a second [default]; shot = the whole shot."),
    ] = None
    passes: Annotated[
        int | None,
        typer.Option(help="How often the face goes through the network, 1 to 3; 2: a stronger likeness [1]."),
    ] = None
    restore: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.onnx", help="Network that draws fine detail: GFPGAN, CodeFormer, RestoreFormer, GPEN."
        ),
    ] = None
    restore_strength: Annotated[
        float | None, typer.Option(help="How much of what it draws is taken, 0 to 1 [0.6].")
    ] = None
    restore_faithfulness: Annotated[
        float | None, typer.Option(help="CodeFormer's w: 1 = near to what it sees, 0 = an ideal face [0.7].")
    ] = None
    light: Annotated[
        float | None, typer.Option(help="How far the light across the face is the footage's own, 0 to 1 [1].")
    ] = None
    sharpness: Annotated[
        float | None, typer.Option(help="How far the face is made as sharp as the footage, 0 to 1 [1].")
    ] = None
    morph: Annotated[
        float | None, typer.Option(help="Share of the source's looks, 0 to 1 [1]; below 1 for amp models only.")
    ] = None
    grain: Annotated[str | None, typer.Option(help="match = the footage's grain on the face too [default]; off.")] = (
        None
    )
    feather: Annotated[float | None, typer.Option(help="Width of the mask's soft edge, share of the crop.")] = None
    erode: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE",
            help="How much the mask is shrunk, share of the crop; or top=0.05,bottom=0; below 0: grown.",
        ),
    ] = None
    refine_mask: Annotated[
        float | None,
        typer.Option(help="How far the mask's edge may move to edges of the footage, share of the crop [0]."),
    ] = None
    mask_steady: Annotated[
        float | None, typer.Option(help="How far flicker of the mask is averaged out, 0 to 0.9 [0.6].")
    ] = None
    opacity: Annotated[
        str | None,
        typer.Option(metavar="SHARE", help="How much of the swapped face is seen, 0 to 1 [1]; or mouth=0.5,eyes=0.7."),
    ] = None
    keep: Annotated[
        str | None,
        typer.Option(help="Parts that stay the actor's own, comma list: eyes, mouth, brows, nose, teeth."),
    ] = None
    occlusion: Annotated[
        str | None,
        typer.Option(help="Hands, hair, microphones before the face: auto = they stay in front [default]; off."),
    ] = None
    segmenter: Annotated[
        str | None, typer.Option(metavar="FILE.onnx", help="Network that marks the face: XSeg or face parsing.")
    ] = None
    glasses: Annotated[
        bool | None, typer.Option(help="With a face parsing segmenter: glasses are swapped with the face [default].")
    ] = None
    mask: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER|PNG",
            help="Painted masks, white = swap: PNG files named by frame number (key frames will do), or one for all.",
        ),
    ] = None
    mask_use: Annotated[
        str | None,
        typer.Option(help="multiply = painted masks only take away [default]; replace = they are the masks."),
    ] = None
    min_face_px: Annotated[
        int | None, typer.Option("--min-face", help="Leave faces smaller than this, px, as they are [24].")
    ] = None


@dataclass(frozen=True, slots=True)
class FootageOptions:
    """How the clip is read."""

    interlaced: Annotated[
        str | None,
        typer.Option(
            help="First field: tff, bff; progressive = both show the same moment; auto = as tagged [default]."
        ),
    ] = None
    decode: Annotated[
        str | None, typer.Option(help="Where the clip is decoded: cpu [default]; gpu = NVIDIA's decoder.")
    ] = None
    video_stream: Annotated[
        int | None, typer.Option(help="Which of several video streams to convert, from 0; default: the best.")
    ] = None


@dataclass(frozen=True, slots=True)
class ExtentOptions:
    """Which of the clip is worked on, and what becomes of the rest."""

    copy_untouched: Annotated[
        bool | None,
        typer.Option(
            "--copy-untouched/--no-copy-untouched",
            help="Copy the input's own pictures wherever no face is swapped.",
        ),
    ] = None
    shots: Annotated[
        str | None, typer.Option(help="Swap these shots only, like 3,7-9 (`faceswap shots` lists them).")
    ] = None
    start: Annotated[
        str | None, typer.Option(help="Swap from here: 00:01:02:12, 1:02.5, 62.5s, 1550 (a frame) or pts:90000.")
    ] = None
    end: Annotated[str | None, typer.Option(help="Swap up to here, not included; written like --start.")] = None
    trim: Annotated[
        bool | None,
        typer.Option("--trim/--no-trim", help="Write only the span from the first to the last chosen frame."),
    ] = None
    ffmpeg_filter: Annotated[
        str | None,
        typer.Option(metavar="GRAPH", help="FFmpeg filters for the whole picture first, e.g. bwdif (extra: ffmpeg)."),
    ] = None


def settings_of(
    people: PeopleOptions, *others: PictureOptions | EncodingOptions | FootageOptions | ExtentOptions | MarkOptions
) -> dict[str, Any]:
    """Return what was said, for `config_of`; None = left out.

    Raises:
        UsageError: options that contradict each other.
    """
    given = people.settings
    for group in others:
        given |= asdict(group)
    return given
