"""Fuzzing of DNS packets: ``python tests/fuzz/dns_packets.py [-runs=N] [-max_total_time=SECONDS] [CORPUS]``.

Any octets arrive over UDP, over TCP as a message and as a stream, with EDNS, cookies and TSIG configured; a reply, if any, must be a message this
library can read, within its limit, with the query's ID, and never larger for a spoofed sender than 1232 octets. With
atheris the branches of `suite.dns` steer the search; without it random changes of the corpus do.

The corpus is the packets of the vectors and what atheris found beside them to take other branches, in `corpus/dns`. To let it grow:

    python tests/fuzz/dns_packets.py -max_total_time=600 -max_len=700 tests/fuzz/corpus/dns
"""

from __future__ import annotations

import gc
import random
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FunctionType

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "vectors" / "dns"))

import script
from served_zones import zones

from suite.dns import edns, message
from suite.dns.conversation import Conversation
from suite.dns.fastpath import Compiled
from suite.dns.feed import ReplaceZone, SetState
from suite.dns.rrtype import rcode_to_text
from suite.dns.settings import Settings, Transfers

NOW = 1_700_000_000
CLIENT = b"\x7f\0\0\1"
SETTINGS = Settings(
    cookie_secrets=script.SETTINGS.cookie_secrets, identity=b"fuzz", keys=script.SETTINGS.keys,
    transfers=Transfers(networks=((CLIENT, 8),), keys=script.SETTINGS.transfers.keys),
)  # fmt: skip
CORPUS = Path(__file__).parent / "corpus" / "dns"
SEEDS = [case.sent(NOW) for case in script.cases(*script.FILES)] + [
    path.read_bytes() for path in sorted(CORPUS.iterdir())
]


def answers(transport: str) -> Compiled:
    """A server's answers with the vectors' zones."""
    compiled = Compiled(zones(), SETTINGS, lambda: NOW, transport)
    compiled.apply(
        [*(ReplaceZone(zone) for zone in compiled.zones.by_origin.values()), SetState(ready=True, stale=False)]
    )
    return compiled


UDP, TCP = answers("udp"), answers("tcp")


def one(octets: bytes) -> set[str]:
    """One packet; every promise about replies is checked on it. Gives the rcodes of the replies, or "silence"."""
    packet = octets[:65535]
    reply = UDP.full(packet, CLIENT)
    seen = {"silence" if reply is None else rcode_to_text(reply[3] & 0xF)}
    if reply is not None:
        check(packet, reply)
        assert len(reply) <= limit(packet)
    for part in TCP.converse(packet, CLIENT):
        check(packet, part)
        seen.add(rcode_to_text(part[3] & 0xF))
    converse(len(packet).to_bytes(2) + packet)
    converse(octets)
    return seen


def converse(octets: bytes) -> None:
    """The octets as a client's stream in two segments: it ends, and what is said is whole messages."""
    talk = Conversation(TCP.converse, CLIENT, lambda: 0.0)
    said, half = b"", len(octets) // 2
    for segment in (octets[:half], octets[half:]):
        talk.feed(segment)
        said += talk.turn()
        while talk.is_unfinished:
            said += talk.turn()
    assert not talk.is_streaming
    while said:
        end = 2 + int.from_bytes(said[:2])
        assert end <= len(said)
        message.parse(said[2:end])
        said = said[end:]


def limit(packet: bytes) -> int:
    """The octets that a reply over UDP may have: 512 without EDNS, else what the client takes, and we send (RFC 6891 section 6.2.5)."""
    try:
        opt = edns.find(message.parse(packet))
    except message.FormatError:
        return edns.MIN_SIZE
    return edns.MIN_SIZE if opt is None else min(max(opt.size, edns.MIN_SIZE), SETTINGS.udp_size)


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
    for each in gc.get_objects():
        if isinstance(each, FunctionType) and str(each.__module__).startswith("suite.dns."):
            atheris.instrument_func(each)
    with TemporaryDirectory() as folder:  # read, and written to only where no other folder is named
        for number, seed in enumerate(SEEDS):
            Path(folder, str(number)).write_bytes(seed)
        atheris.Setup([*sys.argv, folder], run)
        atheris.Fuzz()


def run(octets: bytes) -> None:
    """One input of the fuzzer."""
    one(octets)


if __name__ == "__main__":
    main()
