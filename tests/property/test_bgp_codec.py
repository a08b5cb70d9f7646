"""Messages survive the wire, and whatever arrives, a decoder gives a message or the NOTIFICATION to send."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from hypothesis import given
from hypothesis import strategies as st

from suite.bgp.attribute import Origin, PathAttributes, RawAttribute, Segment, SegmentKind
from suite.bgp.attribute_decode import Treatment
from suite.bgp.bfd_packet import BfdState, ControlPacket, decode_packet, encode_packet
from suite.bgp.capability import (
    EnhancedRouteRefresh,
    ExtendedNextHop,
    FourOctetAs,
    GracefulRestart,
    Multiprotocol,
    UnknownCapability,
)
from suite.bgp.capability import RouteRefresh as RouteRefreshCapability
from suite.bgp.message import Dialect, Keepalive, MessageReader, MessageType, RouteRefresh, decode, encode
from suite.bgp.notification import Notification, ProtocolError
from suite.bgp.open import Open
from suite.bgp.prefix import IPV4, IPV6, Family, Prefix, split_nlri
from suite.bgp.update import Reach, Unreach, Update

DIALECTS = [
    Dialect(four_octet, internal, frozenset({IPV4, IPV6}), extended)
    for four_octet in (True, False)
    for internal in (True, False)
    for extended in (True, False)
]
INTERNAL = Dialect(True, True, frozenset({IPV4, IPV6}), True)

u8, u16, u32 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32))
asns = st.integers(1, 2**32 - 1)
v4, v6 = st.ip_addresses(v=4), st.ip_addresses(v=6)
families = st.builds(Family, u16, u8)


@st.composite
def prefixes4(draw: st.DrawFn) -> Prefix:
    return Prefix.of(IPv4Network((draw(u32), draw(st.integers(0, 32))), strict=False))


@st.composite
def prefixes6(draw: st.DrawFn) -> Prefix:
    return Prefix.of(IPv6Network((draw(st.integers(0, 2**128 - 1)), draw(st.integers(0, 128))), strict=False))


many4 = st.lists(prefixes4(), max_size=20).map(tuple)
many6 = st.lists(prefixes6(), max_size=20).map(tuple)
capabilities = st.one_of(
    st.builds(Multiprotocol, families),
    st.just(RouteRefreshCapability()),
    st.just(EnhancedRouteRefresh()),
    st.builds(ExtendedNextHop, st.lists(st.tuples(families, u16), max_size=4).map(tuple)),
    st.builds(
        GracefulRestart,
        st.integers(0, 4095),
        st.lists(st.tuples(families, st.booleans()), max_size=4).map(tuple),
        st.booleans(),
        st.booleans(),
    ),
    st.builds(UnknownCapability, st.integers(128, 255), st.binary(max_size=40)),
)
segments = st.builds(Segment, st.sampled_from(SegmentKind), st.lists(asns, min_size=1, max_size=30).map(tuple))
path_attributes = st.builds(
    PathAttributes,
    origin=st.sampled_from(Origin),
    as_path=st.lists(segments, max_size=3).map(tuple),
    next_hop=v4,
    med=st.none() | u32,
    local_pref=st.none() | u32,
    atomic_aggregate=st.booleans(),
    aggregator=st.none() | st.tuples(asns, v4),
    communities=st.lists(u32, max_size=80).map(tuple),
    originator=st.none() | v4,
    clusters=st.lists(v4, max_size=4).map(tuple),
    extended_communities=st.lists(st.integers(0, 2**64 - 1), max_size=4).map(tuple),
    large_communities=st.lists(st.tuples(u32, u32, u32), max_size=30).map(tuple),
    unknown=st.lists(
        st.builds(RawAttribute, st.sampled_from([0x80, 0xC0, 0xE0]), st.integers(64, 200), st.binary(max_size=300)),
        max_size=2,
        unique_by=lambda raw: raw.kind,
    ).map(lambda raws: tuple(sorted(raws, key=lambda raw: raw.kind))),
)
reaches = st.builds(Reach, st.just(IPV6), v6.map(lambda a: (a,)), many6)
unreaches = st.builds(Unreach, st.just(IPV6), many6)
updates = st.builds(Update, many4, path_attributes, many4, st.none() | reaches, st.none() | unreaches)


@st.composite
def opens(draw: st.DrawFn) -> Open:
    asn = draw(asns)
    others = draw(st.lists(capabilities, max_size=6))
    hold = draw(st.sampled_from([0, 3, 90, 65535]))
    return Open(asn, hold, IPv4Address(draw(st.integers(1, 2**32 - 1))), (FourOctetAs(asn), *others))


messages = st.one_of(
    opens(),
    updates,
    st.builds(Notification, u8, u8, st.binary(max_size=64)),
    st.just(Keepalive()),
    st.builds(RouteRefresh, families, u8),
)


def outcome(kind: MessageType, body: bytes, dialect: Dialect) -> object:
    """The message, or the NOTIFICATION its fault is answered with."""
    try:
        return decode(kind, body, dialect)
    except ProtocolError as error:
        return error.notification


@given(messages)
def test_every_message_survives_the_wire(message: object) -> None:
    [(kind, body)] = MessageReader().feed(encode(message))

    assert decode(kind, body, INTERNAL) == message


@given(st.lists(messages, max_size=5), st.lists(st.integers(1, 60), min_size=1, max_size=20))
def test_a_stream_reads_the_same_however_it_is_cut(sent: list[object], sizes: list[int]) -> None:
    stream = b"".join(encode(message) for message in sent)
    reader = MessageReader()
    found, at = [], 0

    while at < len(stream):
        size = sizes[len(found) % len(sizes)]
        found += [decode(kind, body, INTERNAL) for kind, body in reader.feed(stream[at : at + size])]
        at += size

    assert found == sent


@given(st.binary(max_size=200))
def test_any_octets_give_messages_or_a_notification(octets: bytes) -> None:
    try:
        for kind, body in MessageReader().feed(octets):
            decode(kind, body, INTERNAL)
    except ProtocolError as error:
        encode(error.notification)


@given(st.sampled_from(MessageType), st.binary(max_size=120), st.sampled_from(DIALECTS))
def test_any_body_gives_a_message_or_a_notification(kind: MessageType, body: bytes, dialect: Dialect) -> None:
    least = {MessageType.OPEN: 10, MessageType.UPDATE: 4, MessageType.NOTIFICATION: 2}.get(kind, 0)
    try:
        decode(kind, body.ljust(least, b"\0"), dialect)
    except ProtocolError as error:
        encode(error.notification)


@given(updates, st.data(), st.sampled_from(DIALECTS))
def test_a_damaged_update_costs_its_routes_or_the_session_and_nothing_else(
    update: Update, data: st.DataObject, dialect: Dialect
) -> None:
    body = bytearray(encode(update)[19:])
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(u8)

    read = outcome(MessageType.UPDATE, bytes(body), dialect)

    if isinstance(read, Update):
        assert read.treatment is not Treatment.TREAT_AS_WITHDRAW or not read.prefixes
    else:
        assert read.code == 3


@given(opens(), st.data())
def test_a_damaged_open_is_an_open_or_refused_as_one(message: Open, data: st.DataObject) -> None:
    body = bytearray(encode(message)[19:])
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(u8)

    read = outcome(MessageType.OPEN, bytes(body), INTERNAL)

    assert isinstance(read, Open) or read.code == 2


@given(many4, many6)
def test_prefixes_read_as_they_were_written(four: tuple[Prefix, ...], six: tuple[Prefix, ...]) -> None:
    assert split_nlri(b"".join(p.nlri for p in four), IPV4) == four
    assert split_nlri(b"".join(p.nlri for p in six), IPV6) == six


@given(prefixes4() | prefixes6())
def test_a_prefix_is_the_network_it_prints(prefix: Prefix) -> None:
    assert Prefix.parse(str(prefix)) == prefix
    assert isinstance(prefix.network.network_address, IPv4Address | IPv6Address)


bfd_packets = st.builds(
    ControlPacket,
    st.sampled_from([BfdState.ADMIN_DOWN, BfdState.DOWN]),
    st.integers(1, 255),
    st.integers(1, 2**32 - 1),
    *(u32,) * 4,
    diagnostic=st.integers(0, 31),
    poll=st.booleans(),
    final=st.booleans(),
    control_plane_independent=st.booleans(),
    demand=st.booleans(),
)


@given(bfd_packets)
def test_every_bfd_packet_survives_the_wire(packet: ControlPacket) -> None:
    assert decode_packet(encode_packet(packet)) == packet


@given(st.binary(max_size=60))
def test_any_octets_are_a_bfd_packet_or_a_reason(octets: bytes) -> None:
    assert isinstance(decode_packet(octets), ControlPacket | str)
