"""AXFR and IXFR streams, message by message, read back with dnspython."""

from __future__ import annotations

import time

import dns.message
import dns.query
import dns.rdatatype
import dns.tsig
import dns.xfr
import dns.zone
import pytest

from suite.dns import rrtype
from suite.dns.catalogue import Zones
from suite.dns.fastpath import Compiled
from suite.dns.feed import ChangeZone, ReplaceZone, SetState, pack, record, unpack, whole
from suite.dns.journal import Difference, Journal
from suite.dns.name import from_text
from suite.dns.rdata import parse_rdata
from suite.dns.rrset import RRset
from suite.dns.settings import Key, Settings, Transfers
from suite.dns.transfer import is_newer
from suite.dns.zone import Zone

NOW = int(time.time())  # dnspython signs by the clock
ORIGIN = from_text("service.")
LAN = Transfers(networks=((b"\x0a\0\0\0", 8),), keys=frozenset({from_text("key.")}))
KEY = Key(from_text("key."), "hmac-sha256", b"a secret of thirty-two octets ok")
INSIDE, OUTSIDE = b"\x0a\1\2\3", b"\xc0\0\2\1"


def rrset(name: str, rtype: str, *data: str, ttl: int = 30) -> RRset:
    number = rrtype.type_from_text(rtype)
    return RRset(from_text(name, ORIGIN), number, ttl, tuple(parse_rdata(number, text, ORIGIN) for text in data))


def zone(serial: int, *more: RRset) -> Zone:
    return Zone.build(ORIGIN, [rrset("@", "SOA", f"ns host {serial} 7200 1800 86400 5"), rrset("@", "NS", "ns"), *more])


@pytest.fixture
def server():
    """A server whose zone went from serial 1 over 2 to 3."""
    compiled = Compiled(Zones(), Settings(transfers=LAN, keys=(KEY,)), lambda: NOW, "tcp")
    compiled.apply([ReplaceZone(zone(1, rrset("ns", "A", "10.0.0.53"))), SetState(ready=True, stale=False)])
    compiled.apply([ChangeZone(ORIGIN, (rrset("web", "A", "10.0.0.1", "10.0.0.2"),), 2)])
    compiled.apply([ChangeZone(ORIGIN, (rrset("web", "A", "10.0.0.2"), rrset("new", "A", "10.0.0.3")), 3)])
    return compiled


def ask(server: Compiled, rtype: str, name: str = "service.", *, serial: int | None = None, client: bytes = INSIDE):
    query = dns.message.make_query(name, rtype, id=1)
    if serial is not None:
        query.authority.append(dns.rrset.from_text(name, 0, "IN", "SOA", f"ns.service. host.service. {serial} 0 0 0 0"))
    return [
        dns.message.from_wire(octets, xfr=True, one_rr_per_rrset=True)
        for octets in server.converse(query.to_wire(), client)
    ]


def lines(messages) -> list[str]:
    return [rrset.to_text() for message in messages for rrset in message.answer]


SOA = "service. 30 IN SOA ns.service. host.service. {} 7200 1800 86400 5"


def test_axfr_is_the_whole_zone_between_two_soas(server):
    found = lines(ask(server, "AXFR"))

    assert (found[0], found[-1], sorted(found[1:-1])) == (
        SOA.format(3),
        SOA.format(3),
        ["new.service. 30 IN A 10.0.0.3", "ns.service. 30 IN A 10.0.0.53", "service. 30 IN NS ns.service.", "web.service. 30 IN A 10.0.0.2"],
    )  # fmt: skip


def test_ixfr_from_a_known_serial_is_the_differences(server):
    assert lines(ask(server, "IXFR", serial=1)) == [
        SOA.format(3),
        SOA.format(1), SOA.format(2), "web.service. 30 IN A 10.0.0.1", "web.service. 30 IN A 10.0.0.2",
        SOA.format(2), "web.service. 30 IN A 10.0.0.1", SOA.format(3), "new.service. 30 IN A 10.0.0.3",
        SOA.format(3),
    ]  # fmt: skip


@pytest.mark.parametrize("serial", [3, 4])
def test_ixfr_of_who_is_not_behind_is_one_soa(server, serial):
    assert lines(ask(server, "IXFR", serial=serial)) == [SOA.format(3)]


def test_ixfr_from_an_unknown_serial_is_the_whole_zone(server):
    assert len(lines(ask(server, "IXFR", serial=0))) == 6


def test_a_journal_survives_the_way_to_another_worker(server):
    other = Compiled(Zones(), server.settings, lambda: NOW, "tcp")

    other.apply(unpack(pack(whole(server.zones, server.journal))))

    assert lines(ask(other, "IXFR", serial=1)) == lines(ask(server, "IXFR", serial=1))


def test_a_replaced_zone_is_a_difference_too(server):
    server.apply([ReplaceZone(zone(9, rrset("ns", "A", "10.0.0.53")))])

    found = lines(ask(server, "IXFR", serial=3))

    assert (found[1], sorted(found[2:4]), found[4]) == (
        SOA.format(3), ["new.service. 30 IN A 10.0.0.3", "web.service. 30 IN A 10.0.0.2"], SOA.format(9),
    )  # fmt: skip


def test_a_change_of_ttl_takes_the_set_away_and_puts_it_back(server):
    server.apply([ChangeZone(ORIGIN, (rrset("new", "A", "10.0.0.3", ttl=60),), 4)])

    found = lines(ask(server, "IXFR", serial=3))

    assert found[2:5:2] == ["new.service. 30 IN A 10.0.0.3", "new.service. 60 IN A 10.0.0.3"]


def test_a_stranger_is_refused(server):
    (reply,) = ask(server, "AXFR", client=OUTSIDE)

    assert (reply.rcode(), reply.answer) == (5, [])


def test_a_name_that_is_no_zone_is_notauth(server):
    (reply,) = ask(server, "AXFR", "web.service.")

    assert reply.rcode() == 9


def test_before_the_first_zones_a_transfer_fails_as_a_server_does():
    (reply,) = ask(Compiled(Zones(), Settings(transfers=LAN), lambda: NOW, "tcp"), "AXFR")

    assert reply.rcode() == 2


def test_a_transfer_sees_one_version_while_the_zone_changes(server):
    query = dns.message.make_query("service.", "AXFR", id=1)
    stream = server.converse(query.to_wire(), INSIDE)

    first = next(stream)
    server.apply([ChangeZone(ORIGIN, (rrset("late", "A", "10.0.0.9"),), 4)])

    assert all(b"\4late" not in octets for octets in (first, *stream))


def test_every_message_of_a_long_transfer_is_signed_and_chained(server):
    many = tuple(rrset(f"host-with-a-long-name-{number}", "TXT", "x" * 200) for number in range(300))
    server.apply([ChangeZone(ORIGIN, many, 4)])
    query = dns.message.make_query("service.", "AXFR", id=1)
    query.use_tsig(dns.tsig.Key("key.", KEY.secret, "hmac-sha256"), "key.")
    packet = query.to_wire()

    messages = list(server.converse(packet, OUTSIDE))

    context = None
    for octets in messages:
        read = dns.message.from_wire(
            octets, keyring=query.keyring, xfr=True, request_mac=query.mac, multi=True, tsig_ctx=context
        )
        context = read.tsig_ctx
        assert read.had_tsig
    assert 4 <= len(messages) <= 6


@pytest.mark.parametrize(
    ("serial", "than", "expected"),
    [(2, 1, True), (1, 2, False), (5, 5, False), (0, 0xFFFFFFFF, True), (0xFFFFFFFF, 0, False), (0x80000000, 0, False)],
)
def test_serials_wrap_around(serial, than, expected):
    assert is_newer(serial, than) is expected


def test_a_gap_in_the_serials_forgets_what_came_before():
    journal, zones = Journal(), Zones.of([zone(1)])
    updates = [ReplaceZone(zone(2, rrset("a", "A", "10.0.0.1")))]
    journal = record(journal, zones, Zones.of([zone(2)]), updates)
    journal = record(journal, Zones.of([zone(7)]), Zones.of([zone(8)]), [ReplaceZone(zone(8))])

    assert [entry.old_serial for entry in journal.by_origin[ORIGIN]] == [7]


def a_set(number: int) -> RRset:
    return RRset(from_text(f"n{number}.service."), 1, 30, (number.to_bytes(4),))


def a_step(old: int, count: int) -> Difference:
    """A difference that adds so many record sets."""
    soas = (zone(serial).soa for serial in (old, old + 1))
    return Difference(*soas, (), tuple(a_set(number) for number in range(count)))


@pytest.mark.parametrize(
    ("most", "left"), [(0, [3]), (3_000, [2, 3]), (9_000, [1, 2, 3])], ids=["small-zone", "larger", "largest"]
)
def test_the_oldest_differences_go_while_all_hold_more_than_the_zone(most, left):
    journal = Journal()
    for old in (1, 2, 3):
        journal = journal.with_difference(ORIGIN, a_step(old, 1_500), most)

    assert [entry.old_serial for entry in journal.by_origin[ORIGIN]] == left


def test_a_difference_larger_than_its_zone_is_kept_nowhere():
    journal = Journal().with_difference(ORIGIN, a_step(1, 2_001))

    assert journal.since(ORIGIN, 1, 2) is None


def test_where_nobody_may_transfer_no_differences_are_kept():
    compiled = Compiled(Zones(), Settings(), lambda: NOW, "tcp")
    compiled.apply([ReplaceZone(zone(1)), SetState(ready=True, stale=False)])

    compiled.apply([ChangeZone(ORIGIN, (rrset("web", "A", "10.0.0.1"),), 2)])

    assert len(compiled.journal.by_origin) == 0


def test_who_may_transfer_from_now_on_gets_differences_from_now_on(server):
    for serial, settings in ((4, Settings()), (5, Settings(transfers=LAN))):
        server.configure(settings)
        server.apply([ChangeZone(ORIGIN, (rrset("web", "A", f"10.0.0.{serial}"),), serial)])

    assert len(lines(ask(server, "IXFR", serial=3))) == 6
    assert [SOA.format(4) in lines(ask(server, "IXFR", serial=4))] == [True]
