"""Reverse zones of ranges of addresses, as text: where a range is cut, and what each part's zone is called.

A range is cut at the next octet (IPv4) or nibble (IPv6) boundary: a /24 is one zone of three labels, a /20 sixteen of
them.  A network longer than /24 is a classless zone (RFC 2317) such as ``0/26.2.0.192.in-addr.arpa``, which the parent
zone must point to with CNAMEs.  A range written first-last that lies within one /24 is served as that /24.
"""

from collections.abc import Iterable
from ipaddress import IPv4Network, ip_address

from suite.model.address import Network, Range
from suite.model.pool import Pool

_TREES = (".in-addr.arpa", ".ip6.arpa")
"""Below which addresses are names (RFC 1035 section 3.5, RFC 3596 section 2.5)."""


def is_reverse(text: str) -> bool:
    """Whether a name, with or without a dot at the end, lies where addresses are names: people write those in full."""
    return text.rstrip(".").lower().endswith(_TREES)


def reverse_networks(span: Range) -> Iterable[Network]:
    """The networks whose reverse zones hold the addresses of a range."""
    if span.family == 4 and int(span.first) >> 8 == int(span.last) >> 8:
        networks = list(span.networks())
        return networks if len(networks) == 1 else [IPv4Network((int(span.first) & ~0xFF, 24))]
    return [part for network in span.networks() for part in _cut(network)]


def is_classless(network: Network) -> bool:
    """Whether the zone of this network is named as RFC 2317 says."""
    return network.version == 4 and network.prefixlen > 24


def reverse_origin(network: Network) -> str:
    """The name of the zone of one of :func:`reverse_networks`, with a dot at the end."""
    labels = network.network_address.reverse_pointer.split(".")
    if is_classless(network):
        return ".".join([f"{labels[0]}/{network.prefixlen}", *labels[1:], ""])
    drop = (32 - network.prefixlen) // 8 if network.version == 4 else (128 - network.prefixlen) // 4
    return ".".join([*labels[drop:], ""])


def reverse_origins(pools: Iterable[Pool]) -> frozenset[str]:
    """The names of all reverse zones of pools."""
    return frozenset(
        reverse_origin(network) for pool in pools for span in pool.ranges for network in reverse_networks(span)
    )


def meant_classless(text: str, pools: Iterable[Pool]) -> str:
    """What to write instead of an address's usual name where its pool has a classless zone; empty where it has none."""
    try:
        address = ip_address(".".join(reversed(text.rstrip(".").lower().removesuffix(_TREES[0]).split("."))))
    except ValueError:
        return ""
    for pool in pools:
        for network in (each for span in pool.ranges for each in reverse_networks(span) if is_classless(each)):
            if address in network:
                own = f"{int(address) & 0xFF}.{reverse_origin(network)}"
                return f"the reverse zone of pool {pool.name} is classless (RFC 2317): write {own}"
    return ""


def _cut(network: Network) -> Iterable[Network]:
    """``network`` in pieces whose length is a multiple of 8 (IPv4, at most 24) or 4 bits (IPv6)."""
    step, longest = (8, 24) if network.version == 4 else (4, 128)
    if network.prefixlen > longest:
        return [network.supernet(new_prefix=longest)]
    length = -(-network.prefixlen // step) * step
    return network.subnets(new_prefix=length)
