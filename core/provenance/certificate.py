"""The certificate that signs results: the user's own, or a local one made on first use."""

import os
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from core.console import interact
from core.errors import FormatError, UsageError, UserError
from core.files.paths import atomic_write
from core.files.user_folder import user_config_folder
from core.version import NAME

_LOCAL_NAME = "local_certificate.pem"
_VALID_DAYS = 3650
_ISSUER = "This computer, vouched for by nobody"


@dataclass(frozen=True)
class Certificate:
    """A signing certificate with its key.

    Attributes
    ----------
    chain : bytes
        PEM certificates, the signing one first.
    key : bytes
        PEM private key (PKCS 8, not encrypted).
    algorithm : str
        C2PA's name of the signature algorithm, for example ``"es256"``.
    subject : str
        Common name of the signing certificate.
    """

    chain: bytes
    key: bytes
    algorithm: str
    subject: str


def load_certificate(chain_file: Path | None, key_file: Path | None) -> Certificate:
    """The certificate of the two files, or without them the local one of this user.

    Raises
    ------
    UserError
        When only one file is given, or a file cannot be used; the message says why.
    """
    if (chain_file is None) != (key_file is None):
        raise UsageError("--c2pa-cert and --c2pa-key belong together; give both or none.")
    if chain_file is None:
        return local_certificate()
    return _parse(_read(chain_file), _read(key_file), chain_file, key_file)


def local_certificate() -> Certificate:
    """The certificate in the user's settings folder; made when missing or expired."""
    path = user_config_folder() / _LOCAL_NAME
    if path.is_file():
        data = _read(path)
        if not _is_expired(data, path):
            return _parse(data, data, path, path)
    data = _make_local()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        old_mask = os.umask(0o077)
        try:
            path.unlink(missing_ok=True)
            atomic_write(path, data)
        finally:
            os.umask(old_mask)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error}). Set DFL_CONFIG_DIR.") from None
    interact.info(f"A certificate for signing results was made: {path}")
    return _parse(data, data, path, path)


def _read(path):
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise FormatError(path, f"cannot be read ({error.strerror or error})") from None


def _parse(chain, key, chain_file, key_file):
    """Check that chain and key fit, and bring the key into the form that the C2PA library takes."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    try:
        certificates = x509.load_pem_x509_certificates(chain)
    except ValueError:
        raise FormatError(chain_file, "holds no PEM certificate") from None
    try:
        private = serialization.load_pem_private_key(key, None)
    except TypeError:
        raise FormatError(
            key_file, "is protected by a password; decrypt it first (openssl pkey -in … -out …)"
        ) from None
    except ValueError:
        raise FormatError(key_file, "holds no PEM private key") from None
    first = certificates[0]
    if _public_bytes(first.public_key()) != _public_bytes(private.public_key()):
        raise FormatError(key_file, f"does not belong to the first certificate of {chain_file}")
    if first.not_valid_after_utc < datetime.now(timezone.utc):
        raise FormatError(chain_file, f"expired on {first.not_valid_after_utc:%Y-%m-%d}; get a new one")
    form = serialization.Encoding.PEM
    return Certificate(
        chain=b"".join(certificate.public_bytes(form) for certificate in certificates),
        key=private.private_bytes(form, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        algorithm=_algorithm(private, key_file),
        subject=first.subject.rfc4514_string(),
    )


def _public_bytes(key):
    from cryptography.hazmat.primitives import serialization

    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _algorithm(key, path):
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(key, rsa.RSAPrivateKey):
        return "ps256"
    if isinstance(key, ec.EllipticCurvePrivateKey):
        names = {256: "es256", 384: "es384", 521: "es512"}
        if key.curve.key_size in names:
            return names[key.curve.key_size]
    raise FormatError(path, "is of a kind that C2PA does not know; use an EC, RSA or Ed25519 key")


def _is_expired(data, path):
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(data)[0].not_valid_after_utc < datetime.now(timezone.utc)
    except ValueError:
        raise FormatError(path, "is damaged; delete it, and a new one is made") from None


def _make_local():
    """PEM of a fresh key, its certificate, and the certificate of the issuer, whose key is thrown away.

    C2PA wants the signing certificate to be issued by another one, so there are two; nobody can issue more.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    issuer_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = _sign(_ISSUER, issuer_key.public_key(), _ISSUER, issuer_key, authority=True)
    certificate = _sign(f"{NAME}, local user", key.public_key(), _ISSUER, issuer_key, authority=False)
    form = serialization.Encoding.PEM
    secret = key.private_bytes(form, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(form) + issuer.public_bytes(form) + secret


def _sign(subject, public_key, issuer, issuer_key, authority):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def name(text):
        parts = [(NameOID.ORGANIZATION_NAME, NAME), (NameOID.COMMON_NAME, text)]
        return x509.Name([x509.NameAttribute(kind, value) for kind, value in parts])

    usage = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False)
    usage |= {"digital_signature": not authority, "key_cert_sign": authority, "crl_sign": authority}
    usage |= {"encipher_only": False, "decipher_only": False}
    now = datetime.now(timezone.utc)
    builder = (
        x509.CertificateBuilder(name(issuer), name(subject), public_key, x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=_VALID_DAYS))
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if not authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())
