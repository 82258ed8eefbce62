"""`faceswap consent`: records of who agreed to what."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from faceswap.cli.command import Run, command, examples

if TYPE_CHECKING:
    from faceswap.provenance.consent import ConsentRecord

app = typer.Typer(
    help="Records of who agreed to what; `convert` needs one for each face that it shows. Not legal advice.",
    no_args_is_help=True,
)
_WORD = Annotated[str, typer.Argument(metavar="ID", help="Id of a record, or its beginning.")]
_BY = Annotated[str | None, typer.Option("--by", help="Who does this; default: your login name.")]
_JSON = Annotated[bool, typer.Option("--json", help="JSON Lines on stdout.")]


@command(
    app,
    examples(
        "faceswap consent new data-tng --basis written_consent --adult --evidence release.pdf",
        'faceswap consent new "Jane Doe" --identity jane --basis licence --adult --project pilot --end 2028-12-31',
        "faceswap consent new me --basis own_likeness --adult",
        'faceswap consent new picard --basis parody_or_commentary --adult --reason "fan sketch about the series finale"',
    ),
)
def new(
    run: Run,
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The person whose face it is, or a pseudonym.")],
    basis: Annotated[
        str,
        typer.Option(
            help="written_consent, licence, employment, own_likeness, estate, parody_or_commentary or public_domain."
        ),
    ],
    adult: Annotated[
        bool, typer.Option("--adult", help="I attest that the person is an adult in all the material.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why, in words; needed for parody_or_commentary.")] = "",
    pseudonym: Annotated[bool, typer.Option("--pseudonym", help="NAME is a pseudonym.")] = False,
    identity: Annotated[
        list[str] | None, typer.Option(help="Name of the person in facesets and models, if not NAME; repeatable.")
    ] = None,
    deceased: Annotated[bool, typer.Option("--deceased", help="The person has died.")] = False,
    representative: Annotated[str, typer.Option(help="Representative of the estate or the union.")] = "",
    project: Annotated[list[str] | None, typer.Option(help="Only for this project; repeatable.")] = None,
    character: Annotated[list[str] | None, typer.Option(help="Only as this character; repeatable.")] = None,
    use: Annotated[list[str] | None, typer.Option(help="Only for this use, e.g. series; repeatable.")] = None,
    media: Annotated[list[str] | None, typer.Option(help="Only in these media; repeatable.")] = None,
    territory: Annotated[list[str] | None, typer.Option(help="Only there; repeatable.")] = None,
    start: Annotated[str | None, typer.Option(help="First day, like 2026-01-31 (UTC).")] = None,
    end: Annotated[str | None, typer.Option(help="Last day, like 2028-12-31 (UTC).")] = None,
    prohibit: Annotated[list[str] | None, typer.Option(help="A further prohibited use; repeatable.")] = None,
    irrevocable: Annotated[bool, typer.Option("--irrevocable", help="The agreement cannot be revoked.")] = False,
    evidence: Annotated[
        list[str] | None,
        typer.Option(help="A document, FILE or KIND=FILE: its hash is kept, not the file; repeatable."),
    ] = None,
    by: _BY = None,
    as_json: _JSON = False,
) -> None:
    """Make a record; extract --consent ID puts it into a faceset, from where it reaches models and outputs."""
    from faceswap.config import validated
    from faceswap.provenance.consent import ALWAYS_PROHIBITED, Subject, new_record, user_name
    from faceswap.provenance.consent_store import ConsentStore, evidence_of

    run.console.is_json = as_json
    subject = {
        "name": name,
        "is_pseudonym": pseudonym,
        "identities": identity or [],
        "adult_attested": adult,
        "status": "deceased" if deceased else "living",
        "representative": representative,
    }
    scope = {
        "projects": project or [],
        "characters": character or [],
        "uses": use or [],
        "media": media or [],
        "territory": territory or [],
        "start": start,
        "end": end,
    }
    record = new_record(
        validated(Subject, subject, "consent record"),
        basis,
        by or user_name(),
        reason=reason,
        scope=scope,
        prohibited_uses=[*ALWAYS_PROHIBITED, *(use for use in prohibit or [] if use not in ALWAYS_PROHIBITED)],
        revocable=not irrevocable,
        evidence=evidence_of(evidence or []),
    )
    ConsentStore.of_user().add(record)
    run.console.event("consent", **_values(record))
    if not record.evidence and basis in ("written_consent", "licence", "employment", "estate"):
        run.console.note("no evidence was named; --evidence FILE keeps the hash of a signed document in the record")
    run.console.result(
        f"made {record.record_id}; next: faceswap extract CLIP -o FACESET --actor {name} --consent {record.record_id} "
        "(or the same option of convert, for a model that has none)"
    )


@command(app, examples("faceswap consent show data-tng-3f", "faceswap consent show data-tng-3f --json"))
def show(run: Run, word: _WORD, as_json: _JSON = False) -> None:
    """Show one record with its history."""
    from faceswap.provenance.consent_store import ConsentStore

    run.console.is_json = as_json
    record = ConsentStore.of_user().find(word)
    run.console.event("consent", **_values(record))
    run.console.result(_words(record))


@command(app, examples("faceswap consent list", "faceswap consent list --json"), name="list")
def list_records(run: Run, as_json: _JSON = False) -> None:
    """List all records of this user."""
    from faceswap.errors import ConsentError
    from faceswap.provenance.consent_store import ConsentStore

    run.console.is_json = as_json
    records, damaged = ConsentStore.of_user().whole_and_damaged()
    for record in records:
        run.console.event("consent", **_values(record))
        run.console.result(f"{record.record_id}  {record.subject.name!a}  {record.basis}  {_state(record)}")
    if damaged:
        raise ConsentError("; ".join(damaged))
    if not records:
        run.console.result("no consent records; make one: faceswap consent new NAME --basis BASIS --adult")


@command(
    app,
    examples(
        "faceswap consent revoke data-tng-3f", 'faceswap consent revoke data-tng-3f --reason "asked for it by letter"'
    ),
)
def revoke(
    run: Run,
    word: _WORD,
    reason: Annotated[str, typer.Option(help="Why, in words; kept in the history.")] = "",
    by: _BY = None,
) -> None:
    """Revoke a record: every later run that would use it is refused, also with models that were trained before."""
    from faceswap.provenance.consent import user_name
    from faceswap.provenance.consent_store import ConsentStore

    record = ConsentStore.of_user().revoke(word, by or user_name(), reason)
    run.console.result(f"{record.record_id} is revoked; outputs made before are still marked with it")


@command(
    app,
    examples(
        "faceswap consent export data-tng-3f -o data-tng.consent.json",
        "faceswap consent export data-tng-3f -o data-tng/consent.json --overwrite",
    ),
)
def export(
    run: Run,
    word: _WORD,
    output: Annotated[Path, typer.Option("--output", "-o", help="A .json file, e.g. for another machine's --consent.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that exists.")] = False,
) -> None:
    """Write a record as canonical JSON."""
    from faceswap.errors import UsageError
    from faceswap.files import disk_errors_named, write_atomic
    from faceswap.provenance.consent_store import ConsentStore

    record = ConsentStore.of_user().find(word)
    if output.exists() and not overwrite:
        raise UsageError(f"{output} exists; use --overwrite to replace it, or another -o")
    with disk_errors_named(output):
        write_atomic(output, record.to_bytes())
    run.console.result(
        f"{output}: {record.record_id}, SHA-256 of its body {record.sha256}; it names a person: keep it private"
    )


def _values(record: ConsentRecord) -> dict[str, Any]:
    return {**record.model_dump(mode="json"), "sha256": record.sha256}


def _state(record: ConsentRecord) -> str:
    if record.revoked_at is not None:
        return f"revoked on {record.revoked_at[:10]}"
    return f"ends on {record.scope.end}" if record.scope.end else "no end"


def _words(record: ConsentRecord) -> str:
    """Return a record for people; its texts are shown escaped, since files come from anywhere."""
    subject, scope = record.subject, record.scope
    limits = {
        "projects": scope.projects,
        "characters": scope.characters,
        "uses": scope.uses,
        "media": scope.media,
        "territory": scope.territory,
    }
    rows = [
        ("record", record.record_id),
        ("sha256", record.sha256),
        ("person", f"{subject.name!a}{' (pseudonym)' if subject.is_pseudonym else ''}, {subject.status}"),
        *([("in models", ", ".join(map(ascii, subject.identities)))] if subject.identities else []),
        *([("represented", ascii(subject.representative))] if subject.representative else []),
        ("adult", "attested" if subject.adult_attested else "not attested"),
        ("basis", record.basis),
        *([("reason", ascii(record.reason))] if record.reason else []),
        *((key, ", ".join(map(ascii, values))) for key, values in limits.items() if values),
        ("from", str(scope.start or "the beginning")),
        ("to", str(scope.end or "no end")),
        ("prohibited", ", ".join(map(ascii, record.prohibited_uses))),
        ("state", _state(record) + ("" if record.revocable else ", cannot be revoked")),
        *(("evidence", f"{each.kind!a} {each.sha256}") for each in record.evidence),
        *(("history", f"{line.at}  {line.what!a} by {line.by!a} {line.details!a}") for line in record.audit),
    ]
    return "\n".join(f"{key:<12}{text}" for key, text in rows)
