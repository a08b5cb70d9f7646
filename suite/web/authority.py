"""The suite's own certificate authority: made once, kept in the database, and good for nothing but its controllers.

A follower pins the authority and asks for one name, :data:`suite.store.remote.client.NAME`, by whatever address it got
there; so addresses may change, several controllers may serve, and a server's certificate can be short-lived.  Curves and
hashes are those every TLS 1.3 stack has.
"""

import ssl
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from suite.store.remote.client import NAME

AUTHORITY_DAYS = 20 * 365
SERVER_DAYS = 90
RENEW_DAYS = 30
"""A server's certificate is replaced when it has so much time left."""
LENIENCE = timedelta(days=1)
"""How far a follower's clock may be behind."""


@dataclass(frozen=True, slots=True)
class Authority:
    """The certificate everybody may see, and the key nobody may; both in PEM."""

    certificate: str
    key: str = field(repr=False)


def make_authority(now: datetime) -> Authority:
    """A new authority, with a key that is nowhere else."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "suite authority")])
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        _begun(name, name, key.public_key(), now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(_pem(certificate), _key_pem(key))


def make_server_certificate(authority: Authority, now: datetime) -> str:
    """A controller's certificate and its key, together as a TLS server wants them."""
    signing = serialization.load_pem_private_key(authority.key.encode(), None)
    if not isinstance(signing, ec.EllipticCurvePrivateKey):
        raise TypeError("the authority's key is of another kind than this release makes")
    issuer = x509.load_pem_x509_certificate(authority.certificate.encode())
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    certificate = (
        _begun(name, issuer.subject, key.public_key(), now, SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False)
        .sign(signing, hashes.SHA256())
    )
    return _pem(certificate) + _key_pem(key)


def is_due(certificate: str, now: datetime) -> bool:
    """Whether it is time for another certificate: soon before this one ends, or when the clock says it never began."""
    found = x509.load_pem_x509_certificate(certificate.encode())
    return not found.not_valid_before_utc <= now <= found.not_valid_after_utc - timedelta(days=RENEW_DAYS)


def server_context() -> ssl.SSLContext:
    """A server's TLS settings; :func:`load` gives it a certificate, also while it serves."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def load(context: ssl.SSLContext, certificate: str, path: Path) -> None:
    """Use a certificate from now on; ``path`` is the file that the TLS library reads it from.

    Raises:
        OSError: the file cannot be written.
    """
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(certificate, encoding="ascii")
    context.load_cert_chain(path)


def _begun(
    name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - LENIENCE)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode("ascii")
