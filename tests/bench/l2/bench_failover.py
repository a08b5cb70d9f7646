"""Fail-over as a client feels it: from the owner's death to its first packet answered by another node.

    python tests/bench/l2/bench_failover.py [ROUNDS]            # as root; prints one line per contender

Three nodes on one switch; a client pings the VIP every 2 ms and looks at the MACs that the answers come from. On each node runs the
whole program, with default settings, all on one database. In each round the present owner dies, and comes back while another
one is at work, so that nodes die and return as they do in a bad week; none gets its address back for that.

  SIGKILL     every process of the program at one moment; the machine stays up and would answer pings on
  node lost   the same, and its cable is pulled: what a loss of power looks like to the others

keepalived runs in the same lab, at its default (advert_int 1) and at its fastest sensible setting (0.1 s), and loses its nodes the same way.
"""

from __future__ import annotations

import os
import signal
import socket
import statistics
import struct
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

TESTS = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TESTS), str(TESTS / "lab"), str(TESTS.parent)]

from callers import Calls, can_be_called, serve_pod
from coffee_network import CoffeeNetwork, mac_of
from fix_netns import Namespace, eventually, network
from l2_lan import ProgramLan, program_lan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

VIP = "10.0.42.0"
PACKED = socket.inet_aton(VIP)
PATIENCE = 15.0
CONFIGURATION = f"""\
address-pools: [{{name: default, protocol: layer2, addresses: [{VIP}/24]}}]
dns: {{listen: []}}
"""
FASTEST = "l2: {heartbeat-interval: 100ms, heartbeat-dead: 300ms}\n"
SOONEST = {"": 0.75, FASTEST: 0.2}
"""Seconds: nobody can miss a node sooner. What is faster was a node that took its address back just then, and does not count."""


class Client:
    """Pings all the time; knows from which MAC the answers come."""

    def __init__(self, host: Namespace) -> None:
        with host.entered():
            Path("/proc/sys/net/ipv4/ping_group_range").write_text("0 2147483647\n", encoding="ascii")
            self.ping = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
            self.wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
            self.wire.bind(("eth0", 0x0800))
        self.wire.settimeout(0.002)
        self.ping.setblocking(False)
        self.sequence = 0
        self.longest_silence = 0.0
        """Seconds between two answers, of whichever node, since the last call of `answered_by` began."""

    def answered_by(self, macs: Iterable[str], within: float = PATIENCE) -> float:
        """The moment of the first answer that comes from one of these machines; infinity when none comes."""
        last = time.monotonic()
        deadline, next_ping, self.longest_silence = last + within, 0.0, 0.0
        while (now := time.monotonic()) < deadline:
            if now >= next_ping:
                next_ping = now + 0.002
                self._ask()
            try:
                frame = self.wire.recv(2048)
            except TimeoutError:
                continue
            if frame[23] == 1 and frame[26:30] == PACKED:
                moment = time.monotonic()
                self.longest_silence, last = max(self.longest_silence, moment - last), moment
                if frame[6:12].hex(":") in macs:
                    return moment
        return float("inf")

    def _ask(self) -> None:
        self.sequence = (self.sequence + 1) & 0xFFFF
        try:
            self.ping.sendto(struct.pack("!BBHHH", 8, 0, 0, 0, self.sequence), (VIP, 0))
            while True:
                self.ping.recv(2048)
        except OSError:
            return

    def close(self) -> None:
        self.ping.close()
        self.wire.close()


def report(label: str, times: list[float]) -> None:
    ordered = sorted(times)
    median, worst = statistics.median(ordered) * 1000, ordered[-1] * 1000
    print(f"{label:52} rounds {len(ordered):3}  median {median:7.0f} ms  worst {worst:7.0f} ms", flush=True)


@contextmanager
def fleet(settings: str) -> Iterator[tuple[ProgramLan, Client]]:
    """Three nodes with the program, and the address where a node's kernel takes its packets."""
    with network() as lab, program_lan(lab, configuration=CONFIGURATION + settings) as lan:
        client = Client(lan.client)
        try:
            for host in lan.nodes.values():
                accept(host)
            lan.serve("coffee")
            for name in lan.nodes:
                lan.start(name)
            lan.settle(VIP)
            yield lan, client
        finally:
            client.close()


def accept(host: Namespace) -> None:
    """The machine has the address on lo, and its kernel keeps silent about it."""
    host.sysctl(ipv4__conf__all__arp_ignore=1, ipv4__conf__all__arp_announce=2)
    host.ip("address", "add", f"{VIP}/32", "dev", "lo")


def others(lan: CoffeeNetwork, owner: str) -> set[str]:
    return {mac_of(name) for name in lan.nodes if name != owner}


def settled(lan: ProgramLan, client: Client) -> str:
    """The owner, once all nodes hear each other and the client is answered by it."""

    def is_calm() -> bool:
        views = [lan.layer2(name).get("nodes", ()) for name in lan.nodes]
        return all(sum(each["is_live"] for each in view) == len(lan.nodes) for view in views)

    assert eventually(is_calm, within=60, every=0.1), lan.log()
    (owner,) = lan.owners(VIP)
    assert client.answered_by({mac_of(owner)}) < float("inf")
    return owner


def suite_killed(rounds: int, settings: str = "", *, with_cable: bool = False) -> list[float]:
    """The node that owns the address dies in each round."""
    times: list[float] = []
    with fleet(settings) as (lan, client):
        while len(times) < rounds:
            owner = settled(lan, client)
            time.sleep(0.25 * (len(times) % 7) / 7)  # not in step with the heartbeats
            began = time.monotonic()
            lan.kill(owner)
            if with_cable:
                lan.switch.cut(lan.nodes[owner])
            took = client.answered_by(others(lan, owner)) - began
            times += [took] if took >= SOONEST[settings] else []
            lan.switch.mend(lan.nodes[owner])
            lan.start(owner)
    return times


class Drained(NamedTuple):
    """Seconds, one of each kind a round."""

    times: list[float]
    """Until the successor answered."""
    silences: list[float]
    """The longest time without an answer from either."""
    attempts: list[float]
    """What the slowest attempt to connect took, of those that began while the address moved."""


def suite_drained(rounds: int) -> Drained:
    """The owner's program is asked to end."""
    drained = Drained([], [], [])
    with fleet("") as (lan, client):
        serve_pods(lan)
        for _ in range(rounds):
            owner = settled(lan, client)
            with calling(lan, drained.attempts):
                began = time.monotonic()
                lan.programs[owner].terminate()
                drained.times.append(client.answered_by(others(lan, owner)) - began)
            drained.silences.append(client.longest_silence)
            lan.programs[owner].wait(20)
            lan.start(owner)
    return drained


def suite_drained_by_command(rounds: int) -> list[float]:
    """`suite drain` of the owner's node: what the slowest attempt to connect took. The command's own start is no part of it."""
    attempts: list[float] = []
    with fleet("") as (lan, client):
        serve_pods(lan)
        for _ in range(rounds):
            owner = settled(lan, client)
            with calling(lan, attempts):
                lan.suite("drain", owner, "--reason", "bench", "--wait", "10", node=owner)
                assert client.answered_by(others(lan, owner)) < float("inf")
            lan.suite("undrain", owner, "--reason", "bench", node=owner)
    return attempts


def serve_pods(lan: ProgramLan) -> None:
    """A pod on each node, which the address leads to."""
    for name, host in lan.nodes.items():
        serve_pod(host, name)
        assert eventually(lambda: can_be_called(host, "127.0.0.1"))  # noqa: B023 asked before the next one


@contextmanager
def calling(lan: ProgramLan, attempts: list[float]) -> Iterator[None]:
    """The client connects to the address again and again; no attempt may fail, and the slowest one is kept."""
    with Calls(lan.client, VIP) as calls:
        assert eventually(lambda: len(calls.answers(VIP)) > 5)
        yield
        called = len(calls.answers(VIP))
        assert eventually(lambda: len(calls.answers(VIP)) > called + 5)
        assert calls.lost() == []
        attempts.append(calls.longest())


def keepalived_killed(rounds: int, advert_int: float) -> list[float]:
    """The same with keepalived; the way back is not measured."""
    times = []
    with tempfile.TemporaryDirectory() as folder, network() as lab:
        lan = CoffeeNetwork(lab)
        client, hosts = Client(lan.client), list(lan.nodes.values())
        for host in hosts:
            host.sysctl(ipv4__conf__all__arp_ignore=1, ipv4__conf__all__arp_announce=2)
        processes = {host.name: keepalived(host, folder, 150 - 10 * at, advert_int) for at, host in enumerate(hosts)}
        first = hosts[0]
        for number in range(rounds):
            assert eventually(lambda: VIP in first.ip("address", "show", "eth0"), within=30)
            lan.client.ip("neighbour", "flush", "dev", "eth0")
            assert client.answered_by({mac_of(first.name)}, 30) < float("inf")
            time.sleep(0.5 + advert_int * (number % 7) / 7)
            began = time.monotonic()
            # The child that speaks VRRP is of another process group, and would keep a new one from starting.
            for pid in (processes[first.name].pid, int(Path(folder, f"{first.name}.vrrp_pid").read_text("ascii"))):
                os.kill(pid, signal.SIGKILL)
            lan.switch.cut(first)
            times.append(client.answered_by(others(lan, first.name)) - began)
            # A machine that lost its power has no address any more; a killed keepalived leaves it behind.
            first.ip("address", "flush", "dev", "eth0", "to", f"{VIP}/32")
            lan.switch.mend(first)
            processes[first.name].wait()
            for left in Path(folder).glob(f"{first.name}.*pid"):
                left.unlink()
            processes[first.name] = keepalived(first, folder, 150, advert_int)
        client.close()
    return times


def keepalived(host: Namespace, folder: str, priority: int, advert_int: float) -> object:
    config = Path(folder, f"{host.name}.conf")
    config.write_text(
        f"""
global_defs {{
  vrrp_version 3
  router_id {host.name}
}}
vrrp_instance vip {{
  state BACKUP
  interface eth0
  virtual_router_id 42
  priority {priority}
  advert_int {advert_int}
  virtual_ipaddress {{ {VIP}/32 dev eth0 }}
}}
""",
        encoding="ascii",
    )
    pids = [f"--{kind}={folder}/{host.name}.{kind}" for kind in ("pid", "vrrp_pid")]
    return host.spawn("keepalived", "-n", "-l", "-P", "-f", str(config), *pids, stdout=-3)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    few = max(3, rounds // 4)
    report("suite, SIGKILL (default settings)", suite_killed(rounds))
    report("suite, node lost (default settings)", suite_killed(few, with_cable=True))
    report("suite, node lost (every 0.1 s, dead after 0.3)", suite_killed(few, FASTEST, with_cable=True))
    drained = suite_drained(few)
    report("suite, ended in order: until the successor answers", drained.times)
    report("suite, ended in order: longest time without an answer", drained.silences)
    report("suite, ended in order: slowest attempt to connect", drained.attempts)
    report("suite, `suite drain`: slowest attempt to connect", suite_drained_by_command(few))
    report("keepalived, node lost (advert_int 1, default)", keepalived_killed(few, 1))
    report("keepalived, node lost (advert_int 0.1)", keepalived_killed(few, 0.1))


if __name__ == "__main__":
    main()
