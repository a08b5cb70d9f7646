"""A thousand addresses on one node, and ten peers: take-over, memory, and what idling costs.

    python tests/bench/l2/bench_scale.py            # as root

Eleven nodes on one switch run the real process. One of them owns 1,000 addresses that nobody had before; the client listens for
its announcements. Then the fleet idles, and that process is looked at. Last it says goodbye, and another one takes all of them.
"""

from __future__ import annotations

import socket
import sys
import time
from ipaddress import ip_address
from pathlib import Path

sys.path[:0] = [
    str(Path(__file__).resolve().parents[2]),
    str(Path(__file__).resolve().parents[3]),
    str(Path(__file__).parent),
]

from bench_arp import cpu, resident
from fix_netns import NetLab, eventually, network
from fix_speakers import Speaker

from suite.speaker.control import Adopt
from suite.speaker.heartbeat import Standing
from suite.speaker.ownership import Entry

PEERS, ADDRESSES, IDLE_SECONDS = 10, 1000, 10.0
VIPS = [ip_address(f"10.0.{64 + number // 250}.{number % 250 + 1}") for number in range(ADDRESSES)]


def fleet_on(lab: NetLab) -> tuple[list[Speaker], socket.socket]:
    lan = lab.bridge("lan")
    client = lab.namespace("client")
    lan.plug(client, addresses=["10.0.1.3/16"])
    fleet = {f"node{number:02}": f"10.0.10.{number + 1}" for number in range(PEERS + 1)}
    speakers = []
    for name, address in fleet.items():
        host = lab.namespace(name)
        lan.plug(host, addresses=[f"{address}/16"])
        speakers.append(Speaker(name, host, fleet))
    with client.entered():
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
        wire.bind(("eth0", 0x0806))
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUFFORCE if hasattr(socket, "SO_RCVBUFFORCE") else 33, 64 << 20)
    wire.settimeout(2)
    return speakers, wire


def hand_in(speakers: list[Speaker], order: tuple[Speaker, ...], revision: int) -> None:
    """All nodes learn of the addresses and of who may announce them."""
    entries = tuple(Entry(vip, tuple(each.name for each in order)) for vip in VIPS)
    for speaker in speakers:
        speaker.send(Adopt(Standing(revision, "lab"), entries).to_message())


def announced_by(speaker: Speaker, wire: socket.socket) -> float:
    """Seconds until the first announcement of the last of the addresses; the addresses are told apart, bursts are not."""
    mac, heard = bytes.fromhex(speaker.host.mac().replace(":", "")), set[bytes]()
    began = time.perf_counter()
    while len(heard) < ADDRESSES:
        frame = wire.recv(2048)
        if frame[6:12] == mac and frame[28:32] == frame[38:42]:
            heard.add(frame[28:32])
    return time.perf_counter() - began


def idle(label: str, speaker: Speaker) -> None:
    pid = speaker.process.pid
    before = cpu(pid)
    time.sleep(IDLE_SECONDS)
    share = (cpu(pid) - before) / IDLE_SECONDS
    print(f"{label}: {share:.1%} of a core, resident memory {resident(pid):.1f} MB")


def main() -> None:
    with network() as lab:
        speakers, wire = fleet_on(lab)
        for speaker in speakers:
            speaker.start()
            speaker.adopt([])
        owner, successor = speakers[:2]
        assert eventually(
            lambda: sum(owner.said("node", name=each.name, live=True) for each in speakers) > PEERS, within=15
        )
        hand_in(speakers, (owner, successor), 2)
        print(f"{ADDRESSES} new addresses, each asked for first: {announced_by(owner, wire):.2f} s")
        assert eventually(lambda: len(owner.owned()) == ADDRESSES, within=15)
        time.sleep(6)  # the burst is over after 4.4 s
        idle(f"idle with {PEERS} peers and {ADDRESSES} addresses", owner)
        owner.drain()
        print(
            f"the successor takes {ADDRESSES} over: {announced_by(successor, wire) * 1000:.0f} ms until all are announced"
        )
        wire.close()
        for speaker in speakers:
            speaker.close()


if __name__ == "__main__":
    main()
