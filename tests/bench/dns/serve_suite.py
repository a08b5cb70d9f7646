"""Serves a zone file with `suite.dns` on loopback, for the benchmark: `serve_suite.py PORT ORIGIN FILE [--changes N] [--workers N]`."""

from __future__ import annotations

import argparse
import asyncio
import resource
import signal
import sys
import time
from pathlib import Path

from suite.dns import rrtype
from suite.dns.feed import ChangeZone, ReplaceZone, SetState
from suite.dns.name import from_text
from suite.dns.rrset import RRset
from suite.dns.server import Server
from suite.dns.settings import Settings
from suite.dns.zone import Zone
from suite.dns.zonefile import read


async def main(port: int, origin: bytes, text: str, changes: float, workers: int) -> None:
    """Serve until terminated; with changes, one address of the zone changes that often."""
    zone = Zone.build(origin, read(text, origin).rrsets)
    server = Server([("127.0.0.1", port)], Settings(cookie_secrets=(b"benchmark secret",)), workers=workers)
    await server.start()
    await server.publish([ReplaceZone(zone), SetState(ready=True, stale=False)], 1)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    changing = asyncio.create_task(change(server, origin, changes)) if changes else None
    await stopped.wait()
    if changing is not None:
        changing.cancel()
    counts = await server.counts()
    print(counts, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, "kB", file=sys.stderr)
    await server.stop()


async def change(server: Server, origin: bytes, rate: float) -> None:
    """Change one address after the other, and tell how long each took to be visible."""
    names, waits = [from_text(f"svc{number}.ns0", origin) for number in range(200)], []
    for serial in range(2, 1_000_000):
        name = names[serial % len(names)]
        started = time.perf_counter()
        data = bytes([10, 200, serial >> 8 & 0xFF, serial & 0xFF])
        await server.publish([ChangeZone(origin, (RRset(name, rrtype.A, 60, (data,)),), serial)], serial)
        waits.append(time.perf_counter() - started)
        if len(waits) == 500:
            waits.sort()
            print(f"visible after p50 {waits[250] * 1e3:.2f} ms, p99 {waits[495] * 1e3:.2f} ms", file=sys.stderr)
            waits.clear()
        await asyncio.sleep(max(0.0, 1 / rate - (time.perf_counter() - started)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("origin")
    parser.add_argument("file", type=Path)
    parser.add_argument("--changes", type=float, default=0, help="changes a second")
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    asyncio.run(main(given.port, from_text(given.origin), given.file.read_text(), given.changes, given.workers))
