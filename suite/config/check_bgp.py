"""Checks of peers, BFD profiles and BGP advertisements against each other, and aliases of communities."""

from dataclasses import replace

from suite.config.draft import Draft, Placed
from suite.config.resolve import bgp_way, by_pool, prefer_differently, selects
from suite.config.shape import Reading, meant
from suite.config.values import CommunityRangeError, MalformedCommunityError, parse_community
from suite.model.advertisement import BgpAdvertisement, Community
from suite.model.node import Node
from suite.model.peer import Peer
from suite.model.pool import Pool


def check_bgp(draft: Draft, nodes: tuple[Node, ...], reading: Reading) -> tuple[BgpAdvertisement, ...]:
    """Every rule of BGP that spans several objects; the advertisements with their communities."""
    aliases = _aliases(draft, reading)
    _check_peers(draft, reading)
    whole = [
        replace(each, value=replace(each.value, communities=_communities(each, aliases, reading))) for each in draft.bgp
    ]
    _check_doubles(whole, reading)
    chosen = by_pool((pool.value for pool in draft.pools), ((each.value, each) for each in whole))
    for pool in draft.pools:
        selected = chosen.get(pool.value.name, [])
        for each in selected:
            _check_aggregation(each, pool, reading)
        _check_local_pref(selected, pool.value, nodes, reading)
    return tuple(each.value for each in whole)


def _aliases(draft: Draft, reading: Reading) -> dict[str, Community]:
    aliases: dict[str, Community] = {}
    for placed in draft.communities:
        alias, community = placed.value
        if alias in aliases:
            reading.fault(
                placed.at, "community.duplicate_alias", f"the alias {alias} was defined before; rename or remove one"
            )
        aliases.setdefault(alias, community)
    return aliases


def _communities(
    placed: Placed[BgpAdvertisement], aliases: dict[str, Community], reading: Reading
) -> tuple[Community, ...]:
    found: list[Community] = []
    for index, text in enumerate(placed.form["communities"] if placed.form else ()):
        at = placed.place("communities", index)
        try:
            community = aliases.get(text) or parse_community(text)
        except MalformedCommunityError:
            message = f"{text!r} is no alias of a community, and none itself (64512:1){meant(text, tuple(aliases))}"
            reading.fault(at, "bgpadv.community_is_unknown_alias_or_malformed", message, transient=":" not in text)
        except CommunityRangeError as fault:
            reading.fault(at, "bgpadv.community_out_of_range", str(fault))
        else:
            if community in found:
                reading.fault(at, "bgpadv.duplicate_community", f"{text} ({community}) stands twice; remove one")
            found.append(community)
    return tuple(sorted(found, key=community_order))


def community_order(community: Community) -> tuple[bool, tuple[int, ...]]:
    """Sort key: large communities behind the others, each by its numbers."""
    return community.is_large, community.parts


def _check_peers(draft: Draft, reading: Reading) -> None:
    profiles = {each.value.name: each.value for each in draft.profiles}
    routers: dict[tuple[object, ...], Peer] = {}
    for placed in draft.peers:
        peer = placed.value
        first = routers.setdefault((peer.address, peer.interface, peer.port, peer.vrf), peer)
        if first is not peer:
            _compare_peers(placed, first, reading)
        if peer.bfd_profile and peer.bfd_profile not in profiles:
            message = f"there is no BFD profile {peer.bfd_profile!r}{meant(peer.bfd_profile, tuple(profiles))}"
            reading.fault(placed.place("bfd_profile"), "peer.unknown_bfd_profile", message, transient=True)
        elif peer.bfd_profile and profiles[peer.bfd_profile].echo_mode:
            _check_echo(placed, draft, reading)
            message = (
                "echo mode is not offered; control packets alone find a dead path, at the intervals of the profile"
            )
            reading.warn(placed.place("bfd_profile"), "peer.no_echo", message)
        if peer.bfd_profile and peer.graceful_restart:
            message = (
                "where the peer is BIRD it takes the silence of a dead node for a restart and keeps its routes for "
                f"{peer.graceful_restart_time} s (graceful-restart-time); FRR does not"
            )
            reading.warn(placed.place("graceful_restart"), "peer.bfd_and_graceful_restart", message)
        if peer.local_asn and peer.local_asn == peer.my_asn:
            message = "the local AS number is ours anyway; remove it"
            reading.warn(placed.place("local_asn"), "peer.local_asn_is_my_asn", message)


def _compare_peers(placed: Placed[Peer], other: Peer, reading: Reading) -> None:
    """Two peers are one router. All the same is a slip; two sessions from one node end each other (RFC 4271 section 6.8)."""
    peer = placed.value
    if replace(peer, name="") == replace(other, name=""):
        reading.fault(placed.at, "peer.identical_duplicate", "the same peer was defined before; remove one")
    elif not (peer.node_selectors and other.node_selectors):
        message = f"peer {other.name} is the same router, and some nodes would have two sessions with it"
        reading.warn(placed.at, "peer.same_router", message)


def _check_echo(placed: Placed[Peer], draft: Draft, reading: Reading) -> None:
    """The echo function of BFD works for IPv4 only in what our peers run, so IPv6 routes may not depend on it."""
    name = placed.value.name
    for pool in draft.pools:
        told = (way.value for way in draft.bgp if selects(way.value, pool.value))
        if 6 in pool.value.families() and any(not way.peers or name in way.peers for way in told):
            message = f"its BFD profile uses echo mode, and pool {pool.value.name} with IPv6 ranges is announced to it"
            reading.fault(placed.place("bfd_profile"), "peer.echo_mode_with_ipv6", message)


def _check_doubles(whole: list[Placed[BgpAdvertisement]], reading: Reading) -> None:
    """In our own file advertisements that differ in their name only, mostly one we gave, are the same."""
    seen: set[BgpAdvertisement] = set()
    for placed in whole:
        is_native = placed.form is not None and "name" in placed.form.keys
        said = replace(placed.value, name="") if is_native else placed.value
        if said in seen:
            message = "the same advertisement was defined before; remove one"
            reading.fault(placed.at, "bgpadv.identical_duplicate", message)
        seen.add(said)


def _check_aggregation(placed: Placed[BgpAdvertisement], pool: Placed[Pool], reading: Reading) -> None:
    """An aggregate wider than a range would draw traffic for addresses that are not the pool's."""
    for span in pool.value.ranges:
        widest = min(network.prefixlen for network in span.networks())
        name = "aggregation_length" if span.family == 4 else "aggregation_length_v6"
        length = placed.value.aggregation_length if span.family == 4 else placed.value.aggregation_length_v6
        if length < widest:
            message = f"/{length} is wider than {span} of pool {pool.value.name}; write {widest} or more"
            reading.fault(placed.place(name), "bgpadv.aggregation_wider_than_pool_range", message)


def _check_local_pref(
    selected: list[Placed[BgpAdvertisement]], pool: Pool, nodes: tuple[Node, ...], reading: Reading
) -> None:
    """Only where no Service selectors decide; with them the speaker tells it of the Service that is hit."""
    plain = [(each, bgp_way(each.value, nodes)) for each in selected if not each.value.service_selectors]
    for number, (placed, way) in enumerate(plain):
        for other, other_way in plain[:number]:
            if prefer_differently(way, other_way, pool.families()):
                message = (
                    f"local preference {way.local_pref}, but {other.value.name or 'another advertisement'} says "
                    f"{other_way.local_pref} for the same routes of pool {pool.name}"
                )
                reading.fault(placed.place("local_pref"), "bgpadv.local_pref_conflict", message)
