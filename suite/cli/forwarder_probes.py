"""Asking a forwarder what ``forwarder`` judges: a handful of questions, side by side, none of which changes anything."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from suite.cli import procfs
from suite.cli.arguments import DNS_PORT
from suite.cli.fault import Fault
from suite.cli.forwarder import SILENCE, Heard, NameFacts, Said, Subject
from suite.cli.forwarder_lines import Product, product_of
from suite.cli.target import Target
from suite.dns import message, name, rrtype
from suite.model.configuration import Configuration, Listen

if TYPE_CHECKING:
    from suite.cli.resolver import Reply
    from suite.model.snapshot import Snapshot

RESOLV_CONF = Path("/etc/resolv.conf")
PATIENCE = 2.0
"""Seconds for each of two tries: a forwarder may have to ask us first."""
TRIES = 2
_VERSION = name.from_text("version.bind.")


def gather_names(target: Target, given: Sequence[Listen] | None, kind: Product | None) -> NameFacts:
    """Ask ``given``, or where None are, those of this machine; nobody where the suite has no database or does not answer."""
    from suite.cli.resolver import own_server

    try:
        with target.store() as store:
            snapshot = store.read()
    except Fault:
        return NameFacts()  # the database's own troubles are told beside it
    own = own_server(snapshot.configuration)
    subject = subject_of(snapshot, reached_at(snapshot.configuration, own))
    if subject is None or not is_answering(own, subject.zone):
        return NameFacts()
    return NameFacts(
        subject, hear([place for place in _places(given) if place not in {own, subject.server}], subject, kind)
    )


def _places(given: Sequence[Listen] | None) -> Sequence[Listen]:
    if given is not None:
        return given
    try:
        return [Listen(each, DNS_PORT) for each in procfs.resolvers(RESOLV_CONF.read_text(errors="replace"))]
    except OSError:
        return ()


def hear(places: Iterable[Listen], subject: Subject, kind: Product | None) -> tuple[Heard, ...]:
    """What each forwarder says; ``kind`` says what they are where they do not."""

    async def all_of_them() -> tuple[Heard, ...]:
        return tuple(await asyncio.gather(*(_hear(place, subject, kind) for place in places)))

    return asyncio.run(all_of_them())


def is_answering(server: Listen, zone: str) -> bool:
    """Whether the suite itself answers there; otherwise no forwarder can."""
    return bool(asyncio.run(_ask(server, zone, rrtype.SOA)).data)


async def _hear(place: Listen, subject: Subject, kind: Product | None) -> Heard:
    """What fails is asked again without validation; not at the same time, because dnsmasq takes that for one question."""
    product, soa, address, pointer = await asyncio.gather(
        _product(place, kind),
        _ask(place, subject.zone, rrtype.SOA),
        _ask(place, subject.name, rrtype.type_from_text(subject.rtype)),
        _ask(place, subject.reverse_name, rrtype.PTR),
    )
    heard = Heard(place, product, soa=soa, address=address, pointer=pointer)
    if not any(said.rcode for said in (soa, address, pointer)):
        return heard
    soa, pointer = await asyncio.gather(
        _ask(place, "" if soa.data else subject.zone, rrtype.SOA, message.CD),
        _ask(place, "" if pointer.data else subject.reverse_name, rrtype.PTR, message.CD),
    )
    return replace(heard, soa_unchecked=soa, pointer_unchecked=pointer)


async def _ask(place: Listen, text: str, rtype: int, flags: int = 0) -> Said:
    """One question; no name is no question."""
    from suite.cli.resolver import ask

    if not text:
        return SILENCE
    try:
        reply = await ask(place, name.from_text(text), rtype, PATIENCE, flags=message.RD | flags, tries=TRIES)
    except OSError:  # silence is an answer too
        return SILENCE
    return _said(reply, rrtype.type_to_text(rtype))


def _said(reply: "Reply", rtype: str) -> Said:
    denial = next((row for row in reply.rows if row.section == "authority" and row.type == "SOA"), None)
    return Said(
        reply.rcode,
        tuple(row.data for row in reply.answers if row.type == rtype),
        denial.name if denial else "",
        denial.ttl if denial else 0,
        reply.is_authentic,
        reply.errors,
    )


async def _product(place: Listen, kind: Product | None) -> Product:
    """What it is; asked only where nobody has said it."""
    from suite.cli.resolver import ask

    if kind is not None:
        return kind
    try:
        reply = await ask(place, _VERSION, rrtype.TXT, PATIENCE, flags=message.RD, qclass=rrtype.CH, tries=TRIES)
    except OSError:
        return Product.UNKNOWN
    return product_of(next((row.data.strip('"') for row in reply.answers), ""))


def subject_of(snapshot: "Snapshot", server: Listen) -> Subject | None:
    """A Service that has an address and a name, with both; None where there is none yet."""
    from suite.dns.rdata import format_rdata
    from suite.nameserver.plan import scheme_of
    from suite.nameserver.records import Rank, wanted_by_service

    scheme = scheme_of(snapshot.configuration)
    for ref in snapshot.holdings.keys():  # noqa: SIM118 - a persistent map
        service = snapshot.services.get(ref)
        records = wanted_by_service(service, snapshot, scheme).records if service and snapshot.bound(ref) else ()
        own = [each for each in records if each.rank is Rank.CANONICAL and each.rtype in {rrtype.A, rrtype.AAAA}]
        if not own:
            continue
        first = own[0]
        data = tuple(format_rdata(each.rtype, each.rdata) for each in own if each.rtype == first.rtype)
        pointer = next((each for each in records if each.rtype == rrtype.PTR), None)
        found = Subject(
            name.to_text(first.owner), name.to_text(first.zone), rrtype.type_to_text(first.rtype), data, server
        )
        if pointer is None or not snapshot.configuration.dns.reverse:
            return found
        return replace(found, reverse_name=name.to_text(pointer.owner), reverse_zone=name.to_text(pointer.zone))
    return None


def reached_at(configuration: Configuration, own: Listen) -> Listen:
    """Where the network reaches this suite: the address the configuration names, else where it listens."""
    dns = configuration.dns
    if dns.addresses:
        return Listen(dns.addresses[0], 53)
    return next((each for each in dns.listen if not each.address.is_unspecified), own)
