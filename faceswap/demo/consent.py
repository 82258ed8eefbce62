"""What allows the faces of the built-in actors to be shown."""

from __future__ import annotations

from faceswap.provenance.consent import ConsentRecord, Subject, new_record


def actors_record() -> ConsentRecord:
    """Return a new consent record for both looks of the actor."""
    return new_record(
        Subject(name="Eileen Collins", identities=("astronaut", "android"), adult_attested=True),
        "public_domain",
        "faceswap demo",
        reason="official portrait out of the Great Images of NASA, in the public domain, shipped by scikit-image",
        scope={"uses": ["demonstration of this software"]},
    )
