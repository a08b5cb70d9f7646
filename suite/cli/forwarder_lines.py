"""The line that mends a forwarder, in that forwarder's own words; docs/forwarders.md has the whole of each.

To add a product: how it names itself to ``version.bind`` goes into :data:`NAMES`, its lines into :data:`LINES`.
"""

from dataclasses import dataclass
from enum import StrEnum

from suite.model.configuration import Listen

DNS_PORT = 53


class Product(StrEnum):
    """A forwarder whose lines are known."""

    DNSMASQ = "dnsmasq"
    UNBOUND = "unbound"
    BIND = "bind"
    KNOT_RESOLVER = "knot-resolver"
    PDNS_RECURSOR = "pdns-recursor"
    DNSDIST = "dnsdist"
    UNKNOWN = "unknown"


class Cure(StrEnum):
    """What a line is for."""

    FORWARD = "forward"
    REBIND = "rebind"
    INSECURE = "insecure"
    REVERSE = "reverse"
    FLUSH = "flush"


@dataclass(frozen=True, slots=True)
class Place:
    """What the lines are about: zones without the dot at their end, and where the suite answers."""

    zone: str
    server: Listen
    reverse_zone: str = ""


NAMES = {
    "dnsmasq": Product.DNSMASQ,
    "pi-hole": Product.DNSMASQ,
    "unbound": Product.UNBOUND,
    "bind": Product.BIND,
    "9.": Product.BIND,
    "knot resolver": Product.KNOT_RESOLVER,
    "powerdns recursor": Product.PDNS_RECURSOR,
    "dnsdist": Product.DNSDIST,
}
"""How the answer to ``version.bind`` begins, in lower case."""

_PORT = {Product.DNSMASQ: "#", Product.UNBOUND: "@", Product.BIND: " port ", Product.KNOT_RESOLVER: "@"}
"""What stands before a port that is not 53; a colon elsewhere."""

_BIND_ZONE = 'zone "{zone}" {{ type forward; forward only; forwarders {{ {server}; }}; }};'
_PDNS_ZONE = "forward-zones={zone}={server}"
_KRESD_ZONE = "policy.add(policy.suffix(policy.STUB('{server}'), policy.todnames({{'{zone}.'}})))"
_DNSDIST_ZONE = 'newServer({{address="{server}", pool="suite"}}); addAction("{zone}.", PoolAction("suite"))'

LINES: dict[tuple[Product, Cure], str] = {
    (Product.DNSMASQ, Cure.FORWARD): "server=/{zone}/{server}",
    (Product.DNSMASQ, Cure.REBIND): "rebind-domain-ok=/{zone}/",
    (Product.DNSMASQ, Cure.INSECURE): "server=/{zone}/{server}",
    (Product.DNSMASQ, Cure.REVERSE): "server=/{zone}/{server}",
    (Product.DNSMASQ, Cure.FLUSH): "killall -HUP dnsmasq",
    (Product.UNBOUND, Cure.FORWARD): 'stub-zone: {{ name: "{zone}" stub-addr: {server} }}',
    (Product.UNBOUND, Cure.REBIND): 'private-domain: "{zone}"',
    (Product.UNBOUND, Cure.INSECURE): 'domain-insecure: "{zone}"',
    (
        Product.UNBOUND,
        Cure.REVERSE,
    ): 'local-zone: "{zone}." transparent, domain-insecure: "{zone}", stub-zone: {{ name: "{zone}" stub-addr: {server} }}',
    (Product.UNBOUND, Cure.FLUSH): "unbound-control flush_zone {zone}",
    (Product.BIND, Cure.FORWARD): _BIND_ZONE,
    (Product.BIND, Cure.REBIND): 'deny-answer-addresses {{ ...; }} except-from {{ "{zone}"; }};',
    (Product.BIND, Cure.INSECURE): 'validate-except {{ "{zone}"; }};',
    (Product.BIND, Cure.REVERSE): f'disable-empty-zone "{{empty}}"; {_BIND_ZONE}',
    (Product.BIND, Cure.FLUSH): "rndc flushtree {zone}",
    (Product.KNOT_RESOLVER, Cure.FORWARD): _KRESD_ZONE,
    (Product.KNOT_RESOLVER, Cure.REBIND): "modules.unload('rebinding')",
    (Product.KNOT_RESOLVER, Cure.INSECURE): "trust_anchors.set_insecure({{'{zone}.'}})",
    (Product.KNOT_RESOLVER, Cure.REVERSE): _KRESD_ZONE,
    (Product.KNOT_RESOLVER, Cure.FLUSH): "cache.clear('{zone}.')",
    (Product.PDNS_RECURSOR, Cure.FORWARD): _PDNS_ZONE,
    (Product.PDNS_RECURSOR, Cure.INSECURE): "rec_control add-nta {zone}",
    (Product.PDNS_RECURSOR, Cure.REVERSE): f"serve-rfc1918=no, {_PDNS_ZONE}",
    (Product.PDNS_RECURSOR, Cure.FLUSH): "rec_control wipe-cache {zone}$",
    (Product.DNSDIST, Cure.FORWARD): _DNSDIST_ZONE,
    (Product.DNSDIST, Cure.REVERSE): _DNSDIST_ZONE,
    (
        Product.DNSDIST,
        Cure.FLUSH,
    ): 'getPool("suite"):getCache():expungeByName(newDNSName("{zone}."), DNSQType.ANY, true)',
}
"""The line for each product and cure; doubled braces are the product's own."""


def product_of(version: str) -> Product:
    """The product that answers ``version`` to the question who it is."""
    text = version.lower()
    return next((product for start, product in NAMES.items() if text.startswith(start)), Product.UNKNOWN)


def line_for(product: Product, cure: Cure, place: Place) -> str:
    """The line to add; empty where none is known."""
    template = LINES.get((product, cure), "")
    zone = place.reverse_zone if cure is Cure.REVERSE else place.zone
    return template.format(zone=zone, server=_written(product, place.server), empty=_built_in(place.reverse_zone))


def _written(product: Product, server: Listen) -> str:
    """Address and port as the product has them."""
    if server.port == DNS_PORT:
        return str(server.address)
    sign = _PORT.get(product)
    if sign is not None:
        return f"{server.address}{sign}{server.port}"
    return f"[{server.address}]:{server.port}" if server.address.version == 6 else f"{server.address}:{server.port}"


def _built_in(reverse_zone: str) -> str:
    """The empty zone (RFC 6303) that hides a reverse zone: by network it is 10, sixteen of 172, or 168.192."""
    labels = reverse_zone.split(".")
    kept = 3 if labels[-3:-2] == ["10"] else 4
    return ".".join(labels[-kept:])
