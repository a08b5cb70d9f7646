"""The stories that this program was written for, acted out in network namespaces with the real program; nothing outside is touched.

    ./suite.sh lab [coffee] [failover] [dashboard]       # as root; all of them by default

Each command that a person would type is printed with its answer, then everything is taken down again.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2])]

import coffee_lan  # noqa: E402
import dashboard_lan  # noqa: E402
from coffee_network import STRANGER_MAC  # noqa: E402
from fix_netns import eventually, missing_for_networks, network  # noqa: E402
from l2_lan import ProgramLan, program_lan  # noqa: E402

TAKEN, VIP = "10.0.42.0", "10.0.42.1"


def failover() -> int:
    """Three nodes and a stranger that has the first address of the pool already; then the owner dies."""
    with network() as lab, program_lan(lab) as lan:
        lan.take(TAKEN)
        print(f"three nodes share one database; a stranger ({STRANGER_MAC}) has {TAKEN} already")
        lan.serve("coffee")
        for name in lan.nodes:
            lan.start(name)
        if not eventually(lambda: lan.owner(VIP), within=30, every=0.1):
            print("nobody announces the address; the logs:\n" + lan.log())
            return 1
        if not eventually(lan.all_ready, within=40, every=0.2):
            print("the nodes are not ready; the logs:\n" + lan.log())
            return 1
        for words in (("lease", "history", TAKEN), ("lease", "list"), ("explain", "coffee"), ("l2", "status")):
            tell(lan, "compute1", *words)
        return take_over(lan)


def take_over(lan: ProgramLan) -> int:
    """The owner is killed; who answers then, and when."""
    owner = lan.owner(VIP)
    other = next(name for name in lan.nodes if name != owner)
    tell(lan, other, "l2", "simulate", "--down", owner)
    print(f"laptop$ arping -c1 {VIP}\n{lan.told(VIP)}")
    # The program and its time-critical process are killed together: a machine that loses its power.
    lan.nodes[owner].stop_processes()
    began = time.monotonic()
    until_answered = ("arping", "-C1", "-W0.01", "-w10", "-i", "eth0", VIP)
    lan.client.run(*until_answered)
    took = time.monotonic() - began
    if not lan.owner(VIP):
        print("nobody has taken over; the logs:\n" + lan.log())
        return 1
    print(f"{owner} has lost its power; {took:.2f} s later {lan.owner(VIP)} answers (the dead interval is 1 s)")
    print(f"laptop$ arping -c1 {VIP}\n{lan.told(VIP)}")
    tell(lan, other, "explain", "coffee")
    return 0


def tell(lan: ProgramLan, node: str, *words: str) -> None:
    """One command on a node and its answer."""
    print(f"{node}$ suite {' '.join(words)}\n{lan.suite(*words, node=node)}")


STORIES = {
    "coffee": (coffee_lan.main, ("arping", "arp", "nc", "nft", "nslookup", "ping")),
    "failover": (failover, ("arping",)),
    "dashboard": (dashboard_lan.main, ("vtysh", "dnsmasq", "nslookup", "curl")),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="./suite.sh lab", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("story", nargs="*", help=f"{', '.join(STORIES)}; all of them by default")
    chosen = parser.parse_args().story or list(STORIES)
    if unknown := set(chosen) - set(STORIES):
        parser.error(f"there is no story {', '.join(sorted(unknown))}; there are {', '.join(STORIES)}")
    if reason := missing_for_networks():
        print(f"lab: {reason}", file=sys.stderr)
        return 1
    return max([act(name) for name in chosen])


def act(name: str) -> int:
    """One story; 1 when it did not end well, or its tools are missing."""
    story, tools = STORIES[name]
    print(f"==== {name}", flush=True)
    if absent := [tool for tool in tools if shutil.which(tool) is None]:
        print(
            f"lab: {', '.join(absent)} not installed; ./suite.sh setup installs what the stories need", file=sys.stderr
        )
        return 1
    return story()


if __name__ == "__main__":
    sys.exit(main())
