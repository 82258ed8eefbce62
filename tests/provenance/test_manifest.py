"""Signed manifests: keys, files of every kind, parents, tampering."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from clips import make_clip

from faceswap.errors import ProvenanceError, UsageError
from faceswap.media.picture_texts import PictureTexts
from faceswap.provenance.attach import attach
from faceswap.provenance.manifest import (
    ManifestFacts,
    format_of,
    parent_of,
    sidecar_of,
    sign_bytes,
    sign_file,
)
from faceswap.provenance.manifest_reader import read_manifest
from faceswap.provenance.mark import Mark
from faceswap.provenance.mark_id import BITS, MarkId, id_of_text, id_text, mark_id
from faceswap.provenance.signer import Signer, installation_signer, signer_of
from faceswap.provenance.verify import verify_clip
from faceswap.provenance.wish import ProvenanceWish

MARK = Mark("ab" * 32, consent_sha256="cd" * 32, id="00112233aa")
WHEN = "2026-01-02T03:04:05Z"


@pytest.fixture(scope="module")
def signer() -> Signer:
    return installation_signer()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "in.mp4", num_frames=4)


def media(path: Path) -> Path:
    """Write a small file of the kind that its name asks for."""
    if path.suffix in (".png", ".jpg", ".webp", ".tif"):
        assert cv2.imwrite(str(path), np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3))
    elif path.suffix == ".avi":
        with av.open(str(path), "w") as made:
            stream = made.add_stream("mjpeg", rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
            made.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8)).reformat(format="yuvj420p"))
            )
            made.mux(stream.encode(None))
    elif path.suffix == ".exr":
        exr = pytest.importorskip("OpenEXR")
        with exr.File({"type": exr.scanlineimage}, {"R": np.zeros((8, 8), np.float16)}) as file:
            file.write(str(path))
    else:
        make_clip(path if path.suffix != ".webm" else path.with_suffix(".mkv"), num_frames=4)
        if path.suffix == ".webm":
            path.with_suffix(".mkv").rename(path)
    return path


def sign(path: Path, signer: Signer, parent: Path | None = None, *, watermark: MarkId | None = None) -> Path:
    """Sign a file in its place."""
    kind = format_of(path)
    signed = path.with_name("signed.tmp")
    facts = ManifestFacts(path.name, MARK, WHEN, watermark)
    sign_file(path, signed, kind, facts, parent_of(parent or path), signer)
    os.replace(signed, path if kind else sidecar_of(path))
    return path


def read_elsewhere(path: Path) -> dict:
    """Return what c2pa's own reader says of a file, in a process that has nothing of ours."""
    program = (
        "import c2pa, json, sys, pathlib\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "side = path.with_suffix('.c2pa')\n"
        "data = side.read_bytes() if side.exists() else None\n"
        "kind = 'application/octet-stream' if data else None\n"
        "with path.open('rb') as file: print(c2pa.Reader(kind, file, data).json())\n"
        "assert not any(name.startswith('faceswap') for name in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, cwd=path.parent)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "suffix", [".mp4", ".mov", ".avi", ".png", ".jpg", ".webp", ".tif", ".mkv", ".webm", ".ts", ".exr"]
)
def test_a_manifest_validates_in_an_independent_process(
    tmp_path: Path, signer: Signer, source: Path, suffix: str
) -> None:
    path = sign(media(tmp_path / f"out{suffix}"), signer, source, watermark=MarkId(0x00112233AA))
    is_inside = suffix not in (".mkv", ".webm", ".ts", ".exr")
    assert sidecar_of(path).exists() != is_inside
    store = read_elsewhere(path)
    assert store["validation_state"] == "Valid"
    assert [status["code"] for status in store["validation_status"]] == ["signingCredential.untrusted"]
    manifest = store["manifests"][store["active_manifest"]]
    (parent,) = manifest["ingredients"]
    assert (parent["title"], parent["relationship"]) == ("in.mp4", "parentOf")
    said = {assertion["label"]: assertion["data"] for assertion in manifest["assertions"]}
    opened, edited = said["c2pa.actions.v2"]["actions"]
    assert opened["action"] == "c2pa.opened"
    assert opened["parameters"]["ingredients"][0]["url"].endswith("c2pa.ingredient.v3")
    assert edited["action"] == "c2pa.edited"
    assert edited["digitalSourceType"].endswith("/compositeWithTrainedAlgorithmicMedia")
    assert edited["softwareAgent"]["name"] == "faceswap"
    assert edited["parameters"]["faceswap.model_sha256"] == "ab" * 32
    assert edited["parameters"]["faceswap.consent_sha256"] == "cd" * 32
    assert said["c2pa.soft-binding"]["blocks"][0]["value"] == "00112233aa"
    found = read_manifest(path)
    assert found is not None
    assert (found.fits, found.is_ours, found.is_trusted) == (True, True, False)
    assert (found.mark_id, found.models, found.consents) == (MARK.id, MARK.models, MARK.consents)
    assert (found.when, found.is_dated, found.watermark) == (WHEN, False, "00112233aa")


def test_signing_leaves_the_pictures_as_they_are(tmp_path: Path, signer: Signer) -> None:
    def frames(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [frame.to_ndarray().tobytes() for frame in container.decode(video=0)]

    path = media(tmp_path / "out.mp4")
    before = frames(path)
    assert frames(sign(path, signer)) == before


def test_a_watermark_is_only_named_where_there_is_one(tmp_path: Path, signer: Signer) -> None:
    path = sign(media(tmp_path / "out.png"), signer)
    found = read_manifest(path)
    assert found is not None
    assert found.watermark == ""
    report = verify_clip(path, find_watermark=lambda _: pytest.fail("the manifest says that there is none"))
    assert (report.verdict, report.has_looked) == ("intact", False)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_the_manifest_of_the_source_is_kept_as_the_parents(tmp_path: Path, signer: Signer, suffix: str) -> None:
    first = sign(media(tmp_path / f"first{suffix}"), signer)
    store = read_elsewhere(sign(media(tmp_path / "second.mov"), signer, first))
    assert len(store["manifests"]) == 2
    manifest = store["manifests"][store["active_manifest"]]
    assert manifest["ingredients"][0]["active_manifest"] in store["manifests"]
    assert store["validation_state"] == "Valid"


def test_a_source_with_a_broken_manifest_is_still_named(tmp_path: Path, signer: Signer) -> None:
    first = sign(media(tmp_path / "first.mkv"), signer)
    sidecar_of(first).write_bytes(b"garbage")
    found = read_manifest(sign(media(tmp_path / "second.mov"), signer, first))
    assert found is not None
    assert (found.parent, found.fits) == ("first.mkv", True)


@pytest.mark.parametrize("suffix", [".mp4", ".png", ".mkv"])
@pytest.mark.parametrize("seed", range(8))
def test_tampering_is_found(tmp_path: Path, signer: Signer, suffix: str, seed: int) -> None:
    path = sign(media(tmp_path / f"out{suffix}"), signer)
    data = bytearray(path.read_bytes())
    body = {".mp4": data.find(b"mdat") + 4, ".png": data.find(b"IDAT") + 4, ".mkv": 600}[suffix]
    end = {".mp4": data.find(b"mdat") - 4 + int.from_bytes(data[data.find(b"mdat") - 4 : data.find(b"mdat")], "big")}
    place = int(np.random.default_rng(seed).integers(body, min(end.get(suffix, len(data)), len(data) - 16)))
    data[place] ^= 1 << seed % 8
    path.write_bytes(data)
    found = read_manifest(path)
    assert found is not None
    assert not found.fits


def test_files_without_a_manifest_have_none(tmp_path: Path) -> None:
    for suffix in (".mp4", ".png", ".mkv"):
        assert read_manifest(media(tmp_path / f"plain{suffix}")) is None
    (tmp_path / "no.mp4").write_bytes(b"not a clip")
    assert read_manifest(tmp_path / "no.mp4") is None


def test_another_files_sidecar_is_not_read_for_a_kind_that_holds_its_own(tmp_path: Path, signer: Signer) -> None:
    sign(media(tmp_path / "out.mkv"), signer)
    assert read_manifest(media(tmp_path / "out.mp4")) is None


def test_sidecars_of_long_names_have_names_that_can_be(tmp_path: Path) -> None:
    assert sidecar_of(tmp_path / "out.mkv").name == "out.c2pa"
    long = [sidecar_of(tmp_path / f"{letter * 251}.mkv").name for letter in "ab"]
    assert len(set(long)) == 2
    assert all(len(name) <= 255 and name.endswith(".c2pa") for name in long)


def test_large_avi_files_get_a_sidecar(tmp_path: Path) -> None:
    assert format_of(tmp_path / "a.avi", 1 << 20) == "video/x-msvideo"
    assert format_of(tmp_path / "a.avi", 1 << 31) is None


def test_signing_can_be_stopped(tmp_path: Path, signer: Signer, source: Path) -> None:
    def stop(_: int) -> None:
        raise UsageError("stopped")

    with pytest.raises(UsageError, match="stopped"):
        sign_file(
            source, tmp_path / "out.mp4", "video/mp4", ManifestFacts("x", MARK, WHEN), parent_of(source), signer, stop
        )


def test_the_key_of_an_installation_is_made_once_and_private(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        signers = set(pool.map(lambda _: installation_signer(tmp_path / "keys").key, range(8)))
    assert len(signers) == 1
    (file,) = (tmp_path / "keys").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert b"PRIVATE" not in installation_signer(tmp_path / "keys").certificates
    assert "BEGIN" not in repr(installation_signer(tmp_path / "keys"))


def _key_in(folder: Path) -> bytes:
    return installation_signer(folder).key


def test_processes_that_start_together_agree_on_the_key(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert len(set(pool.map(_key_in, [tmp_path / "keys"] * 3))) == 1


def test_a_damaged_key_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "signer.pem").write_text("nothing")
    with pytest.raises(ProvenanceError, match=r"signer\.pem is damaged"):
        installation_signer(tmp_path)


def test_a_key_from_the_future_is_named_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ahead(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(days=40)

    with monkeypatch.context() as patch:
        patch.setattr("faceswap.provenance.signer.datetime", Ahead)
        key = installation_signer(tmp_path).key
    with pytest.raises(ProvenanceError, match=r"signer\.pem is good from .* on, and this machine's clock says"):
        installation_signer(tmp_path)
    assert key in (tmp_path / "signer.pem").read_bytes()


def own_certificate(folder: Path, curve: str = "secp384r1", *, is_fit: bool = True) -> tuple[Path, Path]:
    """Write a certificate of somebody's own, with its key and the authority that signed it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    curves = {"secp384r1": ec.SECP384R1(), "secp256k1": ec.SECP256K1()}
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(curves[curve])
    names = [x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, text)]) for text in ("Authority", "Studio")]
    now = datetime.now(UTC)

    def certificate(subject: int, public, extensions) -> bytes:  # type: ignore[no-untyped-def]
        made = x509.CertificateBuilder().subject_name(names[subject]).issuer_name(names[0]).public_key(public)
        made = made.serial_number(x509.random_serial_number())
        made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=30))
        for extension, is_critical in extensions:
            made = made.add_extension(extension, is_critical)
        return made.sign(root_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign"), False
    )
    usage |= {"encipher_only": False, "decipher_only": False}
    own = x509.KeyUsage(digital_signature=True, key_cert_sign=False, **usage)
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key())
    purpose = x509.ExtendedKeyUsage(
        [ExtendedKeyUsageOID.EMAIL_PROTECTION if is_fit else ExtendedKeyUsageOID.CODE_SIGNING]
    )
    leaf = certificate(
        1,
        key.public_key(),
        [(x509.BasicConstraints(False, None), True), (own, True), (purpose, False), (authority, False)],
    )
    root = certificate(0, root_key.public_key(), [(x509.BasicConstraints(True, 0), True)])
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    (folder / "cert.pem").write_bytes(leaf + root)
    (folder / "key.pem").write_bytes(private)
    return folder / "cert.pem", folder / "key.pem"


def test_the_users_own_certificate_signs(tmp_path: Path) -> None:
    certificate, key = own_certificate(tmp_path)
    signer = signer_of(ProvenanceWish(certificate=certificate, key=key))
    assert signer.algorithm == "es384"
    found = read_manifest(sign(media(tmp_path / "out.mp4"), signer))
    assert found is not None
    assert (found.signer, found.fits) == ("Studio", True)


def test_certificates_that_cannot_be_used_are_refused_before_any_work(tmp_path: Path) -> None:
    certificate, key = own_certificate(tmp_path)
    (tmp_path / "other").mkdir()
    other, other_key = own_certificate(tmp_path / "other", is_fit=False)
    cases: list[tuple[Path | None, Path | None, type[Exception], str]] = [
        (certificate, None, UsageError, "go together"),
        (certificate, other_key, UsageError, "is not the key"),
        (tmp_path / "no.pem", key, UsageError, "cannot read"),
        (key, key, UsageError, "no PEM certificate"),
        (certificate, certificate, UsageError, "cannot be used"),
        (other, other_key, ProvenanceError, "not fit for C2PA"),
    ]
    for chain, private, kind, words in cases:
        with pytest.raises(kind, match=words):
            signer_of(ProvenanceWish(certificate=chain, key=private))
    with pytest.raises(UsageError, match="not the address"):
        signer_of(ProvenanceWish(time_authority="clock.example"))


def test_a_time_service_that_does_not_answer_is_named(signer: Signer) -> None:
    asking = Signer(signer.certificates, signer.key, signer.algorithm, "http://127.0.0.1:9/")
    png = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    with pytest.raises(UsageError, match=r"127\.0\.0\.1:9/ did not answer"):
        sign_bytes(png, "image/png", ManifestFacts("x.png", MARK, WHEN), None, asking)


def test_ids_are_the_same_for_the_same_facts_only() -> None:
    numbers = [mark_id(b"secret", facts) for facts in (["a", "b"], ["a", "b"], ["ab", ""], ["b", "a"])]
    numbers.append(mark_id(b"other", ["a", "b"]))
    assert numbers[0] == numbers[1]
    assert len(set(numbers)) == 4
    assert all(0 <= number < 2**BITS and id_of_text(id_text(number)) == number for number in numbers)
    assert id_of_text("00") is id_of_text("../../../x") is None


def marked_png(path: Path) -> Path:
    from faceswap.media.picture_texts import png_with_texts
    from faceswap.provenance.picture_mark import texts_of

    texts: PictureTexts = texts_of(MARK)
    path.write_bytes(png_with_texts(cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes(), texts))
    return path


def test_what_comes_back_from_editing_is_signed_again(tmp_path: Path, signer: Signer) -> None:
    output = sign(marked_png(tmp_path / "swapped.png"), signer)
    edited = media(tmp_path / "graded.png")
    done = attach(edited, output)
    assert (done.manifest, done.notes) == (edited, ())
    store = read_elsewhere(edited)
    assert len(store["manifests"]) == 2
    found = read_manifest(edited)
    assert found is not None
    assert (found.parent, found.fits, found.models) == ("swapped.png", True, MARK.models)
    attach(edited, output)  # as if the editing program had signed it too
    assert len(read_elsewhere(edited)["manifests"]) == 3
    assert read_elsewhere(edited)["validation_state"] == "Valid"
    clip = media(tmp_path / "graded.mkv")
    assert attach(clip, output).manifest == tmp_path / "graded.c2pa"
    assert read_manifest(clip) is not None
    with pytest.raises(ProvenanceError, match="no mark of faceswap"):
        attach(edited, media(tmp_path / "plain.png"))
    with pytest.raises(UsageError, match="both the file and its parent"):
        attach(output, output)


@pytest.mark.parametrize(
    "said", [{"model_sha256": 7}, {"model_sha256": None, "id": []}, [], "text", {"model_sha256": [1]}]
)
def test_strange_words_in_an_assertion_of_our_name_do_no_harm(
    tmp_path: Path, signer: Signer, monkeypatch: pytest.MonkeyPatch, said: object
) -> None:
    from faceswap.provenance import manifest

    real = manifest._definition

    def strange(*arguments: object, **named: object) -> dict:
        definition = real(*arguments, **named)  # type: ignore[arg-type]
        definition["assertions"][1]["data"] = said
        return definition

    path = media(tmp_path / "out.png")
    parent = parent_of(path)
    monkeypatch.setattr(manifest, "_definition", strange)
    sign_file(path, tmp_path / "signed.png", "image/png", ManifestFacts("out.png", MARK, WHEN), parent, signer)
    found = read_manifest(tmp_path / "signed.png")
    assert found is not None
    assert found.models in ((), ("1",))
