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
    SMARTDNS = "smartdns"
    DNSCACHE = "dnscache"
    """And dqcache, which has the same files."""
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

_UNBOUND_ZONE = 'stub-zone: name: "{zone}" stub-addr: {server}'
_BIND_ZONE = 'zone "{zone}" {{ type forward; forward only; forwarders {{ {server}; }}; }};'
_PDNS_ZONE = "forward-zones={zone}={server}  # += where such a line stands above"
_PDNS_ZONE_MORE = "forward-zones+={zone}={server}  # = where none stands above"
_KRESD_ZONE = """\
ours = policy.todnames({{'{zone}.'}})  -- these lines above other policies
policy.add(policy.suffix(policy.FLAGS({{'NO_CACHE'}}), ours))
policy.add(policy.suffix(policy.STUB({{'{server}'}}), ours))"""
_DNSDIST_ZONE = """\
newServer({{address="{server}", pool="suite", checkName="{zone}.", checkType="SOA"}})
addAction("{zone}.", PoolAction("suite"))"""
_DNSCACHE_ZONE = "echo {server} > servers/{zone}  # in its ROOT, and a restart"
_SMARTDNS_ZONE = """\
server {server} -group suite -exclude-default-group
domain-rules /{zone}/ -nameserver suite -speed-check-mode none"""

LINES: dict[tuple[Product, Cure], str] = {
    (Product.DNSMASQ, Cure.FORWARD): "server=/{zone}/{server}",
    (Product.DNSMASQ, Cure.REBIND): "rebind-domain-ok=/{zone}/",
    (Product.DNSMASQ, Cure.INSECURE): "server=/{zone}/{server}",
    (Product.DNSMASQ, Cure.REVERSE): "server=/{zone}/{server}",
    (Product.DNSMASQ, Cure.FLUSH): "killall -HUP dnsmasq",
    (Product.UNBOUND, Cure.FORWARD): _UNBOUND_ZONE,
    (Product.UNBOUND, Cure.REBIND): 'server: private-domain: "{zone}"',
    (Product.UNBOUND, Cure.INSECURE): 'server: domain-insecure: "{zone}"',
    (
        Product.UNBOUND,
        Cure.REVERSE,
    ): f'server: local-zone: "{{zone}}." transparent domain-insecure: "{{zone}}"\n{_UNBOUND_ZONE}',
    (Product.UNBOUND, Cure.FLUSH): "unbound-control flush_zone {zone}",
    (Product.BIND, Cure.FORWARD): _BIND_ZONE,
    (Product.BIND, Cure.REBIND): 'in options, behind deny-answer-addresses {{ ... }}: except-from {{ "{zone}"; }}',
    (Product.BIND, Cure.INSECURE): 'in options: validate-except {{ "{zone}"; }};',
    (Product.BIND, Cure.REVERSE): f'in options: disable-empty-zone "{{empty}}";\nbeside them: {_BIND_ZONE}',
    (Product.BIND, Cure.FLUSH): "rndc flushtree {zone}",
    (Product.KNOT_RESOLVER, Cure.FORWARD): _KRESD_ZONE,
    (Product.KNOT_RESOLVER, Cure.REBIND): "modules.unload('rebinding')  -- the module knows no exceptions",
    (Product.KNOT_RESOLVER, Cure.INSECURE): _KRESD_ZONE,
    (Product.KNOT_RESOLVER, Cure.REVERSE): _KRESD_ZONE,
    (Product.KNOT_RESOLVER, Cure.FLUSH): "cache.clear('{zone}.')",
    (Product.PDNS_RECURSOR, Cure.FORWARD): _PDNS_ZONE,
    (Product.PDNS_RECURSOR, Cure.INSECURE): 'in the file of lua-config-file: addNTA("{zone}", "the suite")',
    (Product.PDNS_RECURSOR, Cure.REVERSE): _PDNS_ZONE_MORE,
    (Product.PDNS_RECURSOR, Cure.FLUSH): "rec_control wipe-cache {zone}$",
    (Product.DNSDIST, Cure.FORWARD): _DNSDIST_ZONE,
    (Product.DNSDIST, Cure.REVERSE): _DNSDIST_ZONE,
    (
        Product.DNSDIST,
        Cure.FLUSH,
    ): 'getPool("suite"):getCache():expungeByName(newDNSName("{zone}."), DNSQType.ANY, true)',
    (Product.SMARTDNS, Cure.FORWARD): _SMARTDNS_ZONE,
    (Product.SMARTDNS, Cure.REBIND): "without ignore-ip and blacklist-ip for this address, which know no exceptions",
    (Product.SMARTDNS, Cure.REVERSE): _SMARTDNS_ZONE,
    (Product.SMARTDNS, Cure.FLUSH): "cache-size 0",
    (Product.DNSCACHE, Cure.FORWARD): _DNSCACHE_ZONE,
    (Product.DNSCACHE, Cure.REVERSE): _DNSCACHE_ZONE,
    (Product.DNSCACHE, Cure.FLUSH): "a restart",
}
"""The line for each product and cure, or the lines, as they may be added; doubled braces are the product's own.

A forwarder that cannot have a fault has no line against it: dnsdist, SmartDNS and
dnscache do not validate, PowerDNS Recursor, dnsdist and dnscache let every address through."""


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
