"""What a consent record allows, and the sentence that says why not and what to do."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from faceswap.errors import ConsentError, UsageError
from faceswap.provenance.consent import MIN_REASON, ConsentRecord
from faceswap.provenance.consent_store import ConsentStore, latest_of


@dataclass(frozen=True, slots=True)
class ConsentWish:
    """What a command says about consent."""

    given: tuple[str, ...] = ()
    """`--consent`: ids or files; "NAME=ID" for one identity, "ID" for those that the record names."""
    project: str | None = None
    """What the output is made for."""


def new_command(identity: str) -> str:
    """Return the command that makes a record for a face."""
    return f"faceswap consent new {shlex.quote(identity)} --basis BASIS --adult"


def why_not(record: ConsentRecord, project: str | None, today: date) -> tuple[str, str] | None:
    """Return what a record does not allow, and what to do; None = it allows the use.

    Args:
        project: what the output is for; None = not said. today: in UTC.
    """
    name, scope = record.record_id, record.scope
    anew = f"make a record of a new agreement: {new_command(record.subject.name)}"
    if not record.subject.adult_attested:
        return f"{name} does not attest that {record.subject.name} is an adult", anew
    if record.revoked_at is not None:
        return f"{name} was revoked on {record.revoked_at[:10]}", anew
    if scope.start is not None and today < scope.start:
        return f"{name} holds from {scope.start} on", "wait, or " + anew
    if scope.end is not None and today > scope.end:
        return f"{name} ended on {scope.end}", anew
    if scope.projects and project not in scope.projects:
        allowed = " or ".join(f"--project {shlex.quote(each)}" for each in scope.projects)
        said = f"not for {project!r}" if project is not None else "and no project was named"
        return f"{name} is for {', '.join(map(repr, scope.projects))}, {said}", f"add {allowed}, or {anew}"
    return None


@dataclass(frozen=True, slots=True)
class ConsentDesk:
    """Finds and checks the records for the faces that an output shows."""

    store: ConsentStore
    wish: ConsentWish
    today: date

    @classmethod
    def open(cls, wish: ConsentWish | None = None) -> ConsentDesk:
        """Return the desk of this user, today."""
        return cls(ConsentStore.of_user(), wish or ConsentWish(), datetime.now(UTC).date())

    def records_for(self, identity: str, in_model: Sequence[ConsentRecord]) -> tuple[ConsentRecord, ...]:
        """Return the records that allow an identity's face to be shown, each as it stands today.

        They come from `--consent`, else from the model, else (where those do not allow it) from the user's own records of a
        person of that name. A record that was revoked counts in any case, unless a later one replaces it.

        Args:
            in_model: what the model holds for the identity.

        Raises:
            ConsentError: there is none, or one does not allow it. UsageError: `--consent` names none.
        """
        own = tuple(self.present(record) for record in in_model)
        records = self._given(identity) or own
        if not self.wish.given and not (records and all(self._allows(record) for record in records)):
            records = tuple(self._known(identity)) or own
        if not records:
            raise ConsentError(
                f"there is no consent on record for the face of {identity!r}; make a record "
                f"(it takes one command) and repeat this one: {new_command(identity)}"
            )
        for record in (*records, *(revoked for revoked in own if revoked.revoked_at is not None)):
            refusal = why_not(record, self.wish.project, self.today)
            if refusal is not None and not _is_renewed(record, records):
                raise ConsentError(f"the face of {identity!r} cannot be shown: {refusal[0]}; {refusal[1]}")
        return records

    def _given(self, identity: str) -> tuple[ConsentRecord, ...]:
        named: dict[str, list[str]] = {}
        for word in self.wish.given:
            name, separator, rest = word.partition("=")
            is_for_one = bool(separator) and not Path(word).is_file()
            named.setdefault(name if is_for_one else "", []).append(rest if is_for_one else word)
        if identity in named:
            return tuple(self.store.find_or_adopt(word) for word in named[identity])
        for_all = tuple(self.store.find_or_adopt(word) for word in named.get("", []))
        own = tuple(record for record in for_all if identity in record.subject.names)
        if for_all and not own:
            other = for_all[0]
            raise UsageError(
                f"the record {other.record_id} is of {other.subject.name!r}, not of {identity!r}; if that is one person, write "
                f"--consent {shlex.quote(f'{identity}={other.record_id}')}"
            )
        return own

    def present(self, record: ConsentRecord) -> ConsentRecord:
        """Return a model's copy of a record as it stands now: it may have been revoked since."""
        return latest_of(record, self.store.get(record.record_id))

    def _known(self, identity: str) -> list[ConsentRecord]:
        """Return the newest of the user's own records that allows it, or the newest."""
        found = self.store.of_identity(identity)
        return ([record for record in found if self._allows(record)] or found)[:1]

    def _allows(self, record: ConsentRecord) -> bool:
        return why_not(record, self.wish.project, self.today) is None


def _is_renewed(revoked: ConsentRecord, records: Sequence[ConsentRecord]) -> bool:
    """True when another record was made after one was revoked: the person agreed again."""
    return revoked.revoked_at is not None and any(
        other.record_id != revoked.record_id and other.revoked_at is None and other.obtained_at >= revoked.revoked_at
        for other in records
    )


def require_reason(records: Sequence[ConsentRecord], reason: str | None) -> str:
    """Return the typed reason for which an output gets no watermark.

    Raises:
        ConsentError: no record of consent. UsageError: no reason that says anything.
    """
    if not records:
        raise ConsentError("--no-watermark needs a consent record; name one with --consent")
    if reason is None or len(reason.strip()) < MIN_REASON:
        raise UsageError(
            f"--no-watermark needs the reason in words, at least {MIN_REASON} letters; add --reason TEXT "
            "(it is kept in the consent record's history)"
        )
    return reason.strip()


def by_identity(values: Mapping[str, Sequence[ConsentRecord]]) -> dict[str, list[dict[str, object]]]:
    """Return records by identity as JSON values, for a model's `consent.json`."""
    return {name: [record.model_dump(mode="json") for record in records] for name, records in values.items()}
