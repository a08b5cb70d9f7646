"""Response rate limiting: an open authoritative server must not be a good amplifier for spoofed senders.

Replies are counted per client network (by default /24, /56) and kind in a table of fixed size, so a flood of spoofed networks
costs no memory: a network that meets another's bucket takes it over. Above the rate most replies are dropped and every
`slip`-th goes out truncated, so that a true client comes back over TCP or with its cookie, which are never limited.
Private ranges and the networks of the server's own interfaces are spared unless an operator says otherwise.
"""

from __future__ import annotations

from array import array
from enum import Enum
from ipaddress import ip_network
from typing import TYPE_CHECKING

from suite.dns import rrtype
from suite.dns.message import HEADER_SIZE, TC

if TYPE_CHECKING:
    from suite.dns.settings import Settings

BUCKETS = 1 << 16
DEBT = 15
"""Seconds of its rate that a network can owe: about so long a true client waits after a flood in its network's name."""

Network = tuple[bytes, int]

PRIVATE: tuple[Network, ...] = tuple(
    (network.network_address.packed, network.prefixlen)
    for network in map(
        ip_network,
        (
            "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10",
            "::1/128", "fc00::/7", "fe80::/10",
        ),
    )
)  # fmt: skip
"""Loopback, RFC 1918, RFC 3927, RFC 6598, RFC 4193 and link-local networks."""


class Verdict(Enum):
    """What happens to one reply."""

    SEND = "send"
    SLIP = "slip"
    DROP = "drop"


def is_in(client: bytes, network: Network) -> bool:
    """Tell whether a packed address lies in a network of its family."""
    prefix, bits = network
    if len(client) != len(prefix):
        return False
    shift = 8 * len(client) - bits
    return int.from_bytes(client) >> shift == int.from_bytes(prefix) >> shift


class RateLimiter:
    """Counts replies against the `rate` of some settings. `salt` keeps buckets from being guessed."""

    def __init__(self, settings: Settings, salt: int) -> None:
        self._rate = settings.rate
        self._slip = settings.slip
        self._host_bits = {4: 32 - settings.prefixes[0], 16: 128 - settings.prefixes[1]}
        self._spared = (*(PRIVATE if settings.spares_private else ()), *settings.spared)
        self._salt = salt
        self._floor = -max(DEBT * self._rate, self._slip)
        self._owners = array("Q", bytes(8 * BUCKETS))
        self._seconds = array("Q", bytes(8 * BUCKETS))
        self._balances = array("i", bytes(4 * BUCKETS))

    def spares(self, client: bytes) -> bool:
        """Tell whether a client is never limited."""
        return any(is_in(client, network) for network in self._spared)

    def admit(self, client: bytes, reply: bytes, now: int) -> Verdict:
        """Count one reply at Unix second `now` and judge it."""
        network = len(client), int.from_bytes(client) >> self._host_bits[len(client)]
        owner = hash((self._salt, network, kind_of(reply))) & 0xFFFFFFFFFFFFFFFF
        index = owner % BUCKETS
        if self._owners[index] != owner or now - self._seconds[index] > 1:
            self._owners[index], self._balances[index] = owner, self._rate
        elif now != self._seconds[index]:
            self._balances[index] = min(self._rate, self._balances[index] + self._rate)
        self._seconds[index] = now
        left = self._balances[index] - 1
        if left >= 0:
            self._balances[index] = left
            return Verdict.SEND
        self._balances[index] = left if left >= self._floor else left + (self._slip or 1)  # slips go on in their order
        return Verdict.SLIP if self._slip and -left % self._slip == 0 else Verdict.DROP


def kind_of(reply: bytes) -> int:
    """Sort replies: data, denial, error. Each has a bucket of its own, so a flood of one leaves the others alone."""
    if reply[3] & 0xF not in {rrtype.NOERROR, rrtype.NXDOMAIN}:
        return 2
    return 0 if reply[6:8] != b"\0\0" else 1


def slipped(packet: bytes, reply: bytes) -> bytes:
    """Give a reply of header and question with TC set, no longer than the query was."""
    end = packet.find(0, HEADER_SIZE) + 5
    flags = int.from_bytes(reply[2:4]) | TC
    return reply[:2] + flags.to_bytes(2) + b"\0\1" + bytes(6) + packet[HEADER_SIZE:end]
