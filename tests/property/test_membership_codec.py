"""Heartbeats, control messages and kernel messages: what is written is read, and no bytes whatever make a reader fail."""

from __future__ import annotations

import hmac
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from hypothesis import given
from hypothesis import strategies as st

from suite.l2.rtnetlink import InterfaceTable, dump_request
from suite.speaker.control import Adopt, Configure
from suite.speaker.heartbeat import (
    MOST_ADDRESSES,
    Beat,
    Claims,
    Envelope,
    Fault,
    Standing,
    UsableLink,
    encode,
    open_envelope,
    read,
    verify,
)
from suite.speaker.ownership import Entry

KEY = b"key"
eights = st.binary(min_size=8, max_size=8)
counters = st.integers(0, 2**64 - 1)
names = st.text("abcdefgh0123456789.-", min_size=1, max_size=15)
standings = st.builds(Standing, counters, st.text("0123456789abcdef-", max_size=36))
networks = st.one_of(
    st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)).map(lambda each: IPv4Network(each, strict=False)),
    st.tuples(st.integers(0, 2**128 - 1), st.integers(0, 128)).map(lambda each: IPv6Network(each, strict=False)),
)
links = st.builds(UsableLink, names, networks, st.binary(min_size=6, max_size=6), st.booleans())
addresses = st.one_of(
    st.builds(IPv4Address, st.integers(0, 2**32 - 1)), st.builds(IPv6Address, st.integers(0, 2**128 - 1))
)
envelopes = st.builds(Envelope, eights, eights, eights, counters, eights, counters)
beats = st.builds(
    Beat,
    standing=st.none() | standings,
    is_ready=st.booleans(),
    is_draining=st.booleans(),
    is_waiting=st.booleans(),
    flaps=st.integers(0, 255),
    claims=eights,
    known=eights,
    links=st.lists(links, max_size=24).map(tuple),
)
packed = st.frozensets(addresses.map(lambda address: address.packed), max_size=MOST_ADDRESSES)
claims = st.builds(Claims, eights, st.integers(0, 3), st.integers(4, 9), packed)
entries = st.builds(
    Entry,
    addresses,
    st.lists(names, unique=True, max_size=5).map(tuple),
    st.none() | standings,
    st.dictionaries(names, st.frozensets(names, max_size=3), max_size=3),
    st.booleans(),
)


@given(envelopes, st.one_of(beats, claims))
def test_a_heartbeat_is_read_as_it_was_written_and_fits_an_ethernet_frame(
    envelope: Envelope, body: Beat | Claims
) -> None:
    datagram = encode(envelope, body, KEY)

    assert (open_envelope(datagram), verify(datagram, [KEY]), read(datagram)) == (envelope, True, body)
    assert len(datagram) <= 1400


@given(envelopes, beats, st.binary(max_size=80), st.integers(9, 255))
def test_fields_that_a_newer_version_adds_are_skipped(envelope: Envelope, beat: Beat, value: bytes, kind: int) -> None:
    unsigned = encode(envelope, beat, KEY)[:-32] + bytes((kind,)) + len(value).to_bytes(2, "big") + value

    assert read(unsigned + hmac.digest(KEY, unsigned, "sha256")) == beat


@given(envelopes, st.one_of(beats, claims), st.binary(max_size=60), st.integers(0, 200))
def test_a_peers_mistakes_are_faults_and_never_exceptions(
    envelope: Envelope, body: Beat | Claims, noise: bytes, cut: int
) -> None:
    datagram = encode(envelope, body, KEY)
    spoiled = datagram[: 55 + cut] + noise + bytes(32)

    assert isinstance(read(spoiled), (Beat, Claims, Fault))


@given(st.binary(max_size=2000))
def test_any_bytes_are_an_envelope_or_a_fault(datagram: bytes) -> None:
    assert isinstance(open_envelope(datagram), (Envelope, Fault))


@given(standings, st.lists(entries, max_size=6).map(tuple))
def test_a_plan_arrives_as_it_was_sent(standing: Standing, plan: tuple[Entry, ...]) -> None:
    adopt = Adopt(standing, plan)

    assert Adopt.from_message(adopt.to_message()) == adopt


@given(
    st.dictionaries(names, st.lists(addresses, max_size=3).map(tuple), min_size=1, max_size=4), st.binary(min_size=1)
)
def test_a_configuration_arrives_as_it_was_sent(fleet: dict[str, tuple[IPv4Address, ...]], key: bytes) -> None:
    wanted = Configure(next(iter(fleet)), fleet, (key,), {"arp": "00"}, port=7947)

    assert Configure.from_message(wanted.to_message()) == wanted


@given(st.binary(max_size=300), st.integers(16, 24), st.integers(0, 2**16 - 1))
def test_no_kernel_message_breaks_the_interface_table(body: bytes, kind: int, length: int) -> None:
    header = dump_request(kind, 1)[:16]
    table = InterfaceTable()

    table.feed((16 + len(body)).to_bytes(4, "little") + header[4:] + body)
    table.feed(length.to_bytes(4, "little") + header[4:] + body)
    table.feed(body)
