"""Where a peer is and how its sockets are made, as a value that checks itself."""

from dataclasses import dataclass

from suite.bgp.negotiation import SessionConfig
from suite.bgp.prefix import Address
from suite.bgp.socket_option import MD5_KEY_LIMIT, Option, device_option, md5_option, session_options


@dataclass(frozen=True, slots=True)
class PeerConfig:
    """Where a peer is and how it is reached; ValueError if that cannot be.

    `source` is the local address to connect from. `device` binds to an interface or VRF. `password` is the key of
    TCP MD5. `ttl` None leaves the system's default, which reaches peers several hops away; `security_hops` 1 accepts
    only peers on the same link (RFC 5082), and so on.
    """

    session: SessionConfig
    address: Address
    port: int = 179
    source: Address | None = None
    device: str | None = None
    password: str | None = None
    ttl: int | None = None
    security_hops: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.port <= 0xFFFF:
            raise ValueError(f"port {self.port}")
        if self.source is not None and self.source.version != self.address.version:
            raise ValueError(f"source {self.source} and peer {self.address} are of different families")
        if self.password is not None and not 1 <= len(self.password.encode()) <= MD5_KEY_LIMIT:
            raise ValueError(f"a TCP MD5 password has 1 to {MD5_KEY_LIMIT} octets")
        if not all(1 <= number <= 255 for number in (self.ttl, self.security_hops) if number is not None):
            raise ValueError("TTL and hops are 1 to 255")

    def options(self) -> tuple[Option, ...]:
        """The options of a socket that connects to this peer."""
        options = list(session_options(self.address, ttl=self.ttl, security_hops=self.security_hops))
        if self.device is not None:
            options.append(device_option(self.device))
        if self.password is not None:
            options.append(md5_option(self.address, self.password))
        return tuple(options)
