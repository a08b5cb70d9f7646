"""Fuzzing of layer 2 frames and heartbeats: ``python tests/fuzz/l2_frames.py [-runs=N] [CORPUS]``.

Any octets arrive on a link that owns one address of each family, and at the heartbeats' port. An answer to a frame goes to one
machine or, to a prober, to all nodes, and is itself a valid frame; a heartbeat is believed or counted as a fault. With atheris
the interpreter's branches steer the search; without it random changes of valid frames do.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS.parent)]

from suite.l2 import arp, ndp  # noqa: E402
from suite.l2.describe import describe  # noqa: E402
from suite.l2.drop import Drop  # noqa: E402
from suite.l2.frames import templates  # noqa: E402
from suite.l2.rtnetlink import InterfaceTable  # noqa: E402
from suite.speaker.heartbeat import Fault, read  # noqa: E402
from suite.speaker.membership import Membership  # noqa: E402

OURS, CLIENT = bytes.fromhex("020000001001"), bytes.fromhex("0200000c0103")
VIP4, VIP6 = bytes([10, 0, 42, 0]), bytes.fromhex("fd000042000000000000000000010002")
REPLIES4 = {VIP4: arp.prepare(templates().arp, VIP4, OURS)}
REPLIES6 = {VIP6: ndp.prepare(templates().advertisement, VIP6, OURS)}


def _member(name: str, peer: str) -> Membership:
    membership = Membership(name, name.encode().ljust(8), 0.0)
    membership.configure([peer], [b"key"])
    return membership


NODE = _member("one", "two")
SEEDS = [
    arp.probe(templates().arp, VIP4, CLIENT),
    *arp.announcements(templates().arp, VIP4, CLIENT),
    ndp.probe(templates().solicitation, VIP6, CLIENT),
    ndp.announcement(ndp.prepare(templates().advertisement, VIP6, CLIENT)),
    _member("two", "one").datagrams(0.0)[0][1],
]


def one(octets: bytes) -> None:
    """One frame, datagram and kernel message; every promise is checked on it."""
    reply = arp.answer(octets, REPLIES4, OURS)
    if not isinstance(reply, Drop):
        assert not reply[0] & 1
        assert (len(reply), reply[6:32]) == (42, REPLIES4[VIP4])
    advertisement = ndp.answer(octets, REPLIES6, OURS)
    if not isinstance(advertisement, Drop):
        assert ndp.invalid(advertisement) is None
        assert advertisement[:6] == ndp.ALL_NODES_MAC or not advertisement[0] & 1
    arp.claim(octets, OURS)
    ndp.claim(octets, OURS)
    describe(octets)
    assert NODE.receive(octets, 0.0) in Fault
    read(octets + bytes(100))
    InterfaceTable().feed(octets)


def changed(seed: bytes, chance: random.Random) -> bytes:
    """A valid frame with a few octets changed, and sometimes cut or lengthened."""
    octets = bytearray(seed)
    for _ in range(chance.randint(0, 4)):
        octets[chance.randrange(len(octets))] = chance.choice(
            (0, 1, 6, 58, 127, 128, 135, 136, 255, chance.randrange(256))
        )
    if chance.random() < 0.3:
        del octets[chance.randrange(len(octets)) :]
    if chance.random() < 0.2:
        octets += chance.randbytes(chance.randint(1, 40))
    return bytes(octets)


def main() -> None:
    """Run until stopped, or as often as -runs= says."""
    try:
        import atheris
    except ImportError:
        runs = next((int(each.removeprefix("-runs=")) for each in sys.argv[1:] if each.startswith("-runs=")), 1_000_000)
        chance = random.Random(0)
        for _ in range(runs):
            one(changed(chance.choice(SEEDS), chance))
        return
    atheris.instrument_all()
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
