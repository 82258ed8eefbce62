"""A record on its way: faceset, model, and what other records do to it there."""

from __future__ import annotations

from pathlib import Path

import pytest
from makers import tiny_config, tiny_consent, tiny_faceset, tiny_model

from faceswap.errors import ConsentError
from faceswap.facesets.combine import merge, split
from faceswap.facesets.store import FaceSet
from faceswap.models.checkpoint import find_checkpoint
from faceswap.models.swap_model import SwapModel
from faceswap.provenance.picture_mark import marks_in_picture
from faceswap.train.loop import train_model


def faceset_of(path: Path, actor: str, *names: str) -> FaceSet:
    faceset = FaceSet.open(tiny_faceset(path, actor))
    faceset.add_consents(tiny_consent(name) for name in names)
    return faceset


def test_a_faceset_keeps_copies_of_its_records(tmp_path: Path) -> None:
    faceset = faceset_of(tmp_path / "a", "anna", "anna", "estate")
    assert FaceSet.open(tmp_path / "a").consents() == (tiny_consent("anna"), tiny_consent("estate"))
    newer = tiny_consent("anna").noted("shown", "tests")
    faceset.add_consents([newer])
    assert set(faceset.consents()) == {newer, tiny_consent("estate")}
    assert FaceSet.open(tiny_faceset(tmp_path / "b", "bert")).consents() == ()


def test_a_record_that_was_changed_in_a_faceset_is_refused(tmp_path: Path) -> None:
    faceset = faceset_of(tmp_path / "a", "anna", "anna")
    with faceset.transaction() as database:
        database.execute("UPDATE meta SET value = replace(value, 'public_domain', 'licence') WHERE key = 'consents'")
    with pytest.raises(ConsentError, match="changed after the last line"):
        faceset.consents()


def test_records_go_along_when_facesets_are_merged_and_split(tmp_path: Path) -> None:
    one, two = faceset_of(tmp_path / "one", "anna", "anna"), faceset_of(tmp_path / "two", "anna", "estate")
    merge([one, two], tmp_path / "both")
    both = FaceSet.open(tmp_path / "both")
    assert set(both.consents()) == {tiny_consent("anna"), tiny_consent("estate")}
    (part,) = split(both, tmp_path / "parts", "clip")
    assert set(part.consents()) == set(both.consents())


def test_a_model_carries_the_records_of_its_facesets_and_training_warns_of_what_is_missing(tmp_path: Path) -> None:
    facesets = [faceset_of(tmp_path / "a", "anna", "anna").path, tiny_faceset(tmp_path / "b", "bert")]
    notes: list[str] = []
    train_model(facesets, tmp_path / "model", tiny_config(steps=2), device="cpu", on_note=notes.append)
    model = SwapModel.load(tmp_path / "model", device="cpu")
    assert model.consents == {"anna": (tiny_consent("anna"),)}
    warnings = [note for note in notes if note.startswith("warning")]
    assert len(warnings) == 1
    assert "faceswap consent new bert" in warnings[0]
    assert all(marks_in_picture(tmp_path / "model" / "preview.png"))


def test_training_warns_of_a_record_that_has_ended(tmp_path: Path) -> None:
    ended = tiny_consent("anna", scope={"end": "2020-01-31"})
    faceset = FaceSet.open(tiny_faceset(tmp_path / "a", "anna"))
    faceset.add_consents([ended])
    notes: list[str] = []
    facesets = [faceset.path, faceset_of(tmp_path / "b", "bert", "bert").path]
    train_model(facesets, tmp_path / "model", tiny_config(steps=1), device="cpu", on_note=notes.append)
    assert [note for note in notes if "ended on 2020-01-31" in note]


def test_models_of_earlier_versions_have_no_records(tmp_path: Path) -> None:
    checkpoint = find_checkpoint(tiny_model(tmp_path))
    assert checkpoint.has("consent")
    assert set(checkpoint.document("consent")) == {"anna", "bert"}
