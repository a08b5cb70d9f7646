"""What the configuration's ``dns`` section means to the DNS server.  Pure: files are read by the loop.

Everything here may change while the server runs, apart from where it listens and with how many workers.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_network

from suite.dns import name
from suite.dns.name import DomainNameError
from suite.dns.notify import Target
from suite.dns.settings import Key, Settings, Transfers
from suite.dns.tsig import ALGORITHMS
from suite.model.address import Network
from suite.model.configuration import DnsSettings

COOKIE_SECRET_SIZE = 16
_COOKIE_PURPOSE = b"suite dns cookie secret 1"
_HEX_SECRET = re.compile(r"[0-9a-fA-F]{32}", re.ASCII)
_MOST_SECRETS = 4
"""Each is tried on every cookie that the first did not make."""
_KEY_PREFIX = "key:"
_SHORTEST_SECRET = 16
"""Octets; RFC 8945 section 8 wants a secret as long as the digest, and tsig-keygen makes 32."""

_COMMENT = re.compile(r"//[^\n]*|#[^\n]*|/\*.*?\*/", re.DOTALL)
_KEY = re.compile(r'\s*key\s+"?([^"\s{;]+)"?\s*\{([^}]*)\}\s*;', re.DOTALL)
_CLAUSE = re.compile(r'\s*([a-z-]+)\s+"?([^"\s;]+)"?\s*;')


class CookieSecretsError(ValueError):
    """A file of cookie secrets cannot be used; the message says where and why, and never quotes a secret."""


class TsigKeysError(ValueError):
    """A file of TSIG keys cannot be used; the message says where and why, and never quotes a secret."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who may transfer zones, as ``dns.transfer-acl`` says it."""

    networks: tuple[Network, ...] = ()
    keys: tuple[str, ...] = ()


def settings_of(
    dns: DnsSettings,
    *,
    epoch: str = "",
    keys: tuple[Key, ...] = (),
    cookies: tuple[bytes, ...] = (),
    own: Iterable[Network] = (),
) -> Settings:
    """The server's settings.

    ``epoch`` is that of the database; without one, and without a file's ``cookies``, there are no cookies yet.  ``keys``
    are those of the keys file, ``own`` the networks of the server's interfaces.
    """
    access, limit = access_of(dns.transfer_acl), dns.rate_limit
    spared = (*limit.exempt, *(own if limit.exempt_local else ()))
    return Settings(
        cookie_secrets=cookies or ((cookie_secret(epoch),) if epoch else ()),
        identity=dns.nsid.encode(),
        advertise_ra=dns.advertise_ra,
        keys=keys,
        transfers=Transfers(
            tuple(_packed(network) for network in access.networks),
            frozenset(name.from_text(f"{each}.").lower() for each in access.keys),
        ),
        rate=limit.rate,
        slip=limit.slip,
        prefixes=(limit.ipv4_prefix, limit.ipv6_prefix),
        spared=tuple(sorted({_packed(network) for network in spared})),
        spares_private=limit.exempt_local,
        query_log=dns.query_log,
    )


def cookie_secret(epoch: str) -> bytes:
    """The secret that all servers of one database share, so that a cookie of one is good at the others (RFC 9018).

    It comes from the epoch, which is random and which everybody who may read the database knows, and nobody need
    carry a file from node to node.  Whoever can read the epoch could make cookies: they would only win the larger
    answers that a forged source address does not get, so this guards against strangers, not against operators.
    """
    return hmac.digest(epoch.encode(), _COOKIE_PURPOSE, "sha256")[:COOKIE_SECRET_SIZE]


def read_cookie_secrets(text: str) -> tuple[bytes, ...]:
    """Cookie secrets as NSD's and Knot's file has them: 32 hexadecimal digits a line, ``#`` begins a comment.

    The first makes cookies, all are accepted; so a new one is added below, moved up once every server has it, and the
    old one is removed an hour later (RFC 9018 section 5).

    Raises:
        CookieSecretsError: a line is something else, or there is none.
    """
    found: list[bytes] = []
    for number, line in enumerate(text.splitlines(), 1):
        digits = line.partition("#")[0].strip()
        if digits and not _HEX_SECRET.fullmatch(digits):
            raise CookieSecretsError(f"line {number}: a secret is {2 * COOKIE_SECRET_SIZE} hexadecimal digits")
        if digits:
            found.append(bytes.fromhex(digits))
    if not found or len(found) > _MOST_SECRETS:
        raise CookieSecretsError(f"it holds {len(found)} secrets; one to {_MOST_SECRETS} are needed")
    return tuple(found)


def access_of(entries: Iterable[str]) -> Access:
    """The entries of ``dns.transfer-acl``: addresses, networks, and ``key:NAME``.

    Raises:
        ValueError: an entry is none of these.
    """
    networks: list[Network] = []
    keys: list[str] = []
    for entry in entries:
        if entry.startswith(_KEY_PREFIX):
            keys.append(_key_name(entry.removeprefix(_KEY_PREFIX)))
        else:
            networks.append(ip_network(entry.strip(), strict=False))
    return Access(tuple(networks), tuple(keys))


def missing_keys(dns: DnsSettings, keys: Iterable[Key]) -> tuple[str, ...]:
    """Keys that ``dns.transfer-acl`` names and the keys file does not hold."""
    have = {key.name for key in keys}
    return tuple(each for each in access_of(dns.transfer_acl).keys if name.from_text(f"{each}.").lower() not in have)


def targets_of(dns: DnsSettings, keys: tuple[Key, ...]) -> tuple[Target, ...]:
    """Who is told of new versions; where a transfer needs a key, the first one that may is used here too."""
    allowed = {name.from_text(f"{each}.").lower() for each in access_of(dns.transfer_acl).keys}
    key = next((key for key in keys if key.name in allowed), None)
    return tuple(Target(str(each.address), each.port, key) for each in dns.notify)


def serves_transfers(dns: DnsSettings) -> bool:
    """Whether anybody may transfer zones: only then it is worth remembering how they changed."""
    return bool(dns.transfer_acl)


def read_keys(text: str) -> tuple[Key, ...]:
    """TSIG keys as ``tsig-keygen`` and BIND write them: ``key "NAME" { algorithm hmac-sha256; secret "..."; };``.

    Raises:
        TsigKeysError: something else stands there, or a key cannot be used.
    """
    text = _COMMENT.sub(" ", text)
    found: dict[bytes, Key] = {}
    at = 0
    while text[at:].strip():
        match = _KEY.match(text, at)
        if match is None:
            line = text.count("\n", 0, at + len(text[at:]) - len(text[at:].lstrip())) + 1
            raise TsigKeysError(f'line {line}: here a key should stand: key "NAME" {{ algorithm ...; secret "..."; }};')
        key = _read_key(match[1], dict(_CLAUSE.findall(match[2])))
        if found.setdefault(key.name, key) is not key:
            raise TsigKeysError(f"key {match[1]} stands there twice")
        at = match.end()
    return tuple(found.values())


def _read_key(text: str, clauses: dict[str, str]) -> Key:
    try:
        folded = name.from_text(_key_name(text) + ".").lower()
        secret = base64.b64decode(clauses.get("secret", ""), validate=True)
    except binascii.Error:
        raise TsigKeysError(f"key {text}: its secret is not in Base64") from None
    except ValueError as error:
        raise TsigKeysError(f"key {text}: {error}") from None
    algorithm = clauses.get("algorithm", "").lower().rstrip(".")
    if algorithm not in ALGORITHMS:
        raise TsigKeysError(
            f"key {text}: algorithm {algorithm or 'missing'}; use one of {', '.join(sorted(ALGORITHMS))}"
        )
    if len(secret) < _SHORTEST_SECRET:
        raise TsigKeysError(f"key {text}: its secret has {len(secret)} octets; it needs at least {_SHORTEST_SECRET}")
    return Key(folded, algorithm, secret)


def _key_name(text: str) -> str:
    plain = text.strip().rstrip(".")
    try:
        name.from_text(f"{plain}.")
    except DomainNameError as error:
        raise ValueError(f"{text!r} is no name of a key: {error}") from None
    if not plain:
        raise ValueError("a key needs a name")
    return plain


def _packed(network: Network) -> tuple[bytes, int]:
    return network.network_address.packed, network.prefixlen
