"""What a command says about provenance, as one value that goes through to where files are made."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from faceswap.provenance.consent_rules import ConsentWish


@dataclass(frozen=True, slots=True)
class ProvenanceWish:
    """How an output is accounted for."""

    consent: ConsentWish = field(default_factory=ConsentWish)
    certificate: Path | None = None
    """PEM chain to sign with, the signer's own certificate first; None = this installation's."""
    key: Path | None = None
    """PEM private key of the first certificate."""
    time_authority: str | None = None
    """URL of an RFC 3161 service that dates signatures; None = none is asked."""
    no_watermark: bool = False
    """Leave the watermark out, for plates that go on to a compositor; all other marks stay."""
    reason: str | None = None
    """Why, in words; goes into the history of the consent records."""
