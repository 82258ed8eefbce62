"""Records: their form, their history, what they allow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from makers import tiny_consent

import faceswap
from faceswap.errors import ConsentError, UsageError
from faceswap.provenance.consent import (
    ALWAYS_PROHIBITED,
    BASES,
    ConsentRecord,
    Subject,
    canonical,
    json_schema,
    new_record,
)
from faceswap.provenance.consent_rules import ConsentDesk, ConsentWish, require_reason, why_not
from faceswap.provenance.consent_store import ConsentStore, evidence_of, latest_of
from faceswap.provenance.plate import note_plate
from faceswap.provenance.wish import ProvenanceWish

ADULT = Subject(name="Anna", adult_attested=True)
TODAY = date(2026, 6, 15)


@pytest.fixture
def store(tmp_path: Path) -> ConsentStore:
    return ConsentStore(tmp_path / "consent")


def record_of(name: str = "anna", **over: Any) -> ConsentRecord:
    return tiny_consent(name, **over)


def records_for(
    store: ConsentStore,
    in_model: Sequence[ConsentRecord] = (),
    *,
    given: Sequence[str] = (),
    project: str | None = None,
    today: date = TODAY,
) -> tuple[ConsentRecord, ...]:
    return ConsentDesk(store, ConsentWish(tuple(given), project), today).records_for("anna", in_model)


def test_canonical_form_has_sorted_keys_and_no_spaces() -> None:
    assert canonical({"b": 1, "a": ["ö", None, True]}) == '{"a":["ö",null,true],"b":1}'.encode()


def test_records_survive_a_round_trip_and_keep_their_hash() -> None:
    record = new_record(ADULT, "written_consent", "me", scope={"end": "2028-01-31"})
    again = ConsentRecord.from_bytes(record.to_bytes(), "file")
    assert again == record
    assert again.sha256 == record.sha256 == record.noted("shown", "me").sha256
    assert again.problem is None


def test_numbers_with_a_fraction_have_no_place_in_a_record() -> None:
    def kinds(value: Any) -> set[type]:
        if isinstance(value, dict):
            return set().union(*map(kinds, value.values()))
        return set().union(*map(kinds, value)) if isinstance(value, list) else {type(value)}

    assert float not in kinds(json.loads(record_of().to_bytes()))


@pytest.mark.parametrize("field", ["basis", "reason", "obtained_by", "revoked_at"])
def test_a_body_that_was_changed_is_found(field: str) -> None:
    values = json.loads(record_of(revoked_at="2026-01-03T00:00:00Z").to_bytes())
    values[field] = None if field == "revoked_at" else "licence"
    with pytest.raises(ConsentError, match="changed after the last line"):
        ConsentRecord.from_values(values, "file")


@pytest.mark.parametrize("damage", ["edit", "drop", "swap"])
def test_a_history_that_was_changed_is_found(damage: str) -> None:
    values = json.loads(record_of().noted("one", "me").noted("two", "me").to_bytes())
    lines = values["audit"]
    if damage == "edit":
        lines[1]["by"] = "you"
    elif damage == "drop":
        del lines[1]
    else:
        lines[0], lines[1] = lines[1], lines[0]
    with pytest.raises(ConsentError, match="history was changed"):
        ConsentRecord.from_values(values, "file")


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"version": 2}', b"\xff", b"[" * 100_000])
def test_files_that_are_no_records_are_refused(data: bytes) -> None:
    with pytest.raises(ConsentError):
        ConsentRecord.from_bytes(data, "file")


def test_adulthood_has_to_be_attested() -> None:
    with pytest.raises(UsageError, match="--adult"):
        new_record(Subject(name="Anna", adult_attested=False), "licence", "me")


@pytest.mark.parametrize("reason", ["", "fun", " " * 40])
def test_parody_needs_a_reason(reason: str) -> None:
    with pytest.raises(UsageError, match="needs a reason"):
        new_record(ADULT, "parody_or_commentary", "me", reason=reason)


def test_an_estate_needs_its_representative() -> None:
    with pytest.raises(UsageError, match="representative"):
        new_record(ADULT, "estate", "me")


def test_what_is_always_prohibited_cannot_be_left_out() -> None:
    with pytest.raises(UsageError, match="prohibited in every record"):
        new_record(ADULT, "licence", "me", prohibited_uses=ALWAYS_PROHIBITED[1:])


def test_a_scope_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(UsageError, match="before it starts"):
        new_record(ADULT, "licence", "me", scope={"start": "2026-02-01", "end": "2026-01-01"})


def test_the_shipped_schema_is_the_records_own() -> None:
    shipped = Path(faceswap.__file__).parent / "provenance" / "consent.schema.json"
    assert json.loads(shipped.read_text()) == json_schema()
    assert set(json_schema()["properties"]["basis"]["enum"]) == set(BASES)


def test_a_record_is_private_and_found_by_the_beginning_of_its_id(store: ConsentStore) -> None:
    record = record_of()
    store.add(record)
    assert store.find("ann") == store.find(record.record_id) == record
    path = store.folder / f"{record.record_id}.json"
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0
    store.add(record_of("annabel"))
    with pytest.raises(UsageError, match="several"):
        store.find("ann")
    for word in ("", "bert", "../anna"):
        with pytest.raises(UsageError, match="no consent record"):
            store.find(word)


def test_a_record_out_of_a_file_is_kept_and_can_then_be_revoked(store: ConsentStore, tmp_path: Path) -> None:
    record = record_of()
    file = tmp_path / "anna.json"
    file.write_bytes(record.to_bytes())
    assert store.find_or_adopt(str(file)) == record
    revoked = store.revoke(record.record_id, "me", "asked")
    assert revoked.revoked_at is not None
    assert store.find_or_adopt(str(file)) == revoked
    with pytest.raises(UsageError, match="revoked already"):
        store.revoke(record.record_id, "me", "")


def test_a_record_that_cannot_be_revoked_is_revoked_for_a_reason_only(store: ConsentStore) -> None:
    record = record_of(revocable=False)
    store.add(record)
    with pytest.raises(UsageError, match="--reason"):
        store.revoke(record.record_id, "me", " ")
    assert store.revoke(record.record_id, "me", "the person asked").revoked_at is not None


def test_a_record_is_found_by_every_hash_it_had(store: ConsentStore) -> None:
    record = record_of()
    store.add(record)
    revoked = store.revoke(record.record_id, "me", "")
    assert revoked.sha256 != record.sha256
    assert store.by_sha256(record.sha256) == store.by_sha256(revoked.sha256) == revoked
    assert store.by_sha256("0" * 64) is None


def test_of_two_copies_the_revoked_one_counts() -> None:
    first = record_of()
    ours, theirs = first.noted("used", "me"), first.noted("revoked", "you", revoked_at="2026-01-03T00:00:00Z")
    assert latest_of(first, ours) == latest_of(ours, first) == ours
    assert latest_of(ours, theirs) == latest_of(theirs, ours) == theirs
    with pytest.raises(ConsentError, match="two different"):
        latest_of(first, record_of(reason="another").model_copy(update={"record_id": first.record_id}))


def test_what_a_record_allows() -> None:
    limited = record_of(scope={"projects": ["pilot"], "start": "2026-06-01", "end": "2026-06-30"})
    assert why_not(limited, "pilot", date(2026, 6, 1)) is why_not(limited, "pilot", date(2026, 6, 30)) is None
    cases = [
        ("pilot", date(2026, 5, 31), "holds from 2026-06-01"),
        ("pilot", date(2026, 7, 1), "ended on 2026-06-30"),
        (None, TODAY, "no project was named"),
        ("other", TODAY, "not for 'other'"),
    ]
    for project, today, words in cases:
        refusal = why_not(limited, project, today)
        assert refusal is not None
        assert words in refusal[0]
    assert "--project pilot" in why_not(limited, None, TODAY)[1]  # type: ignore[index]


def test_without_any_record_the_command_that_makes_one_is_named(store: ConsentStore) -> None:
    with pytest.raises(ConsentError, match=r"no consent on record .*faceswap consent new anna --basis BASIS --adult"):
        records_for(store)
    store.add(record_of())
    assert records_for(store) == (record_of(),)


def test_a_models_record_is_enough_and_revoking_it_here_stops_later_runs(store: ConsentStore) -> None:
    record = record_of()
    assert records_for(store, [record]) == (record,)
    store.add(record)
    store.revoke(record.record_id, "me", "")
    with pytest.raises(ConsentError, match="was revoked on"):
        records_for(store, [record])


def test_a_revoked_record_is_not_replaced_by_an_older_one(store: ConsentStore) -> None:
    record = record_of()
    store.add(record)
    older = record_of(record_id="anna-00000000aa", obtained_at="2025-01-01T00:00:00Z")
    store.add(older)
    store.revoke(record.record_id, "me", "")
    with pytest.raises(ConsentError, match="was revoked on"):
        records_for(store, [record], given=[older.record_id])
    newer = record_of(record_id="anna-00000000bb", obtained_at="2100-01-01T00:00:00Z")
    store.add(newer)
    assert records_for(store, [record], given=[newer.record_id]) == (newer,)


def test_an_ended_record_of_a_model_is_replaced_by_a_new_one(store: ConsentStore) -> None:
    ended = record_of(scope={"end": "2026-01-31"})
    with pytest.raises(ConsentError, match="ended on 2026-01-31"):
        records_for(store, [ended])
    store.add(fresh := record_of(record_id="anna-00000000cc"))
    assert records_for(store, [ended]) == (fresh,)


def test_a_record_can_be_given_for_one_identity(store: ConsentStore) -> None:
    store.add(record_of())
    store.add(other := record_of("nora"))
    desk = ConsentDesk(store, ConsentWish((f"bert={other.record_id}",)), TODAY)
    assert desk.records_for("bert", ()) == (other,)
    assert desk.records_for("anna", (record_of(),)) == (record_of(),)


def test_all_records_of_a_face_must_allow_it(store: ConsentStore) -> None:
    with pytest.raises(ConsentError, match="ended"):
        records_for(store, [record_of("one"), record_of("two", scope={"end": "2020-01-01"})])


def test_no_watermark_needs_a_record_and_a_reason_that_are_logged(store: ConsentStore) -> None:
    record = record_of()
    with pytest.raises(ConsentError, match="needs a consent record"):
        require_reason([], "a plate for the compositor")
    for reason in (None, "", "because"):
        with pytest.raises(UsageError, match="--reason"):
            require_reason([record], reason)
    reason = require_reason([record], "a plate for the compositor ")
    assert reason == "a plate for the compositor"
    note_plate([record], ProvenanceWish(reason=reason), Path("out.mov"), store)  # it gets its watermark
    assert store.get(record.record_id) is None
    note_plate([record], ProvenanceWish(no_watermark=True, reason=reason), Path("out.mov"), store)
    last = store.find(record.record_id).audit[-1]
    assert (last.what, last.details) == ("made an output without watermark", "out.mov: a plate for the compositor")
    assert store.find(record.record_id).problem is None


def test_evidence_is_kept_as_a_hash(tmp_path: Path) -> None:
    (tmp_path / "release.pdf").write_bytes(b"signed")
    words = [str(tmp_path / "release.pdf"), f"contract={tmp_path / 'release.pdf'}"]
    found = evidence_of(words)
    assert [each["kind"] for each in found] == ["pdf", "contract"]
    assert {len(each["sha256"]) for each in found} == {64}
    with pytest.raises(UsageError, match="no file"):
        evidence_of(["contract=nowhere.pdf"])


def test_a_record_that_is_given_has_to_be_of_the_person(store: ConsentStore) -> None:
    store.add(nora := record_of("nora"))
    with pytest.raises(UsageError, match=rf"is of 'nora', not of 'anna'; .*--consent anna={nora.record_id}"):
        records_for(store, given=[nora.record_id])
    assert records_for(store, given=[f"anna={nora.record_id}"]) == (nora,)
    store.add(anna := record_of())
    assert records_for(store, given=[nora.record_id, anna.record_id]) == (anna,)


def test_a_damaged_record_does_not_hide_the_others(store: ConsentStore) -> None:
    store.add(record := record_of())
    (store.folder / "zed-0000000000.json").write_text("{}")
    (store.folder / "dir-0000000000.json").mkdir()
    whole, damaged = store.whole_and_damaged()
    assert whole == [record]
    assert len(damaged) == 1
    assert "zed-0000000000.json" in damaged[0]
    assert "move that file out" in damaged[0]
