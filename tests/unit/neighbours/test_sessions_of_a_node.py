"""A peer of the configuration becomes a session of a node, or a reason why not."""

from ipaddress import IPv4Address, ip_address, ip_network
from pathlib import Path

import pytest

from suite.bgp.negotiation import PeerKind
from suite.bgp.prefix import IPV4, IPV6
from suite.model.advertisement import Community
from suite.model.node import Node
from suite.model.peer import BfdProfile, Peer, SecretRef
from suite.speaker.neighbours import Neighbour, attributes, carried, is_beyond_a_router, neighbour, router_id
from suite.speaker.peer_password import with_password
from suite.speaker.plan import Route

NODE = Node("node1", addresses=(ip_address("10.10.0.101"),))
GATEWAY = ip_address("192.168.1.1")


def session(peer: Peer) -> Neighbour:
    made = neighbour(peer, NODE, (BfdProfile("fast", receive_interval=150),))
    assert isinstance(made, Neighbour), made
    return made


def test_the_story_s_peer_is_an_internal_session_with_the_node_s_address_as_its_identifier() -> None:
    config = session(Peer("gateway", 64512, 64512, address=GATEWAY)).config

    assert (config.session.local_as, config.session.peer_as) == (64512, 64512)
    assert (config.session.identifier, config.session.hold_time) == (IPv4Address("10.10.0.101"), 90)
    assert config.session.families == {IPV4}


def test_a_local_asn_is_shown_instead_of_ours() -> None:
    assert session(Peer("gateway", 64512, 64513, local_asn=64600, address=GATEWAY)).config.session.local_as == 64600


def test_a_dynamic_asn_is_learnt_from_the_peer() -> None:
    peer = Peer("gateway", 64512, dynamic_asn="external", address=GATEWAY)

    assert session(peer).config.session.peer_as is PeerKind.EXTERNAL


def test_both_families_on_one_session_where_it_is_asked_for() -> None:
    peer = Peer("gateway", 64512, 64512, address=GATEWAY, dual_stack_address_family=True)

    assert session(peer).config.session.families == {IPV4, IPV6}


@pytest.mark.parametrize(("is_graceful", "time"), [(True, 20), (False, 0)])
def test_the_peer_is_asked_to_keep_the_routes_for_the_configured_time_and_only_where_that_is_wanted(
    is_graceful: bool, time: int
) -> None:
    peer = Peer("gateway", 64512, 64512, address=GATEWAY, graceful_restart=is_graceful, graceful_restart_time=20)

    assert session(peer).config.session.graceful_restart == time


def test_ttl_security_says_how_many_hops_away_the_peer_may_be() -> None:
    near, anywhere = Peer("gateway", 64512, 64512, address=GATEWAY, ttl_security=1), Peer("g", 1, 1, address=GATEWAY)

    assert (session(near).config.security_hops, session(anywhere).config.security_hops) == (1, None)


def test_the_other_family_of_a_session_leads_to_the_node_s_own_address() -> None:
    node = Node("node1", addresses=(ip_address("10.10.0.101"), ip_address("2001:db8::101")))
    peer = Peer("gateway", 64512, 64512, address=GATEWAY, dual_stack_address_family=True)

    made = neighbour(peer, node, ())

    assert isinstance(made, Neighbour)
    assert (made.config.session.next_hop_v4, made.config.session.next_hop_v6) == (None, ip_address("2001:db8::101"))


@pytest.mark.parametrize(
    ("changes", "addresses", "families"),
    [
        ({"address": GATEWAY}, ["10.10.0.101", "2001:db8::101"], {4}),
        ({"address": GATEWAY, "dual_stack_address_family": True}, ["10.10.0.101", "2001:db8::101"], {4, 6}),
        ({"address": GATEWAY, "dual_stack_address_family": True}, ["10.10.0.101"], {4}),
        ({"address": ip_address("2001:db8::1")}, ["10.10.0.101"], {6}),
        ({"interface": "eth1"}, [], {4, 6}),
    ],
    ids=["its own", "both", "no address of the other", "IPv6", "unnumbered"],
)
def test_what_a_node_can_announce_to_a_peer_depends_on_the_session_and_its_addresses(changes, addresses, families):
    node = Node("node1", addresses=tuple(map(ip_address, addresses)))

    assert carried(Peer("gateway", 64512, 64512, **changes), node) == families


def test_a_peer_whose_password_cannot_be_read_gets_no_unsigned_session() -> None:
    peer = Peer("gateway", 64512, 64512, address=GATEWAY, password_secret=SecretRef("/etc/none"))

    assert neighbour(peer, NODE, ()) == "peer gateway has its password in /etc/none, which cannot be read here"


def test_a_peer_without_an_address_is_a_reason_not_an_exception() -> None:
    assert neighbour(Peer("rack", 64512, interface="eth1"), NODE, ()) == "peer rack has no address"


def test_an_unnumbered_peer_carries_both_families_over_the_address_found_on_its_link() -> None:
    peer = Peer("rack", 64513, dynamic_asn="external", interface="eth1", address=ip_address("fe80::1%eth1"))

    config = session(peer).config

    assert (str(config.address), config.session.families) == ("fe80::1%eth1", {IPV4, IPV6})
    assert (config.session.extended_next_hop, config.session.next_hop_v4) == (True, None)


def test_settings_that_contradict_each_other_are_a_reason() -> None:
    peer = Peer("gateway", 64512, 64512, address=GATEWAY, hold_time=9, keepalive_time=20)

    assert neighbour(peer, NODE, ()) == "peer gateway: the keepalive time is above 0 and at most the hold time"


def test_a_password_never_reaches_a_repr() -> None:
    peer = Peer("gateway", 64512, 64512, address=GATEWAY, password="open sesame")

    assert "sesame" not in repr(session(peer))


def test_the_first_line_of_a_password_file_is_the_password(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("open sesame\r\nsecond line\n", encoding="utf-8")

    peer = with_password(Peer("gateway", 64512, 64512, password_secret=SecretRef(str(tmp_path / "password"))))

    assert peer.password == "open sesame"


@pytest.mark.parametrize(
    "secret",
    [SecretRef("/nonexistent/password"), SecretRef("password", namespace="metallb-system")],
    ids=["no such file", "a Secret of the cluster"],
)
def test_a_password_that_is_out_of_reach_leaves_the_peer_as_it_is(secret: SecretRef) -> None:
    peer = Peer("gateway", 64512, 64512, password_secret=secret)

    assert with_password(peer) is peer


def test_a_bfd_profile_fills_in_what_it_does_not_say() -> None:
    timers = session(Peer("gateway", 64512, 64512, address=GATEWAY, bfd_profile="fast")).bfd

    assert timers is not None
    assert (timers.receive_interval, timers.transmit_interval, timers.detect_multiplier) == (150, 300, 3)


@pytest.mark.parametrize(
    ("remote", "is_beyond"), [("10.10.0.1", False), ("192.168.1.1", True)], ids=["on our link", "behind a router"]
)
def test_bfd_is_multihop_for_peers_outside_our_own_network(remote: str, is_beyond: bool) -> None:
    networks = [ip_network("10.10.0.0/24"), ip_network("192.168.0.0/16")]

    assert is_beyond_a_router(ip_address(remote), ip_address("10.10.0.101"), networks) is is_beyond


def test_a_link_local_peer_is_never_beyond_a_router() -> None:
    assert not is_beyond_a_router(ip_address("fe80::1%eth0"), ip_address("fe80::2%eth0"), ())


def test_a_node_without_an_ipv4_address_has_an_identifier_all_the_same() -> None:
    node = Node("node1", addresses=(ip_address("2001:db8::1"),))

    assert router_id(Peer("gateway", 64512), node) == IPv4Address("202.18.243.27")


def test_communities_are_told_as_the_protocol_wants_them() -> None:
    plain, large = Community((64512, 100)), Community((64512, 1, 2))
    route = Route(ip_network("10.10.10.10/32"), 250, (plain, large))

    told = attributes(route)

    assert (told.local_pref, told.communities, told.large_communities) == (250, (0xFC000064,), ((64512, 1, 2),))
