"""Options about consent and marks, for the commands that make or sign something."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from faceswap.provenance.consent_rules import ConsentWish
from faceswap.provenance.wish import ProvenanceWish


@dataclass(frozen=True, slots=True)
class ConsentOptions:
    """What allows the faces that are shown."""

    consent: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]ID|FILE",
            help="Consent record of the face that is shown, if the model has none or another; repeatable.",
        ),
    ] = None
    project: Annotated[
        str | None, typer.Option(help="What the output is for; needed where the consent is limited to projects.")
    ] = None


@dataclass(frozen=True, slots=True)
class SigningOptions:
    """Who signs the manifest."""

    c2pa_cert: Annotated[
        Path | None,
        typer.Option("--c2pa-cert", metavar="PEM", help="Certificates to sign with [this installation's own]."),
    ] = None
    c2pa_key: Annotated[Path | None, typer.Option("--c2pa-key", metavar="PEM", help="Its private key.")] = None
    c2pa_tsa: Annotated[
        str | None, typer.Option("--c2pa-tsa", metavar="URL", help="Ask this RFC 3161 service to date the signature.")
    ] = None

    @property
    def wish(self) -> ProvenanceWish:
        """Return what the library takes."""
        return ProvenanceWish(ConsentWish(), self.c2pa_cert, self.c2pa_key, self.c2pa_tsa)


@dataclass(frozen=True, slots=True)
class PlateOptions:
    """Outputs that go on to a compositor."""

    no_watermark: Annotated[
        bool,
        typer.Option("--no-watermark", help="No mark in the pixels, for plates: needs a consent record and --reason."),
    ] = False
    reason: Annotated[
        str | None, typer.Option(help="Why --no-watermark, in words; kept in the consent record's history.")
    ] = None


def provenance_of(
    consent: ConsentOptions, signing: SigningOptions, plate: PlateOptions | None = None
) -> ProvenanceWish:
    """Return what the library takes."""
    plate = plate or PlateOptions()
    return replace(
        signing.wish,
        consent=ConsentWish(tuple(consent.consent or ()), consent.project),
        no_watermark=plate.no_watermark,
        reason=plate.reason,
    )


@dataclass(frozen=True, slots=True)
class MarkOptions:
    """What viewers and detectors see."""

    watermark: Annotated[
        str | None,
        typer.Option(
            help="Where the invisible mark is: frame or face [auto: face in lossless and mastering formats, else frame]."
        ),
    ] = None
    label: Annotated[
        str | None, typer.Option(metavar="eu-ai|cn-aigc|TEXT", help="Write a visible label into the picture.")
    ] = None
    label_place: Annotated[
        str | None, typer.Option(help="Its corner: bottom-left [default], bottom-right, top-left, top-right.")
    ] = None
    label_seconds: Annotated[float | None, typer.Option(help="Show it so long from the start [always].")] = None
