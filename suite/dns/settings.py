"""Settings and Context: everything beside zones and packet that shapes a reply, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field

IDLE = 10.0
"""Seconds that a TCP connection may idle while there is room for others."""
UDP_SIZE = 1232
"""Largest UDP reply: what fits an IPv6 minimum MTU without fragments (RFC 9715)."""


@dataclass(frozen=True, slots=True)
class Key:
    """A TSIG key (RFC 8945): folded wire-form name, algorithm as in tsig.ALGORITHMS, secret octets."""

    name: bytes
    algorithm: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Transfers:
    """Who may transfer a zone: packed network prefixes with their lengths in bits, and names of keys; both are folded.

    An empty set of networks allows nobody without a key.
    """

    networks: tuple[tuple[bytes, int], ...] = ()
    keys: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class Settings:
    """One server's settings. Cookie secrets (16 octets each): the first makes cookies, all are accepted; none: no cookies.

    `rate` limits UDP replies a second to one network outside `spared` and, with `spares_private`, private ranges (0: no
    limit); every `slip`-th reply above it is sent truncated. `prefixes` are the lengths in bits of such a network, IPv4's
    and IPv6's.
    `identity` answers NSID (RFC 5001) and CH TXT id.server (RFC 4892), `version` answers version.bind; empty refuses.
    `query_log` writes a line for each question to where the workers log.
    """

    udp_size: int = UDP_SIZE
    cookie_secrets: tuple[bytes, ...] = field(default=(), repr=False)
    identity: bytes = b""
    version: bytes = b""
    advertise_ra: bool = False
    keys: tuple[Key, ...] = ()
    transfers: Transfers = Transfers()
    rate: int = 200
    slip: int = 2
    prefixes: tuple[int, int] = (24, 56)
    spared: tuple[tuple[bytes, int], ...] = ()
    spares_private: bool = True
    query_log: bool = False


@dataclass(frozen=True, slots=True)
class Context:
    """What is known about one query beside its octets: who asked (packed IP), how, and when (Unix seconds).

    `idle` is how many seconds its TCP connection may idle from now on, 0 where it had better be closed.
    """

    settings: Settings
    client: bytes
    now: int
    tcp: bool = False
    idle: float = IDLE
