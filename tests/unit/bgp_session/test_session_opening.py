"""How sessions come up: both directions, collisions, and what two OPENs agree on."""

from ipaddress import IPv4Address

import pytest
from bgp_wire import Lone, Wire, config, peer_open

from suite.bgp.capability import ExtendedNextHop, FourOctetAs, GracefulRestart, Multiprotocol
from suite.bgp.collision import Contender, Speakers, keeps_new
from suite.bgp.fsm import State
from suite.bgp.message import KEEPALIVE, Keepalive
from suite.bgp.negotiation import PeerKind
from suite.bgp.notification import Notification
from suite.bgp.open import Open
from suite.bgp.prefix import IPV4, IPV6

BOTH = frozenset({IPV4, IPV6})


def test_an_active_and_a_passive_side_come_up() -> None:
    wire = Wire(config(), config(64513, passive=True)).start().run(1)

    assert (wire.a.state, wire.b.state) == (State.ESTABLISHED, State.ESTABLISHED)


def test_a_passive_side_that_waits_is_active() -> None:
    wire = Wire(config(passive=True), config(64513, passive=True)).start().run(100)

    assert (wire.a.state, wire.a.next_timer()) == (State.ACTIVE, None)


def test_two_active_sides_keep_one_connection() -> None:
    wire = Wire(config(), config(64513)).start().run(5)

    assert (wire.a.state, wire.b.state) == (State.ESTABLISHED, State.ESTABLISHED)
    assert len(wire.pairs) == 2


def test_the_connection_of_the_higher_identifier_stays() -> None:
    wire = Wire(config(), config(64513)).start().run(5)

    carried = wire.pairs[wire.b, wire.b.link]
    assert carried == (wire.a, wire.a.link)
    assert wire.b.link == 1


def test_after_a_collision_neither_side_tries_again() -> None:
    wire = Wire(config(), config(64513)).start().run(5)
    changes = len(wire.events[wire.a])

    wire.run(300)

    assert len(wire.events[wire.a]) == changes
    assert wire.a.status().counters["established"] == 1


LOW, HIGH = (IPv4Address("10.0.0.1"), 64512), (IPv4Address("10.0.0.2"), 64512)
OURS, THEIRS = Contender(State.OPEN_CONFIRM, incoming=False), Contender(State.OPEN_SENT, incoming=True)
UP = Contender(State.ESTABLISHED, incoming=False)
COLLISIONS = [
    pytest.param(OURS, THEIRS, Speakers(LOW, HIGH), True, id="theirs is newer and they are higher"),
    pytest.param(OURS, THEIRS, Speakers(HIGH, LOW), False, id="theirs is newer and we are higher"),
    pytest.param(THEIRS, OURS, Speakers(LOW, HIGH), False, id="ours is newer and they are higher"),
    pytest.param(THEIRS, OURS, Speakers(HIGH, LOW), True, id="ours is newer and we are higher"),
    pytest.param(THEIRS, THEIRS, Speakers(HIGH, LOW), True, id="they connected twice"),
    pytest.param(UP, THEIRS, Speakers(LOW, HIGH), False, id="established stays"),
    pytest.param(
        Contender(State.ESTABLISHED, incoming=True, gracefully=True), THEIRS, Speakers(HIGH, LOW), True, id="restarted"
    ),
    pytest.param(
        OURS, THEIRS, Speakers((LOW[0], 1), (LOW[0], 70000)), True, id="equal identifiers, their number is higher"
    ),
]


@pytest.mark.parametrize(("existing", "new", "speakers", "stays"), COLLISIONS)
def test_which_of_two_connections_stays(existing: Contender, new: Contender, speakers: Speakers, stays: bool) -> None:
    assert keeps_new(existing, new, speakers) is stays


def test_the_connection_that_loses_is_told_so() -> None:
    lone = Lone(config()).connect()
    lone.say(peer_open(identifier="10.0.0.1"))
    second = lone.session.accepted(IPv4Address("10.9.0.1"), IPv4Address("10.9.0.2"), 0.0)

    lone.link = second
    lone.say(peer_open(identifier="10.0.0.1"))

    assert lone.last_words[-1] == Notification(6, 7)
    assert lone.session.state is State.OPEN_CONFIRM


def test_a_peer_that_restarted_gracefully_replaces_its_dead_connection_without_a_word() -> None:
    lone = Lone(config(passive=True))
    lone.link = lone.session.accepted(IPv4Address("10.9.0.1"), IPv4Address("10.9.0.2"), 0.0)
    lone.say(peer_open(GracefulRestart(60)), KEEPALIVE)
    lone.session.bytes_to_send(lone.link, 0.0)
    lone.link = lone.session.accepted(IPv4Address("10.9.0.1"), IPv4Address("10.9.0.2"), 5.0)

    lone.say(peer_open(GracefulRestart(60, restarting=True)), KEEPALIVE)

    assert (lone.closed, lone.session.link) == ([b""], lone.link)


def test_a_peer_that_gives_a_half_open_connection_up_may_open_another() -> None:
    lone = Lone(config(passive=True))
    addresses = IPv4Address("10.9.0.1"), IPv4Address("10.9.0.2")
    for _ in range(10):
        lone.link = lone.session.accepted(*addresses, 0.0)

    lone.say(peer_open(), KEEPALIVE)

    assert lone.session.state is State.ESTABLISHED


def test_a_second_connection_that_is_turned_away_is_no_reason_of_the_first() -> None:
    lone = Lone(config()).establish()
    standing = lone.link
    lone.link = lone.session.accepted(IPv4Address("10.9.0.1"), IPv4Address("10.9.0.2"), 1.0)

    lone.say(peer_open())

    assert lone.last_words[-1] == Notification(6, 7)
    assert (lone.session.link, lone.session.status().last_cause) == (standing, None)


def test_connections_given_up_for_newer_ones_do_not_lengthen_the_pause() -> None:
    lone = Lone(config())
    for _ in range(10):
        lone.link = lone.session.accepted(IPv4Address("10.9.0.1"), IPv4Address("10.9.0.2"), 0.0)
    lone.say(peer_open(), KEEPALIVE)

    lone.session.lost(lone.link, 1.0)

    assert lone.session.next_timer() - 1.0 == pytest.approx(1.0)


def test_connections_are_not_taken_before_the_start() -> None:
    wire = Wire(config(), config(64513, passive=True))

    assert wire.b.accepted(IPv4Address("10.9.0.2"), IPv4Address("10.9.0.1"), 0.0) is None


HOLD_TIMES = [(90, 90, 90, 30), (90, 30, 30, 10), (3, 180, 3, 1), (0, 90, 0, 0), (90, 0, 0, 0)]


@pytest.mark.parametrize(("ours", "theirs", "agreed", "keepalive"), HOLD_TIMES)
def test_the_smaller_hold_time_holds(ours: int, theirs: int, agreed: int, keepalive: int) -> None:
    lone = Lone(config(hold_time=ours)).establish(hold_time=theirs)

    status = lone.session.status()
    assert (status.hold_time, status.keepalive_time) == (agreed, keepalive)


def test_a_configured_keepalive_time_is_kept_if_the_hold_time_allows() -> None:
    lone = Lone(config(keepalive_time=5.0)).establish(hold_time=90)

    assert lone.session.status().keepalive_time == 5.0


def test_our_open_says_what_we_can() -> None:
    lone = Lone(config(families=BOTH, graceful_restart=120, extended_next_hop=True)).connect()

    [sent] = lone.heard()

    names = [type(capability).__name__ for capability in sent.capabilities]
    assert names == [
        *("Multiprotocol", "Multiprotocol", "RouteRefresh", "EnhancedRouteRefresh", "FourOctetAs"),
        *("ExtendedNextHop", "GracefulRestart"),
    ]
    assert sent.capabilities[-1] == GracefulRestart(120, ((IPV4, True), (IPV6, True)))


def test_an_open_is_answered_with_a_keepalive() -> None:
    lone = Lone(config()).connect()
    lone.heard()

    lone.say(peer_open())

    assert (lone.heard(), lone.session.state) == ([Keepalive()], State.OPEN_CONFIRM)


REFUSED = [
    pytest.param({}, peer_open(asn=65000), Notification(2, 2), id="wrong AS number"),
    pytest.param({"peer_as": PeerKind.INTERNAL}, peer_open(), Notification(2, 2), id="external where internal"),
    pytest.param(
        {"peer_as": PeerKind.EXTERNAL}, peer_open(asn=64512), Notification(2, 2), id="internal where external"
    ),
    pytest.param(
        {"peer_as": 64512}, peer_open(asn=64512, identifier="10.9.0.1"), Notification(2, 3), id="our own identifier"
    ),
    pytest.param(
        {"families": frozenset({IPV6})}, peer_open(), Notification(2, 7, bytes.fromhex("010400020001")), id="no family"
    ),
]


@pytest.mark.parametrize(("changes", "message", "answer"), REFUSED)
def test_a_peer_that_does_not_fit_is_refused(changes: dict[str, object], message: Open, answer: Notification) -> None:
    lone = Lone(config(**changes)).connect()

    lone.say(message)

    assert (lone.last_words[-1], lone.session.state) == (answer, State.IDLE)


@pytest.mark.parametrize(
    ("kind", "asn", "internal"), [(PeerKind.INTERNAL, 64512, True), (PeerKind.EXTERNAL, 65000, False)]
)
def test_a_peer_known_only_by_its_kind_is_taken(kind: PeerKind, asn: int, internal: bool) -> None:
    lone = Lone(config(peer_as=kind)).connect()

    lone.say(peer_open(asn=asn), KEEPALIVE)

    assert (lone.session.status().peer_as, lone.session.status().internal) == (asn, internal)


@pytest.mark.parametrize("theirs", [True, False], ids=["agreed", "not agreed"])
def test_ipv6_next_hops_for_ipv4_need_both_sides(theirs: bool) -> None:
    capabilities = (ExtendedNextHop(((IPV4, 2),)),) if theirs else ()

    lone = Lone(config(extended_next_hop=True)).establish(*capabilities)

    assert lone.session.negotiated.dialect.extended_next_hop is theirs


def test_a_peer_without_capabilities_speaks_ipv4_with_two_octets() -> None:
    lone = Lone(config(families=BOTH)).connect()

    lone.say(Open(64513, 90, IPv4Address("10.9.0.2")), KEEPALIVE)

    agreed = lone.session.negotiated
    assert (agreed.families, agreed.dialect.four_octet, agreed.refresh) == ({IPV4}, False, False)


def test_only_families_of_both_sides_are_agreed_on() -> None:
    lone = Lone(config(families=BOTH)).connect()

    lone.say(Open(64513, 90, IPv4Address("10.9.0.2"), (FourOctetAs(64513), Multiprotocol(IPV6))), KEEPALIVE)

    assert lone.session.negotiated.families == {IPV6}


def test_a_family_without_a_next_hop_is_named() -> None:
    lone = Lone(config(families=BOTH)).establish(Multiprotocol(IPV6))

    assert lone.session.status().unannounced_families == {IPV6}


@pytest.mark.parametrize(
    "wrong",
    [
        {"local_as": 0},
        {"local_as": 2**32},
        {"identifier": "0.0.0.0"},
        {"hold_time": 2},
        {"hold_time": 65536},
        {"keepalive_time": 91.0},
        {"connect_retry_time": 0.0},
        {"families": frozenset()},
        {"graceful_restart": 4096},
    ],
    ids=str,
)
def test_a_configuration_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"AS numbers|identifier|hold|keepalive|times|families|restart"):
        config(**wrong)
