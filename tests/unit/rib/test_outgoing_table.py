"""What an Adj-RIB-Out sends: differences, grouped, in the right order, and never too much."""

from ipaddress import IPv4Address, IPv6Address

import pytest

from suite.bgp.capability import FourOctetAs, Multiprotocol
from suite.bgp.export import Exporter, RouteAttributes
from suite.bgp.message import Dialect, MessageReader, RouteRefresh, decode
from suite.bgp.negotiation import SessionConfig, negotiate
from suite.bgp.open import Open
from suite.bgp.prefix import IPV4, IPV6, Prefix
from suite.bgp.rib import AdjRibOut
from suite.bgp.update import Update

NODE, ROUTER = IPv4Address("10.9.0.2"), IPv4Address("10.9.0.1")
PLAIN = RouteAttributes()
READER = Dialect(families=frozenset({IPV4, IPV6}), internal=True)


def prefix(number: int, base: str = "10.{}.{}.{}/32") -> Prefix:
    return Prefix.parse(base.format(number >> 16, number >> 8 & 255, number & 255))


def exporter(local_as: int = 64512, peer_as: int = 64512, **changes: object) -> Exporter:
    both = frozenset({IPV4, IPV6})
    config = SessionConfig(local_as, peer_as, NODE, both, **{"next_hop_v6": IPv6Address("2001:db8::2"), **changes})
    capabilities = (Multiprotocol(IPV4), Multiprotocol(IPV6), FourOctetAs(peer_as))
    return Exporter(config, negotiate(config, Open(peer_as, 90, ROUTER, capabilities)), NODE, ROUTER)


def opened(*routes: Prefix, mark_end: bool = False, enhanced: bool = False) -> AdjRibOut:
    rib = AdjRibOut()
    rib.replace(dict.fromkeys(routes, PLAIN))
    rib.open(exporter(), mark_end=mark_end, enhanced=enhanced)
    return rib


def sent(rib: AdjRibOut) -> list[Update | RouteRefresh]:
    messages = []
    while (octets := rib.next_message()) is not None:
        assert len(octets) <= 4096
        [(kind, body)] = MessageReader().feed(octets)
        messages.append(decode(kind, body, READER))
    return messages


def words(messages: list[Update | RouteRefresh]) -> list[str]:
    """Each message in short: +announced -withdrawn, `end` marks, and refresh marks."""
    shown = []
    for message in messages:
        if isinstance(message, RouteRefresh):
            shown.append(f"refresh {message.family} {message.kind}")
        elif message.end_of_rib is not None:
            shown.append(f"end {message.end_of_rib}")
        else:
            came = message.prefixes + (message.reach.prefixes if message.reach else ())
            went = message.withdrawn + (message.unreach.prefixes if message.unreach else ())
            shown.append(" ".join([f"-{p}" for p in went] + [f"+{p}" for p in came]))
    return shown


A, B = Prefix.parse("10.0.0.1/32"), Prefix.parse("10.0.0.2/32")
V6 = Prefix.parse("2001:db8::1/128")


def test_prefixes_with_equal_attributes_share_one_message() -> None:
    assert words(sent(opened(A, B))) == ["+10.0.0.1/32 +10.0.0.2/32"]


def test_each_family_has_messages_of_its_own() -> None:
    assert words(sent(opened(A, V6))) == ["+10.0.0.1/32", "+2001:db8::1/128"]


def test_different_attributes_have_messages_of_their_own() -> None:
    rib = opened(A)
    rib.change({B: RouteAttributes(med=5)})

    assert words(sent(rib)) == ["+10.0.0.1/32", "+10.0.0.2/32"]


def test_many_prefixes_fill_whole_messages() -> None:
    messages = sent(opened(*map(prefix, range(10_000))))

    assert sum(len(message.prefixes) for message in messages) == 10_000
    assert len(messages) == 13


def test_the_same_table_again_sends_nothing() -> None:
    rib = opened(A, B)
    sent(rib)

    rib.replace({A: RouteAttributes(), B: PLAIN})

    assert (sent(rib), rib.has_output) == ([], False)


def test_only_differences_are_sent_and_withdrawals_first() -> None:
    rib = opened(A, B)
    sent(rib)

    rib.replace({B: PLAIN, V6: PLAIN})

    assert words(sent(rib)) == ["-10.0.0.1/32", "+2001:db8::1/128"]


def test_ipv6_routes_are_withdrawn_in_their_own_attribute() -> None:
    rib = opened(V6)
    sent(rib)

    rib.replace({})

    assert words(sent(rib)) == ["-2001:db8::1/128"]


def test_a_route_that_comes_and_goes_before_it_is_sent_costs_nothing() -> None:
    rib = opened(A)
    sent(rib)

    rib.change({B: PLAIN})
    rib.change({}, [B])

    assert sent(rib) == []


def test_many_changes_of_one_route_are_one() -> None:
    rib = opened(A)
    sent(rib)

    for med in range(50):
        rib.change({A: RouteAttributes(med=med)})

    assert [message.attributes.med for message in sent(rib)] == [49]


def test_a_prefix_both_withdrawn_and_wanted_stays() -> None:
    rib = opened(A)
    sent(rib)

    rib.change({A: PLAIN}, [A])

    assert sent(rib) == []


def test_nothing_is_sent_without_a_connection() -> None:
    rib = AdjRibOut()
    rib.replace({A: PLAIN})

    assert (rib.next_message(), rib.pending, rib.held) == (None, 0, 0)


def test_a_new_connection_gets_everything_again() -> None:
    rib = opened(A)
    sent(rib)
    rib.close()

    rib.open(exporter(), mark_end=False)

    assert words(sent(rib)) == ["+10.0.0.1/32"]


def test_end_marks_follow_the_first_routes() -> None:
    assert words(sent(opened(A, mark_end=True))) == ["+10.0.0.1/32", "end ipv4", "end ipv6"]


def test_a_refresh_sends_one_family_again() -> None:
    rib = opened(A, V6)
    sent(rib)

    rib.refresh(IPV6)

    assert words(sent(rib)) == ["+2001:db8::1/128"]


def test_an_enhanced_refresh_stands_between_its_marks() -> None:
    rib = opened(A, V6, enhanced=True)
    sent(rib)

    rib.refresh(IPV4)

    assert words(sent(rib)) == ["refresh ipv4 1", "+10.0.0.1/32", "refresh ipv4 2"]


def test_a_route_withdrawn_during_a_refresh_is_withdrawn() -> None:
    rib = opened(A)
    sent(rib)

    rib.refresh(IPV4)
    rib.change({}, [A])

    assert words(sent(rib)) == ["-10.0.0.1/32"]


def test_a_storm_of_refreshes_is_answered_once_more() -> None:
    rib = opened(A, enhanced=True)
    sent(rib)
    for _ in range(100):
        rib.refresh(IPV4)

    once = ["refresh ipv4 1", "+10.0.0.1/32", "refresh ipv4 2"]
    assert words(sent(rib)) == once * 2


def test_a_refresh_before_the_first_end_mark_waits_for_it() -> None:
    rib = opened(A, mark_end=True, enhanced=True)

    rib.refresh(IPV4)

    first = ["+10.0.0.1/32", "end ipv4", "refresh ipv4 1", "+10.0.0.1/32"]
    assert words(sent(rib)) == [*first, "end ipv6", "refresh ipv4 2"]


def test_a_refresh_of_a_family_nobody_agreed_on_is_ignored() -> None:
    rib = AdjRibOut()
    rib.replace({A: PLAIN})
    rib.refresh(IPV4)

    assert rib.has_output is False


def test_what_is_not_asked_for_waits() -> None:
    rib = opened(*map(prefix, range(2000)))

    rib.next_message()

    assert (rib.held, rib.pending) == (810, 1190)


def test_inside_routes_have_a_preference_and_no_path() -> None:
    [message] = sent(opened(A))

    attributes = message.attributes
    assert (attributes.local_pref, attributes.as_path, attributes.next_hop) == (100, (), NODE)


def test_outside_routes_have_our_number_and_no_preference() -> None:
    octets, _ = exporter(64513, 64512).encode(IPV4, RouteAttributes(local_pref=200, med=3))

    assert octets.hex() == "40010100" + "40020602010000fc01" + "4003040a090002" + "80040400000003"


def test_a_link_local_next_hop_stands_twice() -> None:
    link_local = IPv6Address("fe80::2")

    assert exporter(next_hop_v6=link_local).next_hops(IPV6, PLAIN) == (link_local, link_local)


def test_a_family_without_a_next_hop_is_not_announced() -> None:
    assert exporter(next_hop_v6=None).families() == {IPV4}


def test_communities_are_put_in_order_once() -> None:
    attributes = RouteAttributes(communities=(5, 1, 5), large_communities=((2, 0, 0), (1, 0, 0), (2, 0, 0)))

    assert (attributes.communities, attributes.large_communities) == ((1, 5), ((1, 0, 0), (2, 0, 0)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"communities": (2**32,)},
        {"local_pref": -1},
        {"large_communities": ((1, 2, 2**32),)},
        {"communities": tuple(range(769))},
    ],
    ids=["community", "preference", "large community", "too many"],
)
def test_attributes_that_cannot_be_sent_cannot_be_made(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"32-bit|do not fit"):
        RouteAttributes(**wrong)
