"""The dashboard story, told again by the real program on four nodes and a real router: what people typed, and what they saw."""

from __future__ import annotations

import json
import re
import signal
import sys
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fix_netns import Namespace, NetLab, eventually, missing_for_networks, network, require_tools
from routers import FRR_DAEMONS, Frr, stays

from suite.bgp.bestpath import FRR, choose
from suite.bgp.bestpath import Path as BgpPath

sys.path.insert(0, str(Path(__file__).parents[1] / "lab"))

from dashboard_lan import NODES, ROUTER_BESIDE, VIP, DashboardLan, Variant, best, dashboard_lan, paths

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.net, pytest.mark.peer, pytest.mark.timeout(120)]

EVERY_NODE = sorted(NODES.values())
LONG_HOLD = 120
"""Seconds: what is gone long before that is not gone because of it."""
GRACEFUL = "graceful-restart: true"


def require_router() -> None:
    if reason := missing_for_networks():
        pytest.skip(reason)
    require_tools("vtysh", f"{FRR_DAEMONS}/bgpd", "dnsmasq", "nslookup", "curl", "ping")


def everybody_told(lan: DashboardLan, frr: Frr) -> bool:
    return eventually(lambda: paths(frr) == EVERY_NODE, within=40, every=0.1) or not lan.log()


@pytest.fixture(scope="module")
def story() -> Iterator[tuple[DashboardLan, Frr]]:
    require_router()
    with network() as lab, dashboard_lan(lab, variant=Variant(newcomer="node3")) as lan:
        frr = lan.frr()
        assert eventually(lambda: len(paths(frr)) == 3, within=40, every=0.1), lan.log() + frr.log()
        lan.join()
        assert everybody_told(lan, frr), lan.log() + frr.log()
        lan.dnsmasq()
        yield lan, frr


def test_the_router_lists_the_address_from_every_node_and_marks_one_best(story: tuple[DashboardLan, Frr]) -> None:
    table = story[1].vtysh("show ip bgp")

    assert len(re.findall(r"10\.10\.0\.\d+ ", table)) == 4, table
    assert table.count(">i") == 1, table


def test_a_node_that_came_after_the_router_was_told_needed_no_edit_there(story: tuple[DashboardLan, Frr]) -> None:
    newcomer = NODES["node3"]

    assert newcomer not in (story[1].folder / "suite.conf").read_text()
    assert newcomer in paths(story[1])
    assert neighbor_states(story[1])[newcomer] == "Established"


def test_the_best_path_is_the_predicted_one(story: tuple[DashboardLan, Frr]) -> None:
    known = [
        BgpPath(IPv4Address(each), IPv4Address(each), internal=True, neighbor_as=64512, path_length=0)
        for each in EVERY_NODE
    ]

    assert best(story[1]) == [str(choose(known, FRR).best.neighbor)]


def test_the_kernel_of_the_router_uses_every_node(story: tuple[DashboardLan, Frr]) -> None:
    route = story[0].router.ip("route", "show", VIP)

    assert sorted(re.findall(r"via (\S+)", route)) == EVERY_NODE


@pytest.mark.parametrize("name", ["k8s-dashboard", "k8s-dashboard.service"])
def test_the_name_leads_to_the_address_through_the_routers_forwarder(
    story: tuple[DashboardLan, Frr], name: str
) -> None:
    assert f"Address: {VIP}" in story[0].ask("nslookup", name)


@pytest.mark.parametrize("name", ["k8s-dashboard", "k8s-dashboard.service"])
def test_programs_find_the_address_by_the_c_library_which_asks_for_both_families_at_once(
    story: tuple[DashboardLan, Frr], name: str
) -> None:
    """A question for AAAA that nobody answered would keep it waiting for longer than the command may take."""
    patient = "RES_OPTIONS=timeout:60 attempts:1"

    found = story[0].client.must("env", patient, "getent", "ahosts", name)

    assert {line.split()[0] for line in found.splitlines()} == {VIP}


def test_the_c_library_hears_at_once_that_a_name_is_not_there(story: tuple[DashboardLan, Frr]) -> None:
    done = story[0].client.run("env", "RES_OPTIONS=timeout:60 attempts:1", "getent", "ahosts", "nobody.service")

    assert (done.returncode, done.stdout) == (2, "")


def test_the_page_opens_by_its_name(story: tuple[DashboardLan, Frr]) -> None:
    assert "the dashboard, from" in story[0].ask("curl", "-sS", "-m", "5", "http://k8s-dashboard.service/")


def test_the_router_learns_nothing_but_our_prefixes_and_tells_us_nothing(story: tuple[DashboardLan, Frr]) -> None:
    neighbors = story[1].vtysh("show bgp ipv4 unicast neighbors 10.10.0.101 advertised-routes")

    assert "Total number of prefixes 0" in neighbors or not re.search(r"\d+/\d+", neighbors), neighbors


def test_the_command_line_shows_the_session_and_says_which_path_is_best(story: tuple[DashboardLan, Frr]) -> None:
    lan, frr = story
    where = ("--database", lan.database, "--state", str(lan.folder / "node1"))

    assert re.search(r"peer1 +192\.168\.1\.1 +64512 +Established", lan.suite("bgp", "peers", *where, node="node1"))
    assert eventually(lambda: up_in_history(lan, *where) == set(NODES), within=10, every=0.5)
    said = lan.suite("bgp", "routes", VIP, *where, node="node1")
    assert f"{best(frr)[0]} is best: lowest router identifier" in said, said
    assert said.count("carries traffic too (equal cost)") == 3


def test_what_the_router_prints_has_every_node_and_a_node_outside_its_range_is_named(
    story: tuple[DashboardLan, Frr],
) -> None:
    lan, frr = story
    where = ("--config", str(lan.folder / "suite.yaml"), "--database", lan.database)
    running = frr.vtysh("show running-config")
    for name, text in (("all", running), ("fewer", running.replace("10.10.0.0/24", "10.10.0.96/29"))):
        (lan.folder / name).write_text(text)

    assert lan.suite("router-config", "--vendor", "frr", "--diff", str(lan.folder / "all"), *where) == ""
    diff = ("router-config", "--vendor", "frr", "--diff", str(lan.folder / "fewer"), *where)
    told = lan.nodes["master"].python("-m", "suite", *diff, timeout=60)
    assert (told.returncode, told.stdout) == (1, "node master (10.10.0.200) is no neighbor of the router\n")


def test_the_table_people_typed_by_hand_is_exported_and_taken_over(story: tuple[DashboardLan, Frr]) -> None:
    lan, where = story[0], ("--database", story[0].database)

    table = lan.suite("hosts", "export", "--format", "usg", *where)
    (lan.folder / "config.gateway.json").write_text(table)

    assert json.loads(table)["system"]["static-host-mapping"]["host-name"]["k8s-dashboard.service"]["inet"] == [VIP]
    (lan.folder / "hosts.conf").write_text(lan.suite("hosts", "export", "--format", "dnsmasq", *where))
    assert "syntax check OK" in lan.router.run("dnsmasq", "--test", f"--conf-file={lan.folder / 'hosts.conf'}").stderr
    taken = lan.suite("hosts", "import", str(lan.folder / "config.gateway.json"), *where)
    follows = (
        "name: k8s-dashboard.service, service: kubernetes-dashboard/kubernetes-dashboard, aliases: [k8s-dashboard]"
    )
    assert follows in taken.replace("kubernetes-dashboard.kubernetes-dashboard.service, ", ""), taken


def test_a_service_that_loses_its_endpoint_on_one_node_loses_that_path_only(netlab: NetLab) -> None:
    require_router()
    with dashboard_lan(netlab, policy="externalTrafficPolicy: Local") as lan:
        lan.serve_on(*NODES)
        frr = lan.frr()
        assert everybody_told(lan, frr), lan.log()

        lan.serve_on("master", "node1", "node3")

        left = sorted(NODES[name] for name in ("master", "node1", "node3"))
        assert eventually(lambda: paths(frr) == left, within=20, every=0.1), lan.log()
        assert neighbor_states(frr) == dict.fromkeys(EVERY_NODE, "Established")


def test_a_node_that_dies_loses_its_path_with_bfd_and_one_that_hangs_does_not(netlab: NetLab) -> None:
    require_router()
    variant = Variant(hold_time=LONG_HOLD)
    with dashboard_lan(netlab, "bfd-profile: fast", peer=ROUTER_BESIDE, variant=variant) as lan:
        frr = lan.frr(bfd=True)
        assert everybody_told(lan, frr), lan.log()
        assert eventually(lambda: bfd_up(frr) == 4, within=20, every=0.1), frr.vtysh("show bfd peers") + lan.log()
        assert detection_times(frr) == {450}

        # A program that hangs for longer than BFD would wait loses nothing: the process that speaks BFD does not hang.
        lan.programs["node2"].send_signal(signal.SIGSTOP)
        assert stays(lambda: paths(frr) == EVERY_NODE and bfd_up(frr) == 4, 2), frr.log()
        lan.programs["node2"].send_signal(signal.SIGCONT)

        lan.switch.cut(lan.nodes["node1"])

        left = sorted(set(EVERY_NODE) - {NODES["node1"]})
        assert eventually(lambda: paths(frr) == left, within=LONG_HOLD / 4, every=0.02)
        assert eventually(lambda: best(frr) == [NODES["node2"]], within=10, every=0.02)


@pytest.mark.soak
def test_a_time_critical_process_that_is_killed_is_replaced_and_watches_its_paths_again(netlab: NetLab) -> None:
    require_router()
    with dashboard_lan(netlab, "bfd-profile: fast", peer=ROUTER_BESIDE) as lan:
        frr = lan.frr(bfd=True)
        assert everybody_told(lan, frr), lan.log()
        assert eventually(lambda: bfd_up(frr) == 4, within=20, every=0.1), lan.log()

        lan.nodes["node2"].run("pkill", "-KILL", "-P", str(lan.programs["node2"].pid), "-f", "suite.speaker.responder")

        assert eventually(lambda: bfd_up(frr) == 3, within=10, every=0.02), frr.vtysh("show bfd peers")
        assert eventually(lambda: bfd_up(frr) == 4 and paths(frr) == EVERY_NODE, within=30, every=0.1), lan.log()


def test_a_program_that_ends_withdraws_and_a_node_that_dies_without_bfd_goes_with_the_hold_time(netlab: NetLab) -> None:
    require_router()
    with dashboard_lan(netlab, variant=Variant(hold_time=6)) as lan:
        frr = lan.frr()
        frr.vtysh("debug bgp updates in", "debug bgp neighbor-events")
        assert everybody_told(lan, frr), lan.log()

        lan.programs["node1"].send_signal(signal.SIGTERM)

        assert eventually(lambda: NODES["node1"] not in paths(frr), within=10, every=0.05)
        assert eventually(lambda: "NOTIFICATION" in frr.log(), within=10, every=0.05), frr.log()
        log = frr.log()
        assert log.index("withdrawn") < log.index("NOTIFICATION"), log
        assert "Hold Timer Expired" not in log

        lan.switch.cut(lan.nodes["node2"])

        left = sorted(set(EVERY_NODE) - {NODES["node1"], NODES["node2"]})
        assert eventually(lambda: paths(frr) == left, within=30, every=0.05), frr.log()
        assert f"sent to neighbor {NODES['node2']} 4/0 (Hold Timer Expired)" in frr.log()


def test_a_drained_node_withdraws_though_its_router_would_keep_the_routes_and_comes_back(netlab: NetLab) -> None:
    require_router()
    with dashboard_lan(netlab, GRACEFUL) as lan:
        frr = lan.frr()
        assert everybody_told(lan, frr), lan.log()
        where = ("--database", lan.database, "--state", str(lan.folder / "master"))

        seen = lan.nodes["node1"].spawn(
            *(sys.executable, "-m", "suite", "bgp", "watch", "--timeout", "60"), "--state", str(lan.folder / "node1")
        )
        assert seen.stdout.readline() == "peer1: Established, 1 announced\n"
        lan.suite("drain", "node1", *where)

        left = sorted(set(EVERY_NODE) - {NODES["node1"]})
        assert eventually(lambda: paths(frr) == left, within=10, every=0.05), lan.log()
        assert seen.stdout.readline() == "peer1: Established, 0 announced\n"
        seen.terminate()
        assert neighbor_states(frr)[NODES["node1"]] == "Established"
        lan.programs["node1"].send_signal(signal.SIGTERM)
        lan.programs["node1"].wait(20)
        assert stays(lambda: paths(frr) == left, 1), frr.log()

        lan.start("node1")
        assert eventually(lambda: neighbor_states(frr).get(NODES["node1"]) == "Established", within=30, every=0.1)
        assert stays(lambda: paths(frr) == left, 1), lan.log()
        lan.suite("undrain", "node1", *where)
        assert everybody_told(lan, frr), lan.log()


def test_no_packet_is_lost_while_every_program_restarts_with_bfd_on_and_a_dead_node_s_path_goes_all_the_same(
    netlab: NetLab,
) -> None:
    require_router()
    options, variant = f"{GRACEFUL}\n      bfd-profile: fast", Variant(hold_time=LONG_HOLD)
    with dashboard_lan(netlab, options, peer=ROUTER_BESIDE, variant=variant) as lan:
        frr = lan.frr(bfd=True)
        assert everybody_told(lan, frr), lan.log()
        assert eventually(lambda: bfd_up(frr) == 4, within=20, every=0.1), lan.log()
        ping = lan.client.spawn("ping", "-i", "0.02", VIP)

        for program in lan.programs.values():
            program.send_signal(signal.SIGTERM)
        for program in lan.programs.values():
            program.wait(20)
        for name in NODES:
            lan.start(name)
        assert eventually(lambda: set(neighbor_states(frr).values()) == {"Established"}, within=40, every=0.1)
        assert eventually(lambda: bfd_up(frr) == 4, within=20, every=0.1)

        ping.send_signal(signal.SIGINT)
        said = ping.communicate(timeout=10)[0]
        assert " 0% packet loss" in said, said[-500:] + frr.log()[-3000:] + lan.log()[-2000:]

        lan.switch.cut(lan.nodes["node1"])

        left = sorted(set(EVERY_NODE) - {NODES["node1"]})
        assert eventually(lambda: paths(frr) == left, within=LONG_HOLD / 4, every=0.02), frr.log()[-3000:]


def test_nodes_that_wait_are_connected_to_by_the_router(netlab: NetLab) -> None:
    require_router()
    with dashboard_lan(netlab, "passive: true") as lan:
        frr = lan.frr()

        assert everybody_told(lan, frr), lan.log() + frr.log()


@pytest.mark.parametrize(
    ("password", "states"), [("sesame", {"Established"}), ("guess", set())], ids=["right", "wrong"]
)
def test_a_password_out_of_a_file_signs_the_session(
    netlab: NetLab, tmp_path: Path, password: str, states: set[str]
) -> None:
    require_router()
    (tmp_path / "password").write_text("sesame\n", encoding="utf-8")
    with dashboard_lan(netlab, f"password-file: {tmp_path / 'password'}") as lan:
        frr = lan.frr(password=password)

        assert everybody_told(lan, frr) if states else stays(lambda: not paths(frr), 6)
        assert set(neighbor_states(frr).values()) == states
        assert "sesame" not in lan.log()


def test_a_client_beside_the_nodes_and_a_stateful_firewall(netlab: NetLab) -> None:
    """The router sees one direction only and drops what follows; with redirects the client goes to the node itself."""
    require_router()
    require_tools("nft")
    with dashboard_lan(netlab) as lan:
        frr = lan.frr()
        assert everybody_told(lan, frr), lan.log()
        neighbor = netlab.namespace("neighbor")
        lan.switch.plug(neighbor, addresses=["10.10.0.50/24"])
        neighbor.ip("route", "add", "default", "via", ROUTER_BESIDE)
        lan.router.run("nft", "-f", "-", stdin=STATEFUL)
        lan.router.sysctl(ipv4__conf__all__send_redirects=0, ipv4__conf__eth1__send_redirects=0)
        page = ("curl", "-sS", "-m", "3", f"http://{VIP}/")

        assert neighbor.run(*page).returncode != 0
        assert lan.client.run(*page).returncode == 0
        assert reached(lan, neighbor) == "error"

        lan.router.sysctl(ipv4__conf__all__send_redirects=1, ipv4__conf__eth1__send_redirects=1)
        assert eventually(lambda: neighbor.run(*page).returncode == 0, within=20, every=0.5)

        lan.router.sysctl(ipv4__conf__all__send_redirects=0, ipv4__conf__eth1__send_redirects=0)
        neighbor.ip("route", "flush", "cache")
        lan.router.run("nft", "-f", "-", stdin=MASQUERADE)
        assert eventually(lambda: neighbor.run(*page).returncode == 0, within=20, every=0.5)

        lan.router.run("nft", "delete", "table", "ip", "hairpin")
        assert eventually(lambda: neighbor.run(*page).returncode != 0, within=20, every=0.5)
        lan.router.run("nft", "-f", "-", stdin=STATELESS)
        assert eventually(lambda: neighbor.run(*page).returncode == 0, within=20, every=0.5)
        assert reached(lan, neighbor) == "ok"


def reached(lan: DashboardLan, host: Namespace) -> str:
    """What `suite doctor` on a client says of the way to the address and back."""
    state = str(lan.folder / "client")
    done = host.python("-m", "suite", "doctor", "--state", state, "--reach", VIP, "-o", "json", timeout=30)
    (found,) = [each for each in json.loads(done.stdout) if each["check"] == "reach"]
    return str(found["severity"])


STATEFUL = """
table ip firewall {
  chain forward {
    type filter hook forward priority 0
    ct state invalid drop
    ct state established,related accept
    ct state { new, untracked } accept
  }
}
"""
STATELESS = """
table ip exempt {
  chain prerouting {
    type filter hook prerouting priority raw
    ip saddr 10.10.0.0/24 ip daddr 10.10.10.0/24 notrack
  }
}
"""
MASQUERADE = f"""
table ip hairpin {{
  chain postrouting {{
    type nat hook postrouting priority srcnat;
    ip saddr 10.10.0.0/24 ip daddr {VIP} masquerade
  }}
}}
"""


def test_the_same_story_with_bird(netlab: NetLab) -> None:
    require_router()
    require_tools("bird", "birdc")
    with dashboard_lan(netlab, variant=Variant(newcomer="node3")) as lan:
        bird = lan.bird()

        def told() -> int:
            return bird.routes("for", VIP).count("BGP.next_hop")

        assert eventually(lambda: told() == 3, within=40, every=0.1), lan.log() + bird.log()
        lan.join()  # and nobody edits anything at the router
        assert eventually(lambda: told() == 4, within=40, every=0.1), lan.log() + bird.log()
        table = bird.birdc("show", "route", "for", VIP)
        assert re.search(r"\* \(100\)", table), table
        assert "[suite1_" in table
        lan.dnsmasq()
        assert f"Address: {VIP}" in lan.ask("nslookup", "k8s-dashboard")
        assert "the dashboard, from" in lan.ask("curl", "-sS", "-m", "5", "http://k8s-dashboard.service/")


def test_a_node_that_dies_loses_its_path_with_bfd_over_a_router_too(netlab: NetLab) -> None:
    require_router()
    require_tools("bird", "birdc")
    with dashboard_lan(netlab, "bfd-profile: fast", variant=Variant(hold_time=LONG_HOLD)) as lan:
        bird = lan.bird()
        assert eventually(lambda: bird.birdc("show", "bfd", "sessions").count(" Up ") == 4, 40, 0.1), lan.log()

        lan.switch.cut(lan.nodes["node1"])

        assert eventually(lambda: f"via {NODES['node1']}" not in bird.routes("for", VIP), LONG_HOLD / 4, 0.02)
        assert bird.routes("for", VIP).count("BGP.next_hop") == 3


def test_no_packet_is_lost_over_a_restart_with_bird_and_bfd_either_but_a_dead_node_s_path_stays(netlab: NetLab) -> None:
    """How long it stays is `graceful-restart-time`, which test_bgp_bfd.py waits for."""
    require_router()
    require_tools("bird", "birdc")
    with dashboard_lan(netlab, f"{GRACEFUL}\n      bfd-profile: fast") as lan:
        bird = lan.bird()

        def stand() -> bool:
            return (
                bird.birdc("show", "bfd", "sessions").count(" Up ") == 4
                and bird.routes("for", VIP).count("BGP.next_hop") == 4
            )

        assert eventually(stand, 40, 0.1), lan.log() + bird.log()
        ping = lan.client.spawn("ping", "-i", "0.02", VIP)

        for program in lan.programs.values():
            program.send_signal(signal.SIGTERM)
        for program in lan.programs.values():
            program.wait(20)
        assert bird.routes("for", VIP).count("BGP.next_hop") == 4
        for name in NODES:
            lan.start(name)
        assert eventually(lambda: bird.birdc("show", "protocols").count("Established") == 4, 40, 0.1), bird.log()
        assert eventually(stand, 20, 0.1)

        ping.send_signal(signal.SIGINT)
        said = ping.communicate(timeout=10)[0]
        assert " 0% packet loss" in said, said[-500:] + bird.log()[-3000:]

        lan.switch.cut(lan.nodes["node1"])

        assert eventually(lambda: bird.birdc("show", "bfd", "sessions").count(" Up ") == 3, 20, 0.05), bird.log()
        assert stays(lambda: bird.routes("for", VIP).count("BGP.next_hop") == 4, 1), bird.log()


def up_in_history(lan: DashboardLan, *where: str) -> set[str]:
    """The nodes whose sessions the database has as up."""
    rows = json.loads(lan.suite("bgp", "history", "--peer", "peer1", *where, "-o", "json"))
    return {each["node"] for each in rows if each["state"] == "up" and each["until"] is None}


def neighbor_states(frr: Frr) -> dict[str, str]:
    peers = json.loads(frr.vtysh("show bgp ipv4 unicast summary json") or "{}").get("peers", {})
    return {address.removeprefix("*"): peer["state"] for address, peer in peers.items()}


def detection_times(frr: Frr) -> set[int]:
    """Milliseconds of silence after which FRR takes a path for dead: what both sides agreed on."""
    found = json.loads(frr.vtysh("show bfd peers json"))
    return {each["remote-detect-multiplier"] * each["remote-transmit-interval"] for each in found}


def bfd_up(frr: Frr) -> int:
    return frr.vtysh("show bfd peers").count("Status: up")
