"""The networks that this machine has an address in, asked of the kernel."""

from suite.l2.netlink import Interfaces
from suite.model.address import Network


def own_networks() -> tuple[Network, ...]:
    """Networks of all interfaces as they are now; a dump of the kernel's tables, less than a millisecond."""
    interfaces = Interfaces()
    try:
        return tuple(address.network for interface in interfaces.by_name().values() for address in interface.addresses)
    finally:
        interfaces.close()
