"""The zones that the vectors are about: files, one that is long, and what the program plans of two Services and a host."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import dns.name
import dns.rdatatype
import dns.zone
from rpds import HashTrieMap
from zone_worlds import load_balancer, snapshot_of

from suite.dns.catalogue import Zones
from suite.dns.name import from_text
from suite.dns.zone import Zone
from suite.dns.zonefile import read
from suite.model.address import parse_address, parse_range
from suite.model.configuration import NameGrant, StaticHost, StaticRecord
from suite.model.pool import Pool
from suite.model.refusal import Reason, Refusal
from suite.model.service import Port, ServiceRef
from suite.nameserver.plan import ZonePlanner

HERE = Path(__file__).parent
_APEX = "$TTL 30\n@ IN SOA ns1.service. hostmaster.service. 7 7200 1800 86400 5\n@ IN NS ns1.service.\n"
_TEXTS = {"bulk.": _APEX + "".join(f'n{number} IN TXT "{number:0200}"\n' for number in range(400))}
"""Zones that need no file: one whose transfer takes several messages."""


def zones(state: str = "ready") -> Zones:
    """All zones of the folder `zones`, in the state that a case names."""
    files = (_zone(path.stem + ".", path.read_text()) for path in (HERE / "zones").glob("*.zone"))
    others = (_zone(origin, text) for origin, text in _TEXTS.items())
    return Zones.of((*files, *others, *_planned()), ready=state != "unready", stale=state == "stale")


def versions() -> list[Zone]:
    """A zone in its versions, oldest first."""
    return [_zone("changing.", path.read_text()) for path in sorted((HERE / "versions").glob("changing.*.zone"))]


@cache
def stored(origin: str) -> frozenset[str]:
    """Every record of a zone as dnspython reads its file: what a reply may be made of."""
    name, text = dns.name.from_text(origin), _TEXTS.get(origin) or _file_of(origin).read_text()
    found = dns.zone.from_text(text, name, relativize=False)
    return frozenset(
        f"{owner} {rdataset.ttl} IN {dns.rdatatype.to_text(rdata.rdtype)} {rdata.to_text()}".lower()
        for owner, rdataset in found.iterate_rdatasets()
        for rdata in rdataset
    )


def _file_of(origin: str) -> Path:
    """The file of a zone, the newest where there are several."""
    one = HERE / "zones" / f"{origin}zone"
    return one if one.exists() else max((HERE / "versions").glob(f"{origin}*.zone"))


def _planned() -> list[Zone]:
    """What the program makes of two Services and a host: a pool with a zone of its own and less than a /24, a bare alias."""
    pools = (
        Pool("edge", (parse_range("192.0.2.0/26"),), zone="lan.example"),
        Pool("wide", (parse_range("198.51.100.0/24"), parse_range("2001:db8:7::/64"))),
        Pool(
            "large",
            (parse_range("172.20.0.0/16"), parse_range("172.21.16.0/20"), parse_range("172.22.1.240-172.22.1.250")),
        ),
    )
    snapshot = snapshot_of(
        load_balancer("shop/web", ports=(Port(80, name="http"),)),
        load_balancer("shop/waiting", hostnames=("board", "www.shop"), wildcard=True),
        leases={"shop/web": "192.0.2.5"},
        zones=("home.example",),
        hosts=(
            StaticHost("nas", (parse_address("198.51.100.7"),), aliases=("k8s-nas",)),
            StaticHost("backup", service=ServiceRef("shop", "waiting"), aliases=("k8s-backup",)),
            StaticHost("gone", service=ServiceRef("shop", "gone")),
        ),
        records=(
            StaticRecord("7.100.51.198.in-addr.arpa.", "PTR", "nas"),
            StaticRecord("9.3.20.172.in-addr.arpa.", "PTR", "gateway.lan."),
            StaticRecord("5.0/26.2.0.192.in-addr.arpa.", "PTR", "nas"),
        ),
        claims=(NameGrant(("board",), ("shop",)),),
    )
    (web,) = snapshot.holdings[ServiceRef("shop", "web")]
    refused = {ServiceRef("shop", "waiting"): Refusal(Reason.POOL_EXHAUSTED, "pool wide has no free address")}
    planner = ZonePlanner()
    planner.plan(
        replace(
            snapshot,
            configuration=replace(snapshot.configuration, pools=pools),
            holdings=HashTrieMap({ServiceRef("shop", "web"): (replace(web, pool="edge"),)}),
            refusals=HashTrieMap(refused),
        )
    )
    return list(planner.zones.values())


def _zone(origin: str, text: str) -> Zone:
    """A zone from its file's text; in it `; leased NAME` marks an address that is leased, `; note NAME TEXT` says why a name has none."""
    apex = from_text(origin)
    reading = read(text, apex)
    assert not reading.refused
    leased = {from_text(owner, apex) for owner in re.findall(r"^; leased (\S+)$", text, re.MULTILINE)}
    notes = {from_text(owner, apex): why for owner, why in re.findall(r"^; note (\S+) (.+)$", text, re.MULTILINE)}
    return Zone.build(apex, (replace(each, leased=each.name in leased) for each in reading.rrsets), notes)
