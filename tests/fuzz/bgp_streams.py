"""Fuzzing of BGP streams and BFD packets: ``python tests/fuzz/bgp_streams.py [-runs=N] [CORPUS]``.

Any octets are what a peer sends, in each state of a session, cut anywhere. A session must not raise, must keep at
most one message of input, and all it says must read as messages. The seeds are recordings of real routers
(tests/vectors/bgp). With atheris the interpreter's branches steer the search; without it
random damage of the recordings does.
"""

import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bgp_wire import Lone, config, messages, peer_open

from suite.bgp.bfd import BfdProfile, BfdSession
from suite.bgp.message import KEEPALIVE, MAX_SIZE, encode

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "bgp"
SEEDS = [
    bytes.fromhex("".join(line for line in path.read_text(encoding="ascii").splitlines() if line[0] != "#"))
    for path in sorted(VECTORS.glob("*.hex"))
]
PROGRESS = (b"", encode(peer_open()), encode(peer_open()) + KEEPALIVE)


def one(octets: bytes) -> None:
    """One input to sessions in three states, whole and in halves, and to a BFD session."""
    for progress in PROGRESS:
        lone = Lone(config()).connect().say(progress)
        half = len(octets) // 2
        lone.say(octets[:half], octets[half:])
        messages(lone.session.bytes_to_send(lone.link, lone.now))
        for last in lone.closed:
            messages(last)
        assert all(len(each.reader) < MAX_SIZE for each in lone.session._connections)
        lone.wait(300)
    bfd = BfdSession(BfdProfile(), 1, lambda: 0.5)
    bfd.start(0.0)
    bfd.receive(octets, 0.5)
    bfd.packets_to_send(1.0)


def changed(octets: bytes, chance: random.Random) -> bytes:
    """Damage a stream as a fuzzer would: flip, set, cut, repeat."""
    out = bytearray(octets)
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(out)) if out else 0
        kind = chance.randrange(4)
        if kind == 0 and out:
            out[at] ^= 1 << chance.randrange(8)
        elif kind == 1 and out:
            out[at] = chance.choice((0, 1, 2, 4, 0x40, 0x80, 0xFF, chance.randrange(256)))
        elif kind == 2:
            del out[at : at + chance.randrange(8)]
        else:
            out[at:at] = out[at : at + chance.randrange(64)]
    return bytes(out)


def main() -> None:
    try:
        import atheris
    except ImportError:
        chance = random.Random(1)
        for _ in range(100_000):
            one(changed(chance.choice(SEEDS), chance))
        return
    atheris.instrument_all()
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
