"""The whole program alone on one node: who answers a ping, who accepts the packets, interfaces that get a master, and what is watched.

One program runs through all of it, without CAP_NET_ADMIN until a test needs it; each test leaves the configuration as it found it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fix_netns import eventually, missing_for_networks, network, require_tools

sys.path.insert(0, str(Path(__file__).parents[1] / "lab"))

from coffee_network import ROUTER, STRANGER, STRANGER_MAC, Ear, mac_of, six
from l2_lan import DUAL, ProgramLan, program_lan

from suite.web.client import ask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fix_netns import Namespace

pytestmark = [pytest.mark.net, pytest.mark.peer]

NODE, ADDRESS = "compute1", "10.0.10.1"
VIPS = ("10.0.42.0", "fd00:42::42:0:0")
ON_LO = ("10.0.42.0/32", "fd00:42::42:0:0/128")
CONFIGURATION = """\
address-pools:
- {name: default, protocol: layer2, addresses: [10.0.42.0/24, "fd00:42::42:0:0/120"]}
- {name: edge, protocol: layer2, addresses: [10.0.255.255/32], auto-assign: false}
dns: {listen: []}
"""
WITHOUT_NET_ADMIN = ("setpriv", "--bounding-set=-net_admin")
SILENT = {"ipv4__conf__all__arp_ignore": 1, "ipv4__conf__all__arp_announce": 2}
SERVER = """
import socket
listener = socket.create_server(("::", 8080), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
    listener.accept()[0].close()
"""
EDGE = """\
apiVersion: v1
kind: Service
metadata: {name: edge, annotations: {metallb.universe.tf/address-pool: edge}}
spec: {type: LoadBalancer, ports: [{port: 80}]}
"""


@pytest.fixture(scope="module")
def lan() -> Iterator[ProgramLan]:
    """One node with the program, a Service with an address of each family, and a kernel that forwards as a node's does."""
    if reason := missing_for_networks():
        pytest.skip(reason)
    require_tools("arping", "ndisc6", "ping", "nc", "setpriv")
    with network() as lab, program_lan(lab, configuration=CONFIGURATION, nodes={NODE: ADDRESS}) as lan:
        lan.nodes[NODE].sysctl(ipv4__ip_forward=1, ipv4__conf__all__send_redirects=1, **SILENT)
        lan.nodes[NODE].sysctl(ipv4__conf__eth0__send_redirects=1)
        lan.serve("coffee", DUAL)
        begin(lan, *WITHOUT_NET_ADMIN)
        yield lan


def begin(lan: ProgramLan, *within: str) -> None:
    """Start the program, behind the words of a command; it is at work at the end."""
    lan.start(NODE, within=within)
    assert eventually(lambda: all(lan.owner(vip) == NODE for vip in VIPS), within=30, every=0.1), lan.log()


def have_right_to_bind(lan: ProgramLan, *, is_wanted: bool) -> None:
    """Start the program anew if it has CAP_NET_ADMIN and should not, or the other way round."""
    if is_wanted == ("setpriv" in lan.programs[NODE].args):
        lan.programs[NODE].terminate()
        lan.programs[NODE].wait(20)
        begin(lan, *(() if is_wanted else WITHOUT_NET_ADMIN))


def pings(lan: ProgramLan, vip: str, count: int = 1) -> str:
    """What ping of the client prints."""
    return lan.client.run("ping", f"-c{count}", "-W1", "-i0.2", vip).stdout


def test_a_ping_that_nobody_answers_is_redirected_and_explain_says_that_this_is_healthy(lan: ProgramLan) -> None:
    lan.client.run("ping", "-c1", "-W1", VIPS[0])  # the kernel's first redirects may be rationed

    assert eventually(lambda: "Redirect Host" in pings(lan, VIPS[0], 3), within=6)
    assert f'"Redirect Host" from {NODE}, is healthy' in lan.suite("explain", "coffee")


def test_pings_are_answered_from_the_moment_on_in_which_the_configuration_says_so(lan: ProgramLan) -> None:
    lan.configure(f"{CONFIGURATION}l2: {{answer-ping: true}}\n")

    answered = [eventually(lambda: " 0% packet loss" in pings(lan, vip), within=8) for vip in VIPS]  # noqa: B023
    assert answered == [True, True], lan.log()
    assert f"the speaker of {NODE} answers it" in lan.suite("explain", "coffee")


def test_without_the_right_to_bind_the_node_is_unready_for_as_long_as_it_is_to_bind(lan: ProgramLan) -> None:
    have_right_to_bind(lan, is_wanted=False)

    lan.configure(f"{CONFIGURATION}l2: {{bind-address: true}}\n")
    lacks = "could not be put on device 1: Operation not permitted; it needs CAP_NET_ADMIN"
    assert eventually(lambda: reasons(lan) == [f"{VIPS[0]} {lacks}"], within=10, every=0.1), lan.log()
    assert [lan.owner(vip) for vip in VIPS] == [NODE, NODE]
    lan.configure(CONFIGURATION)

    assert eventually(lambda: reasons(lan) == [], within=10, every=0.1), lan.log()


def reasons(lan: ProgramLan) -> list[str]:
    """Why its speaker is not ready."""
    instances = json.loads(ask(lan.folder / NODE / "suite.sock", "/v1/status")[1])["instances"]
    (speaker,) = [each for each in instances if each["role"] == "speaker"]
    return list(speaker["reasons"])


def test_addresses_are_put_on_lo_and_taken_off_as_the_configuration_says(lan: ProgramLan) -> None:
    have_right_to_bind(lan, is_wanted=True)
    host = lan.nodes[NODE]
    host.spawn(sys.executable, "-c", SERVER)

    lan.configure(f"{CONFIGURATION}l2: {{bind-address: true}}\n")
    assert eventually(lambda: all(each in bound(lan) for each in ON_LO), within=8), lan.log()
    reached = [eventually(lambda: connects(lan, vip), within=5) for vip in VIPS]  # noqa: B023
    explained = lan.suite("explain", "coffee")
    lan.configure(CONFIGURATION)

    assert reached == [True, True]
    assert f"the kernel of {NODE} answers it" in explained
    assert eventually(lambda: not any(each in bound(lan) for each in ON_LO), within=8), bound(lan)


def bound(lan: ProgramLan) -> str:
    """What stands on lo."""
    return lan.nodes[NODE].ip("address", "show", "dev", "lo")


def connects(lan: ProgramLan, vip: str) -> bool:
    return lan.client.run("nc", "-z", "-w2", vip, "8080").returncode == 0


def test_an_address_of_the_link_s_own_subnet_is_refused_by_name(lan: ProgramLan) -> None:
    lan.write("edge", EDGE)
    why = "compute1 has 10.0.0.0/16 on eth0, and it is the broadcast address of that network"

    assert eventually(lambda: why in lan.suite("explain", "edge"), within=10), lan.suite("explain", "edge")
    assert f"10.0.255.255 is not announced here: {why}" in lan.suite("status")
    assert why in lan.suite("l2", "status")
    lan.unserve("edge")


def test_watching_shows_questions_and_answers_as_they_pass(lan: ProgramLan, tmp_path: Path) -> None:
    file = tmp_path / "watch"
    with file.open("w", encoding="utf-8") as output:
        words = ("-m", "suite", "l2", "watch", "eth0", "--timeout", "20")
        watch = lan.nodes[NODE].spawn(sys.executable, *words, stdout=output)
    wanted = [pattern for vip in VIPS for pattern in (f"asks who has {vip}", f"answers: {vip} is here")]

    def is_all_shown() -> bool:
        for vip in VIPS:
            lan.owner(vip)
        return all(pattern in file.read_text(encoding="utf-8") for pattern in wanted)

    assert eventually(is_all_shown, within=15, every=0.1), file.read_text(encoding="utf-8")
    watch.terminate()


def test_a_stranger_that_claims_our_addresses_is_named_by_the_status(lan: ProgramLan) -> None:
    for vip in VIPS:
        lan.claim(vip)

    wanted = [f"{vip} is ours, and a stranger, {STRANGER_MAC}, claims it on eth0" for vip in VIPS]
    assert eventually(lambda: all(each in lan.suite("status") for each in wanted), within=10, every=0.2), lan.log()


def arp_question(**changes: object) -> bytes:
    """Who has our IPv4 address, asked by the stranger."""
    from scapy.layers.l2 import ARP, Ether

    question = {"hwsrc": STRANGER_MAC, "psrc": STRANGER, "pdst": VIPS[0]} | changes
    return bytes(Ether(src=STRANGER_MAC, dst="ff:ff:ff:ff:ff:ff") / ARP(op=1, **question))


def solicitation(hlim: int = 255, options: bytes = b"", **changes: object) -> bytes:
    """Who has our IPv6 address, asked of this node alone, as a machine that looks whether it is still there does it."""
    from scapy.layers.inet6 import ICMPv6ND_NS, IPv6
    from scapy.layers.l2 import Ether

    packet = IPv6(src=six(STRANGER), dst=VIPS[1], hlim=hlim) / ICMPv6ND_NS(tgt=VIPS[1], **changes) / options
    return bytes(Ether(src=STRANGER_MAC, dst=mac_of(NODE)) / packet)


def dropped(lan: ProgramLan, reason: str) -> float:
    """How many frames the metrics say got no answer for that reason."""
    said = ask(lan.folder / NODE / "suite.sock", "/metrics")[1].decode()
    lines = [line for line in said.splitlines() if line.startswith(f'suite_layer2_dropped_total{{reason="{reason}"}}')]
    return float(lines[0].split()[-1]) if lines else 0.0


def test_bad_questions_get_no_answer_and_are_counted_by_reason(lan: ProgramLan) -> None:
    bad = {
        "wrong_hardware": arp_question()[:14] + b"\x00\x06" + arp_question()[16:],
        "bad_sender": arp_question(hwsrc="01:00:5e:00:00:01"),
        "bad_checksum": solicitation(cksum=0x1234),
        "wrong_hop_limit": solicitation(hlim=254),
        "bad_option": solicitation(options=b"\x01\x00" + b"\x02\x00\x00\x00\x00\xff"),
    }
    before = {reason: dropped(lan, reason) for reason in bad}

    def uncounted() -> list[str]:
        """Those are sent again: where every queue is full, the kernel of a busy machine loses frames."""
        left = [reason for reason in bad if dropped(lan, reason) == before[reason]]
        for reason in left:
            lan.utter(bad[reason])
        return left

    with Ear(lan.stranger) as ear:
        assert eventually(lambda: uncounted() == [], within=10, every=0.5), uncounted()
        unanswered = [ear.answers(vip) for vip in VIPS]

        assert unanswered == [[], []]
        assert eventually(lambda: answers_to_good_questions(lan, ear) == [{mac_of(NODE)}] * 2, every=0.2)


def answers_to_good_questions(lan: ProgramLan, ear: Ear) -> list[set[str]]:
    """What the stranger hears when it asks as one should."""
    lan.utter(arp_question())
    lan.utter(solicitation())
    return [set(ear.answers(vip)) for vip in VIPS]


def test_a_mac_that_changes_is_answered_announced_and_recorded_at_once(lan: ProgramLan) -> None:
    other, sql = "02:00:00:00:77:01", "SELECT address, mac FROM announcement_current ORDER BY address"

    with Ear(lan.client) as ear:
        lan.nodes[NODE].ip("link", "set", "eth0", "address", other)
        heard = [eventually(lambda: other in ear.announced(vip), within=3) for vip in VIPS]  # noqa: B023
    answered = [eventually(lambda: other in lan.told_first(vip), within=3) for vip in VIPS]  # noqa: B023
    recorded = eventually(lambda: lan.database.rows(sql) == [(vip, other) for vip in VIPS], within=8, every=0.1)
    lan.nodes[NODE].ip("link", "set", "eth0", "address", mac_of(NODE))

    assert (heard, answered, recorded) == ([True, True], [True, True], True), lan.log()
    assert eventually(lambda: [lan.owner(vip) for vip in VIPS] == [NODE, NODE], within=3), lan.log()


@pytest.mark.parametrize("kind", ["bridge", "bond"])
def test_an_interface_that_gets_a_master_gives_the_addresses_to_it_and_gets_them_back(
    lan: ProgramLan, kind: str
) -> None:
    host = lan.nodes[NODE]
    have_master(host, "upper7", kind)
    host.ip("link", "set", "eth0", "master", "upper7")
    assert eventually(lambda: places(lan) == set(), within=5), lan.log()
    silent = [lan.owners(vip) for vip in VIPS]

    move(lan, "eth0", "upper7")
    assert eventually(lambda: places(lan) == {"upper7"}, within=10), lan.log()
    enslaved = [eventually(lambda: lan.owner(vip) == NODE) for vip in VIPS]  # noqa: B023
    host.ip("link", "set", "eth0", "nomaster")
    host.ip("link", "delete", "upper7")
    move(lan, "", "eth0")

    assert (silent, enslaved) == ([[], []], [True, True]), lan.log()
    assert eventually(lambda: places(lan) == {"eth0"}, within=10), lan.log()
    assert eventually(lambda: [lan.owner(vip) for vip in VIPS] == [NODE, NODE]), lan.log()


def have_master(host: Namespace, name: str, kind: str) -> None:
    """A device that eth0 can be a port of; a bond takes only what is down."""
    how = {"bridge": ("bridge",), "bond": ("bond", "mode", "active-backup", "miimon", "100")}[kind]
    if host.run("ip", "link", "add", name, "type", *how).returncode != 0:
        pytest.skip(f"beyond this machine: its kernel knows no {kind}")
    if kind == "bond":
        host.ip("link", "set", "eth0", "down")


def places(lan: ProgramLan) -> set[str]:
    """The interfaces on which it announces anything."""
    return {name for owner in lan.layer2(NODE).get("owners", ()) for name in owner["interfaces"]}


def move(lan: ProgramLan, old: str, new: str) -> None:
    """The node's own addresses, and its MAC, from one interface to another, as a bridge's set-up does it."""
    host = lan.nodes[NODE]
    if old:
        host.ip("address", "flush", "dev", old)
    host.sysctl(**{f"ipv6__conf__{new}__accept_dad": 0})
    host.ip("link", "set", new, "address", mac_of(NODE))
    host.ip("link", "set", new, "up")
    for address in (f"{ADDRESS}/16", f"{six(ADDRESS)}/64"):
        host.ip("address", "replace", address, "dev", new)
    host.ip("route", "replace", "default", "via", ROUTER)
