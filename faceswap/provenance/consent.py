"""Consent records: who agreed to what, as JSON that can be hashed, checked and shown years later.

A record has a body and a history. The body's SHA-256 is what goes into outputs; the record itself stays private. Each
line of the history holds the body's hash at that moment and the hash of the line before it: a body or a line that was
changed afterwards no longer fits. Field by field: docs/formats/consent.md.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, model_validator

from faceswap.config import Settings, validated
from faceswap.errors import ConsentError, UsageError

Basis = Literal[
    "written_consent", "licence", "employment", "own_likeness", "estate", "parody_or_commentary", "public_domain"
]
BASES: tuple[str, ...] = get_args(Basis)
ALWAYS_PROHIBITED = ("sexual or intimate content", "fraud or impersonation", "harassment")
"""No record can allow these."""
MIN_REASON = 15
"""Letters of a typed reason; fewer say nothing."""
MAX_BYTES = 1 << 20
"""Of a record's file."""
_FIRST = "0" * 64
"""What the first line of a history names as the hash of the line before it."""

Text = Annotated[str, Field(max_length=2000)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Moment = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
"""UTC, to the second."""


class Subject(Settings):
    """Whose face it is."""

    name: Name
    is_pseudonym: bool = False
    identities: tuple[Name, ...] = ()
    """Names under which models and facesets know the person, besides `name`."""
    adult_attested: bool
    """Whoever made the record attests that the person is an adult in all the material."""
    status: Literal["living", "deceased"] = "living"
    representative: Text = ""
    """Of the estate or the union."""

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *self.identities)


class Scope(Settings):
    """What was agreed to; an empty list = not limited."""

    projects: tuple[Name, ...] = ()
    characters: tuple[Name, ...] = ()
    uses: tuple[Name, ...] = ()
    media: tuple[Name, ...] = ()
    territory: tuple[Name, ...] = ()
    start: date | None = None
    """First day, UTC."""
    end: date | None = None
    """Last day, UTC."""

    @model_validator(mode="after")
    def _is_in_order(self) -> Scope:
        if self.start and self.end and self.end < self.start:
            raise ValueError(f"the scope ends on {self.end}, before it starts on {self.start}")
        return self


class Evidence(Settings):
    """A document that is kept elsewhere, by its hash."""

    kind: Name
    sha256: Sha256


class HistoryLine(Settings):
    """One thing that happened to a record."""

    at: Moment
    by: Name
    what: Name
    details: Text = ""
    record_sha256: Sha256
    """Of the body from then on."""
    previous_sha256: Sha256
    """Of the line before."""
    sha256: Sha256
    """Of this line without this field."""


class ConsentRecord(Settings):
    """One agreement."""

    version: Literal[1] = 1
    """Of this format."""
    record_id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}-[0-9a-f]{10}$")]
    subject: Subject
    basis: Basis
    reason: Text = ""
    """In whoever's words; needed for parody_or_commentary."""
    scope: Scope = Scope()
    prohibited_uses: tuple[Name, ...] = ALWAYS_PROHIBITED
    revocable: bool = True
    evidence: tuple[Evidence, ...] = ()
    obtained_at: Moment
    obtained_by: Name
    revoked_at: Moment | None = None
    audit: tuple[HistoryLine, ...] = ()

    @model_validator(mode="after")
    def _is_sensible(self) -> ConsentRecord:
        if self.basis == "parody_or_commentary" and len(self.reason.strip()) < MIN_REASON:
            raise ValueError(f"parody_or_commentary needs a reason of at least {MIN_REASON} letters")
        if self.basis == "estate" and not self.subject.representative.strip():
            raise ValueError("estate needs the representative's name")
        missing = [use for use in ALWAYS_PROHIBITED if use not in self.prohibited_uses]
        if missing:
            raise ValueError(f"{missing[0]!r} is prohibited in every record")
        return self

    @property
    def sha256(self) -> str:
        """Of the body: what marks and manifests carry."""
        return _sha256(self._body())

    @property
    def past_sha256s(self) -> frozenset[str]:
        """Every hash that the body has had."""
        return frozenset({self.sha256, *(line.record_sha256 for line in self.audit)})

    def _body(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude={"audit"})

    def to_bytes(self) -> bytes:
        """Return the canonical JSON: UTF-8, sorted keys, no white space, no floats."""
        return canonical(self.model_dump(mode="json"))

    @classmethod
    def from_values(cls, values: Mapping[str, Any], where: str) -> ConsentRecord:
        """Return a record whose history fits it.

        Raises:
            ConsentError: not a record, or changed by hand.
        """
        try:
            record = validated(cls, values, where)
        except UsageError as error:
            raise ConsentError(f"not a consent record: {error}") from error
        if (problem := record.problem) is not None:
            raise ConsentError(f"{where}: {problem}; take an unchanged copy of it, or make a new record")
        return record

    @classmethod
    def from_bytes(cls, data: bytes, where: str) -> ConsentRecord:
        """Return the record of a JSON file; as `from_values`."""
        if len(data) > MAX_BYTES:
            raise ConsentError(f"{where} is too large for a consent record")
        try:
            values = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ConsentError(f"{where} is not a consent record ({error})") from error
        return cls.from_values(values, where)

    @property
    def problem(self) -> str | None:
        """What does not fit between the body and its history; None = all fits."""
        if not self.audit:
            return "the record has no history"
        previous = _FIRST
        for number, line in enumerate(self.audit, start=1):
            if line.previous_sha256 != previous or line.sha256 != _line_sha256(line.model_dump(mode="json")):
                return f"line {number} of the record's history was changed or lines before it are missing"
            previous = line.sha256
        if self.audit[-1].record_sha256 != self.sha256:
            return "the record was changed after the last line of its history"
        return None

    def noted(self, what: str, by: str, details: str = "", *, at: str | None = None, **changes: Any) -> ConsentRecord:
        """Return the record with a line added to its history.

        Args:
            changes: fields of the body that get other values.
        """
        record = validated(type(self), self.model_dump(mode="json") | changes, f"record {self.record_id}")
        line = {
            "at": at or moment(),
            "by": by,
            "what": what,
            "details": details,
            "record_sha256": record.sha256,
            "previous_sha256": self.audit[-1].sha256 if self.audit else _FIRST,
        }
        last = HistoryLine(**line, sha256=_line_sha256(line))
        return record.model_copy(update={"audit": (*self.audit, last)})


def new_record(subject: Subject, basis: str, by: str, **fields: Any) -> ConsentRecord:
    """Return a new record, with the first line of its history.

    Args:
        by: who obtained the consent and writes the record. fields: as in `ConsentRecord`.

    Raises:
        UsageError: values that cannot be meant, or no attestation of adulthood.
    """
    if not subject.adult_attested:
        raise UsageError(
            f"{subject.name}: a record needs the attestation that the person is an adult in all the material; "
            "add --adult if that is so; faces of minors must not be used"
        )
    slug = re.sub(r"[^a-z0-9]+", "-", subject.name.lower()).strip("-")[:40].strip("-") or "record"
    now = moment()
    values = {
        "record_id": f"{slug}-{secrets.token_hex(5)}",
        "subject": subject.model_dump(mode="json"),
        "basis": basis,
        "obtained_at": now,
        "obtained_by": by,
        **fields,
    }
    return validated(ConsentRecord, values, "consent record").noted("made", by, at=now)


def user_name() -> str:
    """Return the login name of whoever runs this."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such user, as in some containers
        return "unknown"


def moment(time: datetime | None = None) -> str:
    """Return a time (now) as it stands in records."""
    return (time or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def canonical(values: Any) -> bytes:
    """Return JSON values as the bytes that are hashed."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a record: what `consent.schema.json` beside this file holds."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **ConsentRecord.model_json_schema()}


def _sha256(values: Any) -> str:
    return hashlib.sha256(canonical(values)).hexdigest()


def _line_sha256(line: Mapping[str, Any]) -> str:
    return _sha256({key: value for key, value in line.items() if key != "sha256"})


def as_records(values: Any, where: str) -> tuple[ConsentRecord, ...]:
    """Return the records that a faceset or a model holds as a JSON list.

    Raises:
        ConsentError: not a list of records, or one was changed by hand.
    """
    if not isinstance(values, list):
        raise ConsentError(f"{where} holds no list of consent records")
    return tuple(ConsentRecord.from_values(value, where) for value in values)
