"""Consent records on their way from facesets into a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from faceswap.facesets.store import FaceSet
from faceswap.provenance.consent import ConsentRecord
from faceswap.provenance.consent_rules import ConsentDesk, new_command, why_not


def consents_of(sets: Sequence[FaceSet], on_note: Callable[[str], None]) -> dict[str, tuple[ConsentRecord, ...]]:
    """Return the records of facesets by identity; what `convert` would refuse is said now.

    Raises:
        ConsentError: a record was changed by hand.
    """
    desk = ConsentDesk.open()
    found = {}
    for faceset in sets:
        records = faceset.consents()
        if not records:
            on_note(
                f"warning: {faceset.path} names no consent record; `convert` will refuse to show the face of "
                f"{faceset.actor!r} until there is one: {new_command(faceset.actor)}"
            )
            continue
        found[faceset.actor] = records
        for record in map(desk.present, records):
            projects = record.scope.projects
            refusal = why_not(record, projects[0] if projects else None, desk.today)
            if refusal is not None:
                on_note(
                    f"warning: `convert` will refuse to show the face of {faceset.actor!r}: {refusal[0]}; {refusal[1]}"
                )
    return found
