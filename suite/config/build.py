"""Forms to values of the model, the same for both formats; rules between the settings of one object are told here."""

from dataclasses import dataclass, replace

from suite.config.draft import Placed
from suite.config.group import Form
from suite.config.shape import Reading
from suite.config.values import duration_text
from suite.model.address import Range
from suite.model.advertisement import BgpAdvertisement, L2Advertisement
from suite.model.peer import Peer, SecretRef
from suite.model.pool import Pool
from suite.model.selector import Labels

LEGACY_HOLD = 90.0
"""Hold time of the old ConfigMap where none is given."""


def pool_from(form: Form, reading: Reading, name: str, labels: Labels) -> Placed[Pool]:
    """The pool; one without a name (which was told) gets a placeholder, so that its other faults show too."""
    excluded: tuple[Range, ...] = form["excluded"]
    for index, span in enumerate(excluded):
        inside = any(span.first in each and span.last in each for each in form["addresses"])
        if form["addresses"] and not inside:
            message = f"{span} does not lie inside one of the pool's ranges"
            reading.fault(form.place("excluded", index), "pool.exclusion_outside", message)
    pool = Pool(
        name=name or "(unnamed)",
        ranges=form["addresses"],
        auto_assign=form["auto_assign"],
        avoid_buggy=form["avoid_buggy"],
        allocation=form["service_allocation"],
        excluded=excluded,
        draining=form["draining"],
        zone=form["zone"],
        labels=labels,
    )
    return Placed(pool, form.at, form)


def l2_from(form: Form, name: str, pools: tuple[str, ...]) -> Placed[L2Advertisement]:
    """The advertisement by layer 2 of ``pools``."""
    advertisement = L2Advertisement(
        name=name,
        pools=pools,
        pool_selectors=form["ip_address_pool_selectors"],
        node_selectors=form["node_selectors"],
        service_selectors=form["service_selectors"],
        interfaces=form["interfaces"],
        preferred=form["preferred_node_selectors"],
    )
    return Placed(advertisement, form.at, form)


def bgp_from(form: Form, reading: Reading, name: str, pools: tuple[str, ...]) -> Placed[BgpAdvertisement]:
    """The advertisement by BGP of ``pools``, its communities still to come."""
    advertisement = BgpAdvertisement(
        name=name,
        pools=pools,
        pool_selectors=form["ip_address_pool_selectors"],
        node_selectors=form["node_selectors"],
        service_selectors=form["service_selectors"],
        peers=form["peers"],
        aggregation_length=form["aggregation_length"],
        aggregation_length_v6=form["aggregation_length_v6"],
        local_pref=form["local_pref"],
    )
    _no_aggregate_of_some(form, reading)
    return Placed(advertisement, form.at, form)


def _no_aggregate_of_some(form: Form, reading: Reading) -> None:
    """An aggregate would announce Services that the selectors leave out."""
    for name, width, code in (
        ("aggregation_length", 32, "bgpadv.service_selector_with_aggregation"),
        ("aggregation_length_v6", 128, "bgpadv.service_selector_with_aggregation_v6"),
    ):
        if form["service_selectors"] and form[name] != width:
            message = f"with service selectors every address is announced by itself; remove it or write {width}"
            reading.fault(form.place(name), code, message)


@dataclass(frozen=True, slots=True)
class Timers:
    """Hold and keepalive time in seconds; None where the configuration leaves them open."""

    hold: float | None = None
    keepalive: float | None = None


def peer_from(
    form: Form, reading: Reading, name: str, default_hold: float | None = None, namespace: str = "metallb-system"
) -> Placed[Peer]:
    """The peer; ``default_hold`` in seconds where the format has a default, ``namespace`` of a Secret that names none."""
    timers = _timers(form, reading, default_hold)
    secret: SecretRef | None = form["password_secret"]
    if secret is not None:
        secret = replace(secret, namespace=secret.namespace or namespace)
    if form["password_file"]:
        secret = SecretRef(form["password_file"])
    values = form.without("name", "password_file", "password_secret", "hold_time", "keepalive_time")
    peer = Peer(name=name, hold_time=timers.hold, keepalive_time=timers.keepalive, password_secret=secret, **values)
    _check_ends(form, peer, reading)
    _check_passwords(form, reading)
    return Placed(peer, form.at, form)


def _timers(form: Form, reading: Reading, default_hold: float | None) -> Timers:
    """The rules of MetalLB: one follows from the other; hold is 0 or 3 s and more (RFC 4271 section 4.2)."""
    hold, keepalive = form["hold_time"], form["keepalive_time"]
    hold = default_hold if hold is None else hold
    if hold is None and keepalive is None:
        return Timers()
    hold = keepalive * 3 if hold is None else hold
    keepalive = hold / 3 if keepalive is None else keepalive
    place = form.place("hold_time" if "hold_time" in form.given else "keepalive_time")
    if 0 < int(hold) < 3 or 0 < hold < 1:
        reading.fault(
            place, "peer.hold_time_too_short", f"a hold time of {duration_text(hold)}; it is 0 or at least 3s"
        )
    if int(hold) > 65535:
        reading.fault(place, "peer.hold_time_too_long", "a hold time is at most 65535s (RFC 4271 section 4.2)")
    if keepalive > hold:
        message = f"keepalive {duration_text(keepalive)} is longer than the hold time {duration_text(hold)}"
        reading.fault(form.place("keepalive_time"), "peer.keepalive_above_hold", message)
    return Timers(hold, keepalive)


def _check_ends(form: Form, peer: Peer, reading: Reading) -> None:
    if not peer.my_asn and "my_asn" in form.given - form.bad:
        reading.fault(form.place("my_asn"), "peer.missing_local_asn", "AS number 0 is nobody's (RFC 7607)")
    if not peer.asn and not peer.dynamic_asn and not form.bad & {"asn", "dynamic_asn"}:
        key = form.keys["asn"]
        reading.fault(form.place("asn"), "peer.missing_remote_asn", f"{key} is missing: the peer's AS number")
    if peer.asn and peer.dynamic_asn:
        reading.fault(
            form.place("dynamic_asn"), "peer.asn_and_dynamic_asn", f"{form.keys['asn']} says which; remove one"
        )
    if peer.asn == peer.my_asn and peer.asn and peer.ebgp_multihop:
        message = "both ends have the same AS number: a session inside one AS is always multihop; remove it"
        reading.fault(form.place("ebgp_multihop"), "peer.multihop_inside_as", message)
    if peer.ebgp_multihop and peer.ttl_security:
        message = f"{form.keys['ttl_security']} says how far the peer may be; remove {form.keys['ebgp_multihop']}"
        reading.fault(form.place("ttl_security"), "peer.multihop_and_ttl_security", message)
    if "address" in form.given and peer.interface:
        message = "an address and an interface; a peer has one of them"
        reading.fault(form.place("interface"), "peer.address_and_interface", message)
    if "address" not in form.given and not peer.interface:
        key = form.keys["address"]
        reading.fault(form.at, "peer.missing_address", f"{key} is missing: the peer's address (or interface)")
    if peer.address and peer.source_address and peer.address.version != peer.source_address.version:
        message = f"{peer.source_address} and the peer's {peer.address} are of different families"
        reading.fault(form.place("source_address"), "peer.source_address_family", message)


def _check_passwords(form: Form, reading: Reading) -> None:
    given = [name for name in ("password", "password_file", "password_secret") if form[name]]
    if len(given) > 1:
        written = " and ".join(form.keys[name] for name in given)
        reading.fault(form.place(given[1]), "peer.password_and_secret", f"{written}; a peer has one of them")
