"""The key and certificates that manifests are signed with.

An installation makes its own once: a root that signs one certificate and is then forgotten. What C2PA asks of
certificates (specification 2.2, 14.5.1): version 3, not self-signed, digitalSignature only, an extended usage, key
identifiers. Nobody knows our root, so that readers say "untrusted"; whoever needs trust brings a certificate of an
authority.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceswap.errors import ProvenanceError, UsageError
from faceswap.files import disk_errors_named, sync_folder, write_synced
from faceswap.provenance.wish import ProvenanceWish
from faceswap.store import data_home

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate, Name

_FILE = "signer.pem"
_YEARS = 10
_CLAIM_SIGNING = "1.3.6.1.4.1.62558.2.1"
"""Extended key usage of C2PA's own (specification 2.2, 14.5.1.1); older readers look for e-mail protection."""
_ALGORITHMS = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs."""

    certificates: bytes = field(repr=False)
    """PEM, the signer's own first."""
    key: bytes = field(repr=False)
    """PEM, PKCS #8."""
    algorithm: str
    """C2PA's name: "es256" ..."""
    time_authority: str | None = None
    """URL."""

    @property
    def secret(self) -> bytes:
        """Bytes that nobody without the key can know."""
        return hashlib.sha256(b"faceswap mark ids" + self.key).digest()


def signer_of(wish: ProvenanceWish) -> Signer:
    """Return who signs: the user's own certificate, or this installation's.

    Raises:
        UsageError: files that cannot be used, or only one of the two. ProvenanceError: C2PA does not take the certificate.
    """
    if (wish.certificate is None) != (wish.key is None):
        raise UsageError("--c2pa-cert and --c2pa-key go together; give both or none")
    if wish.time_authority is not None and not wish.time_authority.startswith(("http://", "https://")):
        raise UsageError(f"--c2pa-tsa {wish.time_authority!r} is not the address of a service; write http://...")
    own = installation_signer()
    if wish.certificate is None or wish.key is None:
        return Signer(own.certificates, own.key, own.algorithm, wish.time_authority)
    signer = _read(wish.certificate, wish.key, wish.time_authority)
    _try_out(signer, wish.certificate)
    return signer


def installation_signer(folder: Path | None = None) -> Signer:
    """Return this installation's signer; the first call makes its key and certificates.

    Args:
        folder: where they are kept; None = the user's data folder.

    Raises:
        UsageError: the folder cannot be written. ProvenanceError: the file there is damaged.
    """
    path = (folder or data_home() / "provenance") / _FILE
    with suppress(FileNotFoundError):
        return _own(path)
    _make(path)
    return _own(path)


def _own(path: Path) -> Signer:
    """Return the signer in our own file; one that ran out is put aside.

    Raises:
        FileNotFoundError: there is none, or it was put aside.
    """
    from cryptography import x509

    data = path.read_bytes()
    try:
        certificate = x509.load_pem_x509_certificates(data)[0]
        key, _, certificates = data.partition(b"-----BEGIN CERTIFICATE-----")
        algorithm = _algorithm_of(key)
    except (ValueError, IndexError) as error:
        raise ProvenanceError(f"{path} is damaged; delete it, and a new key is made") from error
    if certificate.not_valid_before_utc > datetime.now(UTC):
        raise ProvenanceError(
            f"{path} is good from {certificate.not_valid_before_utc:%Y-%m-%d} on, and this machine's clock says "
            f"{datetime.now(UTC):%Y-%m-%d}; set the clock, or if it is right, delete the file, and a new key is made"
        )
    if certificate.not_valid_after_utc < datetime.now(UTC) + timedelta(days=1):
        os.replace(path, path.with_name(f"signer-until-{certificate.not_valid_after_utc:%Y-%m-%d}.pem"))
        raise FileNotFoundError(path)
    return Signer(b"-----BEGIN CERTIFICATE-----" + certificates, key, algorithm)


def _make(path: Path) -> None:
    """Write a new key with its certificates; where another process was first, its file stays."""
    # Threads of one process may come at once, too, so that its number is not enough for a name.
    temporary = path.with_name(f".tmp-{os.getpid()}-{os.urandom(4).hex()}.pem")
    with disk_errors_named(path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            temporary.touch(mode=0o600)
            write_synced(temporary, _new_chain())
            with suppress(FileExistsError):
                os.link(temporary, path)
            sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def _new_chain() -> bytes:
    """Return PEM of a key, its certificate, and the root that signed that; the root's own key is not kept."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    number = os.urandom(4).hex()
    root_name, name = _name(f"faceswap installation {number} root"), _name(f"faceswap installation {number}")
    root_id = x509.SubjectKeyIdentifier.from_public_key(root_key.public_key())
    root = _certificate(
        root_name,
        root_name,
        root_key,
        root_key,
        [
            (x509.BasicConstraints(ca=True, path_length=0), True),
            (_usage(key_cert_sign=True, crl_sign=True), True),
            (root_id, False),
        ],
    )
    usages = [ObjectIdentifier(_CLAIM_SIGNING), ExtendedKeyUsageOID.EMAIL_PROTECTION]
    own = _certificate(
        name,
        root_name,
        key,
        root_key,
        [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (_usage(digital_signature=True), True),
            (x509.ExtendedKeyUsage(usages), False),
            (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
            (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(root_id), False),
        ],
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private + own.public_bytes(pem) + root.public_bytes(pem)


def _name(common: str) -> Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    organisation = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "faceswap, own key of an installation")
    return x509.Name([organisation, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(**said: bool) -> Any:
    from cryptography import x509

    names = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign "
        "encipher_only decipher_only"
    )
    return x509.KeyUsage(**{name: said.get(name, False) for name in names.split()})


def _certificate(
    subject: Name,
    issuer: Name,
    key: EllipticCurvePrivateKey,
    signed_by: EllipticCurvePrivateKey,
    extensions: list[tuple[Any, bool]],
) -> Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=365 * _YEARS))
    )
    for extension, is_critical in extensions:
        builder = builder.add_extension(extension, is_critical)
    return builder.sign(signed_by, hashes.SHA256())


def _read(certificate: Path, key: Path, time_authority: str | None) -> Signer:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    try:
        chain, private = certificate.read_bytes(), key.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {error.filename}: {error.strerror}") from error
    try:
        first = x509.load_pem_x509_certificates(chain)[0]
    except (ValueError, IndexError) as error:
        raise UsageError(f"{certificate} holds no PEM certificate ({error})") from error
    try:
        loaded = serialization.load_pem_private_key(private, None)
        algorithm = _algorithm_of(private)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{key} cannot be used ({error}); give a PEM key without a password") from error
    if loaded.public_key() != first.public_key():
        raise UsageError(f"{key} is not the key of the first certificate in {certificate}")
    plain = loaded.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Signer(chain, plain, algorithm, time_authority)


def _algorithm_of(key: bytes) -> str:
    """Return C2PA's name of a private key's algorithm.

    Raises:
        ValueError: not a key, or of a kind that C2PA does not take.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    loaded = serialization.load_pem_private_key(key, None)
    if isinstance(loaded, ec.EllipticCurvePrivateKey) and loaded.curve.name in _ALGORITHMS:
        return _ALGORITHMS[loaded.curve.name]
    if isinstance(loaded, rsa.RSAPrivateKey):
        return "ps256"
    if isinstance(loaded, ed25519.Ed25519PrivateKey):
        return "ed25519"
    raise ValueError("C2PA takes keys of P-256, P-384, P-521, Ed25519 or RSA")


def _try_out(signer: Signer, certificate: Path) -> None:
    """Sign a little text now, rather than find out at the end of a long conversion that it cannot be done."""
    from faceswap.provenance.manifest import ManifestFacts, sign_bytes
    from faceswap.provenance.mark import Mark

    offline = Signer(signer.certificates, signer.key, signer.algorithm)
    try:
        sign_bytes(b"trial", None, ManifestFacts("trial", Mark("0" * 64), "2026-01-01T00:00:00Z"), None, offline)
    except ProvenanceError as error:
        raise ProvenanceError(f"{certificate} is not fit for C2PA: {error}") from error
