"""Answers per second of server CPU time, beside real servers and beside a C program that only echoes packets.

    tests/bench/dns/bench_dns.py [--servers suite,nsd,knot,echo] [--mixes plain,edns,full,flood,tcp] [--rounds 5] [--seconds 4]

One server process on CPU 0, dnsperf on CPU 1, loopback. The servers run side by side and the rounds are interleaved, so
that noise of the machine hits all alike; medians are printed. The figure to compare is answers per second of the
server's own CPU time, because dnsperf itself ends near 140,000 a second. Needs Debian's dnsperf, bind9-dnsutils, nsd,
knot, bind9, pdns-server, pdns-backend-sqlite3, sqlite3 and a C compiler for the echo.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PORTS = {"suite": 15300, "nsd": 15301, "knot": 15302, "pdns": 15303, "named": 15304, "echo": 15305}
SERVICES, NAMESPACES, LINES, SEED = 200, 50, 200_000, 7
SERVER_CPU, CLIENT_CPU = "0", "1"


@dataclass
class Server:
    """A running server and its working directory."""

    name: str
    process: subprocess.Popen[bytes]
    results: dict[str, list[float]] = field(default_factory=dict)

    def cpu_seconds(self) -> float:
        ticks = sum(_ticks(pid) for pid in _tree(self.process.pid))
        return ticks / os.sysconf("SC_CLK_TCK")


def _tree(root: int) -> list[int]:
    """Find a process and everything below it."""
    parents = {
        int(path.name): _stat(path)[1] for path in Path("/proc").iterdir() if path.name.isdigit() and _stat(path)
    }
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if int(parent) == pid]
    return found


def _stat(path: Path) -> list[str]:
    try:
        return (path / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _ticks(pid: int) -> int:
    fields = _stat(Path(f"/proc/{pid}")) or ["0"] * 13
    return int(fields[11]) + int(fields[12])


def write_inputs(folder: Path) -> None:
    """Write the zone (10,000 A records) and the query files, the same ones each time."""
    zone = ["$ORIGIN service.", "$TTL 60", "@ IN SOA ns1.service. hostmaster.service. 1 7200 1800 86400 5"]
    zone += ["@ IN NS ns1.service.", "ns1 IN A 127.0.0.1"]
    for namespace in range(NAMESPACES):
        for service in range(SERVICES):
            number = namespace * SERVICES + service
            zone.append(f"svc{service}.ns{namespace} IN A 10.64.{number >> 8}.{number & 255}")
    (folder / "service.zone").write_text("\n".join(zone) + "\n")
    rng = random.Random(SEED)
    questions = [_question(rng) for _ in range(LINES)]
    (folder / "plain").write_text("".join(f"{name} {rtype}\n" for name, rtype in questions))
    with (folder / "full").open("wb") as out:
        for name, rtype in questions:
            packet = _packet(rng, name, rtype)
            out.write(len(packet).to_bytes(2) + packet)
    flood = (f"{rng.getrandbits(48):012x}.ns{rng.randrange(NAMESPACES)}.service A\n" for _ in range(2_000_000))
    (folder / "flood").write_text("".join(flood))


def _question(rng: random.Random) -> tuple[str, str]:
    """80 % an existing A, 10 % AAAA of an existing name, 10 % a missing name, half of them in a missing namespace."""
    kind, name = rng.random(), f"svc{rng.randrange(SERVICES)}.ns{rng.randrange(NAMESPACES)}.service"
    if kind < 0.9:
        return name, "A" if kind < 0.8 else "AAAA"
    if kind < 0.95:
        return f"nope{rng.randrange(100_000)}.ns{rng.randrange(NAMESPACES)}.service", "A"
    return f"svc{rng.randrange(SERVICES)}.gone{rng.randrange(10_000)}.service", "A"


def _packet(rng: random.Random, name: str, rtype: str) -> bytes:
    """Half with EDNS (DO on half of these), a tenth with one of 256 client cookies, a tenth in mixed case."""
    if rng.random() < 0.1:
        name = "".join(rng.choice((letter.upper(), letter)) for letter in name)
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    question = labels + b"\0" + {"A": b"\0\x01", "AAAA": b"\0\x1c"}[rtype] + b"\0\1"
    kind, flags = rng.random(), rng.choice((b"\0\0", b"\x80\0"))
    if kind < 0.1:
        cookie = random.Random(rng.randrange(256)).randbytes(8)
        opt = b"\0\0\x29\x04\xd0\0\0" + flags + b"\0\x0c\0\x0a\0\x08" + cookie
    else:
        opt = b"\0\0\x29\x04\xd0\0\0" + flags + b"\0\0" if kind < 0.5 else b""
    return rng.randbytes(2) + b"\1\0\0\1\0\0\0\0\0" + bytes([bool(opt)]) + question + opt


def start(name: str, folder: Path) -> Server:
    """Start one server on CPU 0 with the zone, and wait until it answers."""
    if "connection refused" not in _dig(name, ".", "A"):
        sys.exit(f"port {PORTS[name]} is taken: something of an earlier run is still there")
    work = folder / name
    work.mkdir()
    shutil.copy(folder / "service.zone", work)
    command = ["taskset", "-c", SERVER_CPU, *COMMANDS[name](work, PORTS[name])]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (work / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    deadline = time.monotonic() + 30
    while name != "echo" and "10.64.2.105" not in _dig(name, "svc17.ns3.service", "A"):
        if time.monotonic() > deadline or process.poll() is not None:
            process.kill()
            sys.exit(f"{name} does not answer:\n{(work / 'log').read_text()}")
        time.sleep(0.1)
    return Server(name, process)


def check(name: str) -> None:
    """A fast wrong server is no result: three answers are looked at before anything is measured."""
    nodata, missing = _dig(name, "svc17.ns3.service", "AAAA"), _dig(name, "nope.ns3.service", "A")
    if "NOERROR" not in nodata or "ANSWER: 0, AUTHORITY: 1" not in nodata or "NXDOMAIN" not in missing:
        sys.exit(f"{name} answers wrongly:\n{nodata}\n{missing}")


def _dig(name: str, *question: str) -> str:
    command = ["dig", "+tries=1", "+time=1", "+noedns", "@127.0.0.1", "-p", str(PORTS[name]), *question]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _suite(work: Path, port: int) -> list[str]:
    return [sys.executable, str(HERE / "serve_suite.py"), str(port), "service.", str(work / "service.zone")]


def _echo(work: Path, port: int) -> list[str]:
    subprocess.run(["cc", "-O2", "-o", str(work / "echo"), str(HERE / "echo.c")], check=True)
    return [str(work / "echo"), str(port)]


def _nsd(work: Path, port: int) -> list[str]:
    (work / "nsd.conf").write_text(f"""
server:
  ip-address: 127.0.0.1@{port}
  server-count: 1
  username: ""
  zonesdir: "{work}"
  pidfile: "{work}/nsd.pid"
  database: ""
  xfrdfile: "{work}/xfrd.state"
  zonelistfile: "{work}/zone.list"
  answer-cookie: yes
  cookie-secret: 62656e63686d61726b20736563726574
  cookie-secret-file: ""
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: "service"
  zonefile: "service.zone"
""")
    return ["nsd", "-d", "-c", str(work / "nsd.conf")]


def _knot(work: Path, port: int) -> list[str]:
    (work / "knot.conf").write_text(f"""
server:
  listen: 127.0.0.1@{port}
  rundir: "{work}"
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: "{work}"
mod-cookies:
  - id: default
    secret: "0x62656e63686d61726b20736563726574"
template:
  - id: default
    global-module: mod-cookies/default
log:
  - target: stderr
    any: warning
zone:
  - domain: service
    storage: "{work}"
    file: service.zone
    zonefile-sync: -1
    journal-content: none
""")
    return ["knotd", "-c", str(work / "knot.conf")]


def _named(work: Path, port: int) -> list[str]:
    (work / "named.conf").write_text(f"""
options {{ directory "{work}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no;
  allow-transfer {{ none; }}; pid-file "{work}/named.pid"; session-keyfile "{work}/session.key"; answer-cookie yes;
  managed-keys-directory "{work}"; empty-zones-enable no; dnssec-validation no; minimal-responses yes; }};
controls {{ }};
zone "service" {{ type primary; file "{work}/service.zone"; }};
""")
    return ["named", "-f", "-n", "1", "-U", "1", "-c", str(work / "named.conf")]


def _pdns(work: Path, port: int) -> list[str]:
    database, schema = work / "pdns.sqlite3", Path("/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql")
    rows = subprocess.run(
        ["zone2sql", "--gsqlite", f"--zone={work}/service.zone", "--zone-name=service", "--transactions"],
        capture_output=True, check=True,
    ).stdout  # fmt: skip
    subprocess.run(["sqlite3", str(database)], input=schema.read_bytes() + rows, check=True)
    (work / "pdns.conf").write_text(
        f"launch=gsqlite3\ngsqlite3-database={database}\nlocal-address=127.0.0.1\nlocal-port={port}\nsocket-dir={work}\n"
        "receiver-threads=1\ndistributor-threads=1\ncache-ttl=20\nquery-cache-ttl=20\nnegquery-cache-ttl=60\n"
        "zone-cache-refresh-interval=300\nsecurity-poll-suffix=\nloglevel=3\nguardian=no\ndaemon=no\ndisable-syslog=yes\n"
        "edns-cookie-secret=62656e63686d61726b20736563726574\n"
    )
    subprocess.run(["pdnsutil", f"--config-dir={work}", "rectify-zone", "service"], capture_output=True, check=False)
    return ["pdns_server", f"--config-dir={work}"]


COMMANDS = {"suite": _suite, "echo": _echo, "nsd": _nsd, "knot": _knot, "named": _named, "pdns": _pdns}
MIXES = {
    "plain": ["-d", "plain"],
    "edns": ["-d", "plain", "-e", "-D"],
    "full": ["-B", "-d", "full"],
    "flood": ["-d", "flood"],
    "tcp": ["-d", "plain", "-m", "tcp"],
}


def measure(server: Server, mix: str, seconds: float, folder: Path, extra: list[str]) -> tuple[float, float]:
    """One run of dnsperf; answers per CPU second of the server, and per second of the clock."""
    options = [str(folder / word) if word in {"plain", "full", "flood"} else word for word in MIXES[mix]]
    before = server.cpu_seconds()
    run = subprocess.run(
        ["taskset", "-c", CLIENT_CPU, "dnsperf", "-s", "127.0.0.1", "-p", str(PORTS[server.name]), "-c", "8", "-T", "1",
         "-q", "100", "-t", "2", "-l", str(seconds), *options, *extra],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    spent = server.cpu_seconds() - before
    completed = int(re.findall(r"Queries completed:\s+(\d+)", run.stdout)[0])
    rate = float(re.findall(r"Queries per second:\s+([\d.]+)", run.stdout)[0])
    return completed / max(spent, 0.01), rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", default="suite,nsd,knot,echo")
    parser.add_argument("--mixes", default="plain,edns,full,flood,tcp")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--json", type=Path, help="write all runs to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-dns-") as text:
        folder = Path(text)
        folder.chmod(0o755)
        write_inputs(folder)
        servers: list[Server] = []
        try:
            for name in options.servers.split(","):
                servers.append(start(name, folder))  # noqa: PERF401 - a failure must leave the started ones in the list
            _rounds(servers, options, folder)
        finally:
            for server in servers:
                server.process.send_signal(signal.SIGTERM)
            for server in servers:
                server.process.wait(10)
    if options.json:
        options.json.write_text(json.dumps({server.name: server.results for server in servers}, indent=1))


def _rounds(servers: list[Server], options: argparse.Namespace, folder: Path) -> None:
    for server in servers:
        if server.name != "echo":
            check(server.name)
            measure(server, "plain", 1, folder, [])
    print(f"{'mix':7}{'server':8}{'per CPU second':>16}{'range':>20}{'per second':>12}")
    for mix in options.mixes.split(","):
        runs: dict[str, list[tuple[float, float]]] = {server.name: [] for server in servers}
        for _ in range(options.rounds):
            for server in servers:
                if not (mix == "tcp" and server.name == "echo"):
                    runs[server.name].append(measure(server, mix, options.seconds, folder, []))
        for server in servers:
            figures = [figure for figure, _ in runs[server.name]]
            server.results[mix] = figures
            if figures:
                rate = statistics.median(rate for _, rate in runs[server.name])
                spread = f"{min(figures):,.0f}-{max(figures):,.0f}"
                print(f"{mix:7}{server.name:8}{statistics.median(figures):16,.0f}{spread:>20}{rate:12,.0f}", flush=True)


if __name__ == "__main__":
    main()
