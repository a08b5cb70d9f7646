"""Where DNS answers when nobody says where: the only file of this package that looks at the machine."""

from pathlib import Path

from suite.model.address import parse_address
from suite.model.configuration import Listen

DNS_PORT = 53


def everywhere() -> tuple[Listen, ...]:
    """Port 53 of every address, in each family that the kernel has."""
    hosts = ("0.0.0.0", "::") if Path("/proc/net/if_inet6").exists() else ("0.0.0.0",)  # noqa: S104 - a DNS server's place
    return tuple(Listen(parse_address(host), DNS_PORT) for host in hosts)
