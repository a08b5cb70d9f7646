"""Fail-over as a client feels it: from the owner's death to its first packet answered by the next node.

    python tests/bench/l2/bench_failover.py [ROUNDS]            # as root; prints one line per contender

Three nodes on one switch; a client pings the VIP every 2 ms and looks at the MAC that the answers come from. `suite` is
killed with SIGKILL, its machine stays up (and would answer pings on, so only the neighbour entry decides). keepalived runs
in the same lab, at its default (advert_int 1) and at its fastest sensible setting (0.1 s), and is killed the same way.
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
from typing import TYPE_CHECKING

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[3])]

from fix_netns import Namespace, eventually, network
from fix_speakers import VIP4, CoffeeLan, mac_of

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 15.0
REJOIN = 0.0001
"""Seconds; doubled by each return, and this bench makes the same node return all the time."""


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

    def answered_by(self, macs: set[str], within: float) -> float | None:
        """The moment of the first answer that comes from one of these machines."""
        deadline, next_ping = time.monotonic() + within, 0.0
        while (now := time.monotonic()) < deadline:
            if now >= next_ping:
                next_ping = now + 0.002
                self._ask()
            try:
                frame = self.wire.recv(2048)
            except TimeoutError:
                continue
            if frame[6:12].hex(":") in macs and frame[23] == 1 and frame[26:30] == VIP4.packed:
                return time.monotonic()
        return None

    def _ask(self) -> None:
        self.sequence = (self.sequence + 1) & 0xFFFF
        try:
            self.ping.sendto(struct.pack("!BBHHH", 8, 0, 0, 0, self.sequence), (str(VIP4), 0))
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
    print(f"{label:42} rounds {len(ordered):3}  median {median:7.0f} ms  worst {worst:7.0f} ms", flush=True)


@contextmanager
def lan() -> Iterator[tuple[CoffeeLan, Client]]:
    with network() as lab:
        coffee = CoffeeLan(lab, [VIP4])
        client = Client(coffee.client)
        try:
            yield coffee, client
        finally:
            client.close()
            coffee.close()


def suite_killed(rounds: int, **settings: float) -> list[float]:
    times = []
    with lan() as (coffee, client):
        coffee.start(rejoin_delay=REJOIN, **settings)
        coffee.settle()
        for _ in range(rounds):
            first, second, _ = coffee.ranked(VIP4)
            assert eventually(lambda: coffee.owners(VIP4) == [first.name], within=10)  # noqa: B023
            assert client.answered_by({mac_of(first.name)}, PATIENCE)
            time.sleep(0.3 + 0.25 * (len(times) % 7) / 7)  # not in step with the heartbeats
            began = time.monotonic()
            first.kill()
            moment = client.answered_by({mac_of(second.name)}, PATIENCE)
            times.append((moment or float("inf")) - began)
            first.reports.clear()
            first.start(rejoin_delay=REJOIN, **settings)
            first.adopt(coffee.vips)
    return times


def suite_drained(rounds: int) -> list[float]:
    times = []
    with lan() as (coffee, client):
        coffee.start(rejoin_delay=REJOIN)
        coffee.settle()
        for _ in range(rounds):
            first, second, _ = coffee.ranked(VIP4)
            assert eventually(lambda: coffee.owners(VIP4) == [first.name], within=10)  # noqa: B023
            assert client.answered_by({mac_of(first.name)}, PATIENCE)
            began = time.monotonic()
            first.drain()
            moment = client.answered_by({mac_of(second.name)}, PATIENCE)
            times.append((moment or float("inf")) - began)
            first.kill()
            first.reports.clear()
            first.start(rejoin_delay=REJOIN)
            first.adopt(coffee.vips)
    return times


def keepalived_killed(rounds: int, advert_int: float) -> list[float]:
    times = []
    with tempfile.TemporaryDirectory() as folder, lan() as (coffee, client):
        hosts = [speaker.host for speaker in coffee.speakers.values()]
        for host in hosts:
            host.ip("address", "del", f"{VIP4}/32", "dev", "lo")
        processes = {host.name: keepalived(host, folder, 150 - 10 * at, advert_int) for at, host in enumerate(hosts)}
        first, second = hosts[0], hosts[1]
        for _ in range(rounds):
            # The way back is not measured: wait for it, and let the client ask anew.
            assert eventually(lambda: str(VIP4) in first.ip("address", "show", "eth0"), within=30)
            coffee.client.ip("neighbour", "flush", "dev", "eth0")
            assert client.answered_by({mac_of(first.name)}, 30)
            time.sleep(0.5 + advert_int * (len(times) % 7) / 7)
            began = time.monotonic()
            # The child that speaks VRRP is of another process group, and would keep a new one from starting.
            for pid in (processes[first.name].pid, int(Path(folder, f"{first.name}.vrrp_pid").read_text("ascii"))):
                os.kill(pid, signal.SIGKILL)
            # A killed machine has no address any more; a killed keepalived leaves it behind and would go on answering.
            first.ip("address", "flush", "dev", "eth0", "to", f"{VIP4}/32")
            moment = client.answered_by({mac_of(second.name)}, PATIENCE)
            times.append((moment or float("inf")) - began)
            processes[first.name].wait()
            for left in Path(folder).glob(f"{first.name}.*pid"):
                left.unlink()
            processes[first.name] = keepalived(first, folder, 150, advert_int)
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
  virtual_ipaddress {{ {VIP4}/32 dev eth0 }}
}}
""",
        encoding="ascii",
    )
    pids = [f"--{kind}={folder}/{host.name}.{kind}" for kind in ("pid", "vrrp_pid")]
    return host.spawn("keepalived", "-n", "-l", "-P", "-f", str(config), *pids, stdout=-3)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    report("suite, owner killed (default settings)", suite_killed(rounds))
    fastest = {"interval": 0.1, "dead_after": 0.3}
    report("suite, owner killed (every 0.1 s, dead after 0.3)", suite_killed(max(3, rounds // 4), **fastest))
    report("suite, owner drained", suite_drained(rounds))
    report("keepalived, killed (advert_int 1, default)", keepalived_killed(max(3, rounds // 4), 1))
    report("keepalived, killed (advert_int 0.1)", keepalived_killed(max(3, rounds // 4), 0.1))


if __name__ == "__main__":
    main()
