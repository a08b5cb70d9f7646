"""Checks that what is leased is announced as well: names that lead nowhere, and pools that nobody announces.

Warnings only: MetalLB passes over all of this in silence, and another object may still come.
"""

from suite.config.draft import Draft, Placed
from suite.config.resolve import by_pool
from suite.config.shape import Reading, meant
from suite.model.advertisement import BgpAdvertisement, L2Advertisement


def check_reach(draft: Draft, reading: Reading) -> None:
    """Tell advertisements of unknown pools or peers, and pools without an advertisement."""
    pools = tuple(pool.value.name for pool in draft.pools)
    peers = tuple(peer.value.name for peer in draft.peers)
    ways: list[Placed[L2Advertisement] | Placed[BgpAdvertisement]] = [*draft.l2, *draft.bgp]
    for way in ways:
        _tell_unknown(way, "ip_address_pools", "adv.unknown_pool", pools, reading)
    for told in draft.bgp:
        _tell_unknown(told, "peers", "bgpadv.unknown_peer", peers, reading)
    reached = by_pool((pool.value for pool in draft.pools), ((way.value, way) for way in ways))
    for pool in draft.pools:
        is_meant = pool.form is not None and "protocol" in pool.form.given
        if pool.value.name not in reached and not is_meant:
            message = (
                f"no advertisement is for pool {pool.value.name}: its addresses are leased, and nobody announces them"
            )
            reading.warn(pool.at, "pool.not_announced", message)


def _tell_unknown(
    way: Placed[L2Advertisement] | Placed[BgpAdvertisement],
    name: str,
    code: str,
    known: tuple[str, ...],
    reading: Reading,
) -> None:
    if way.form is None or name not in way.form.keys:
        return
    for index, each in enumerate(way.form[name]):
        if each not in known:
            what = "pool" if name == "ip_address_pools" else "peer"
            reading.warn(way.place(name, index), code, f"there is no {what} {each!r}{meant(each, known)}")
