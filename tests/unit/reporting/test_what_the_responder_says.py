"""What the time-critical process says becomes pictures, counters and orders, and nothing else grows."""

from dataclasses import replace
from ipaddress import ip_address

from suite.config.document import read_text
from suite.config.loading import load
from suite.metrics import names
from suite.metrics.names import new_registry
from suite.model.snapshot import Snapshot
from suite.speaker.picture import Picture
from suite.speaker.troubles import BINDING, INTERFACE, PORT, Troubles

POOLS = "address-pools: [{name: lan, protocol: layer2, addresses: [10.0.42.0/24], excluded: [10.0.42.1]}]"
VIP = ip_address("10.0.42.0")
STATE = {"kind": "state", "drained": False, "nodes": [], "faults": {}, "links": [], "conflicts": [], "troubles": {}}
NO_PORT = "UDP port 7947: Address already in use"
NO_RIGHT = "10.0.42.0 could not be put on device 1: Operation not permitted; it needs CAP_NET_ADMIN"


def watching(told=None, registry=None):
    async def decline(address, mac):
        raise AssertionError((address, mac))

    picture = Picture("compute1", registry or new_registry(), decline, (told if told is not None else []).append)
    picture.snapshot = replace(Snapshot("e", 7), configuration=load(read_text(POOLS)).configuration)
    return picture


def dhcp(address):
    return {"kind": "dhcp", "address": address, "server": "10.0.0.1", "interface": "eth0"}


def found(verdict, mac=None):
    return {"kind": "found", "address": str(VIP), "interface": "eth0", "verdict": verdict, "mac": mac}


def test_silence_about_a_next_address_is_told():
    told = []
    picture = watching(told)
    picture.ahead = frozenset({VIP})

    picture.take(found("clean"))

    assert told == [VIP]


def test_silence_about_an_address_that_is_ours_already_is_not():
    told = []

    watching(told).take(found("clean"))

    assert told == []


def test_a_next_address_that_one_of_our_nodes_answers_for_is_not_declined():
    registry = new_registry()
    picture = watching(registry=registry)
    picture.ahead = frozenset({VIP})
    picture.nodes = {"compute2": {"links": [["eth0", "10.0.0.0/16", "02:00:00:00:10:02", True]]}}

    picture.take(found("taken", "02:00:00:00:10:02"))

    assert registry.value(names.L2_CONFLICTS, str(VIP)) == 0.0


def test_addresses_of_pools_that_dhcp_gives_out_are_noted():
    picture = watching()

    for address in ("10.0.42.7", "10.0.42.8", "10.0.42.1", "192.168.1.7"):
        picture.take(dhcp(address))

    assert picture.dhcp_notes() == [
        "DHCP gives out 10.0.42.7 and 1 more of pool lan: divide the range, or exclude it from the pool"
    ]


def test_the_note_goes_when_the_pool_lets_the_address_go():
    picture = watching()
    picture.take(dhcp("10.0.42.7"))

    picture.snapshot = Snapshot("e", 8)

    assert picture.dhcp_notes() == []


def test_a_flood_of_addresses_is_not_kept():
    picture = watching()
    wide = "address-pools: [{name: lan, protocol: layer2, addresses: [10.0.0.0/16]}]"
    picture.snapshot = replace(Snapshot("e", 7), configuration=load(read_text(wide)).configuration)

    for number in range(300):
        picture.take(dhcp(f"10.0.{number // 200}.{number % 200}"))

    assert len(picture.given) == 256


def node(name, *, live):
    return {"kind": "node", "name": name, "live": live, "links": []}


def test_a_short_silence_of_a_node_stands_in_the_log_afterwards(caplog):
    caplog.set_level("INFO")
    picture = watching()

    for live in (False, True, True, False, True):
        picture.take(node("compute2", live=live))
        picture.take(node("compute1", live=live))

    assert caplog.messages == [
        "node compute2 is heard",
        "node compute2 is not heard any more",
        "node compute2 is heard",
    ]


def test_deaths_and_heartbeats_that_were_not_believed_are_counted():
    registry = new_registry()
    nodes = [node("compute2", live=True) | {"deaths": 3}]
    state = STATE | {"nodes": nodes, "faults": {"forged": 7}}

    watching(registry=registry).take(state)

    assert registry.value(names.SPEAKER_DEATHS, "compute2") == 3
    assert registry.value(names.HEARTBEAT_FAULTS, "forged") == 7


def test_the_status_names_who_else_claims_an_address_until_that_is_over():
    picture, claim = watching(), {"address": str(VIP), "interface": "eth0", "mac": "02:00:00:00:00:ff"}

    picture.take(STATE | {"conflicts": [claim | {"in_fleet": False}]})
    during = picture.notes()
    picture.take(STATE)

    assert during == ["10.0.42.0 is ours, and a stranger, 02:00:00:00:00:ff, claims it on eth0"]
    assert picture.notes() == []


def test_many_conflicts_do_not_fill_the_status():
    picture = watching()
    claims = [
        {"address": f"10.0.42.{number}", "interface": "eth0", "mac": "02:00:00:00:00:ff", "in_fleet": True}
        for number in range(16)
    ]
    picture.take(STATE | {"conflicts": claims})

    assert (len(picture.notes()), picture.notes()[-1]) == (9, "8 more such conflicts")


def test_a_node_without_a_usable_interface_says_so():
    picture = watching()
    picture.take(node("compute1", live=True))

    assert picture.notes() == ["no interface of it can announce: none is up, has a network and no master"]


def responding():
    """What the process says of troubles, and the picture that the speaker makes of it."""
    picture = watching()
    return Troubles(picture.take), picture


def test_a_trouble_that_is_over_leaves_the_one_that_still_holds():
    troubles, picture = responding()

    troubles.say(PORT, NO_PORT)
    troubles.say(BINDING, NO_RIGHT)
    both = list(picture.troubles.values())
    troubles.clear(BINDING)

    assert both == [NO_PORT, NO_RIGHT]
    assert list(picture.troubles.values()) == [NO_PORT]


def test_what_is_said_again_and_again_stands_in_the_log_once_with_its_end(caplog):
    caplog.set_level("INFO")
    troubles, _ = responding()

    for _ in range(3):
        troubles.say(BINDING, NO_RIGHT)
    for _ in range(3):
        troubles.clear(BINDING)

    assert caplog.messages == [f"layer 2: {NO_RIGHT}", f"layer 2: over: {NO_RIGHT}"]


def test_troubles_of_an_interface_go_with_it():
    troubles, picture = responding()
    troubles.say(PORT, NO_PORT)
    for name in ("eth0", "eth1"):
        troubles.say(INTERFACE + name, f"{name}: cannot be listened on")

    troubles.keep_interfaces({"eth1"})

    assert list(picture.troubles.values()) == [NO_PORT, "eth1: cannot be listened on"]


def test_a_whole_state_makes_up_for_troubles_that_were_missed():
    picture = watching()
    picture.take({"kind": "trouble", "about": PORT, "text": NO_PORT})

    picture.take(STATE | {"troubles": {BINDING: NO_RIGHT}})

    assert picture.troubles == {BINDING: NO_RIGHT}


def owning(**changes):
    link = {"interface": "eth0", "mac": "02:00:00:00:10:01", "owned": [str(VIP)], "answered": {}, "announced": {}}
    return STATE | {"links": [link | {"dropped": {}} | changes]}


def test_a_state_without_news_of_addresses_leaves_what_is_announced_as_it_was():
    picture = watching()
    picture.take(owning())
    edition = picture.edition

    picture.take(owning(owned=None, announced={str(VIP): 3}))

    assert (picture.owned, picture.edition) == ({VIP: {"eth0": "02:00:00:00:10:01"}}, edition)


def test_an_address_that_is_released_is_announced_nowhere_even_before_the_next_state():
    picture = watching()
    picture.take(owning())

    picture.take({"kind": "released", "address": str(VIP), "interface": "eth0"})

    assert picture.owned == {}
