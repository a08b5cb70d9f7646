"""Fuzzing of DNS packets: ``python tests/fuzz/dns_packets.py [-runs=N] [CORPUS]``.

Any octets arrive over UDP and over TCP, with EDNS, cookies and TSIG configured; a reply, if any, must be a message this
library can read, within its limit, with the query's ID, and never larger for a spoofed sender than 1232 octets. With
atheris the interpreter's branches steer the search; without it random changes of the vectors' packets do.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "vectors" / "dns"))

import script
from served_zones import zones

from suite.dns import message
from suite.dns.fastpath import Compiled
from suite.dns.feed import ReplaceZone, SetState
from suite.dns.name import from_text
from suite.dns.settings import Key, Settings, Transfers

NOW = 1_700_000_000
CLIENT = b"\x7f\0\0\1"
KEY = Key(from_text("key."), "hmac-sha256", bytes(32))
SETTINGS = Settings(
    cookie_secrets=script.SETTINGS.cookie_secrets, identity=b"fuzz", keys=(KEY,),
    transfers=Transfers(networks=((CLIENT, 8),), keys=frozenset({KEY.name})),
)  # fmt: skip
SEEDS = [case.packet for case in script.cases("answers.vec", "edns.vec", "header.vec")]


def answers(transport: str) -> Compiled:
    """A server's answers with the vectors' zones."""
    compiled = Compiled(zones(), SETTINGS, lambda: NOW, transport)
    compiled.apply(
        [*(ReplaceZone(zone) for zone in compiled.zones.by_origin.values()), SetState(ready=True, stale=False)]
    )
    return compiled


UDP, TCP = answers("udp"), answers("tcp")


def one(octets: bytes) -> None:
    """One packet; every promise about replies is checked on it."""
    packet = octets[:65535]
    reply = UDP.full(packet, CLIENT)
    if reply is not None:
        assert len(reply) <= SETTINGS.udp_size
        check(packet, reply)
    for part in TCP.converse(packet, CLIENT):
        check(packet, part)


def check(packet: bytes, reply: bytes) -> None:
    """A reply is a message, answers this packet, and is a reply."""
    assert len(packet) >= 12
    assert not packet[2] & 0x80
    assert reply[:2] == packet[:2]
    assert reply[2] & 0x80
    message.parse(reply)


def changed(octets: bytes, chance: random.Random) -> bytes:
    """Damage a packet as a fuzzer would: flip, cut, repeat, set."""
    out = bytearray(octets)
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(out)) if out else 0
        kind = chance.randrange(5)
        if kind == 0 and out:
            out[at] ^= 1 << chance.randrange(8)
        elif kind == 1 and out:
            out[at] = chance.choice((0, 1, 0x3F, 0x40, 0x80, 0xC0, 0xFF, chance.randrange(256)))
        elif kind == 2:
            del out[at : at + chance.randrange(8)]
        elif kind == 3:
            out[at:at] = chance.randbytes(chance.randrange(8))
        else:
            out += out[at : at + chance.randrange(64)]
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
