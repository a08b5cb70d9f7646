"""The whole program beside a test: its files are written, it is started, changed, asked and ended as users do it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.xfr
import dns.zone
from fix_netns import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
ROLES = ("--role", "controller", "--role", "nameserver", "--role", "web")
PATIENCE = 20.0

CONFIGURATION = """\
address-pools:
  - name: default
    protocol: layer2
    addresses: [10.0.42.0/24]
hold-time: 0s
cooling-time: 0s
dns:
  ttl: 2s
  negative-ttl: 2s
"""

SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: {name}
  annotations: {{{annotations}}}
spec:
  type: LoadBalancer
  loadBalancerIP: "{address}"
  ports: [{{name: http, port: 80}}]
"""


def free_port() -> int:
    """A port that is free for both transports just now."""
    while True:
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, suppress(OSError):
            tcp.bind(("127.0.0.1", 0))
            port: int = tcp.getsockname()[1]
            udp.bind(("127.0.0.1", port))
            return port


def ask(port: int, name: str, rtype: str = "A", *, address: str = "127.0.0.1") -> tuple[str, list[str]]:
    """The response code and the data of the answers, as a stub asks: recursion desired, no EDNS."""
    with socket.socket(
        socket.AF_INET, socket.SOCK_DGRAM
    ) as sock:  # connected: that nobody listens yet is heard at once
        sock.setblocking(False)
        try:
            sock.connect((address, port))
            reply = dns.query.udp(dns.message.make_query(name, rtype), address, 2, port, sock=sock)
        except (dns.exception.DNSException, OSError):  # one may even hear oneself, where the free port was taken for us
            return "TIMEOUT", []
    return dns.rcode.to_text(reply.rcode()), sorted(rdata.to_text() for rrset in reply.answer for rdata in rrset)


def transfer(port: int, origin: str, keyring: object = None) -> list[str]:
    """A zone by AXFR, a line for each record, in order."""
    zone = dns.zone.Zone(origin)
    query, _ = dns.xfr.make_query(zone, keyring=keyring)
    dns.query.inbound_xfr("127.0.0.1", zone, query, port=port, timeout=5, lifetime=20)
    return sorted(line.lower() for line in zone.to_text(relativize=False, want_origin=False).splitlines())


@dataclass(slots=True)
class RunningSuite:
    """One suite with files of its own."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def output(self) -> str:
        return (self.folder / "output").read_text(encoding="utf-8")

    def configure(self, more: str = "") -> None:
        """Write the configuration; ``more`` goes to the end of section dns."""
        self._write(self.folder / "suite.yaml", CONFIGURATION + more)

    def put(self, name: str, address: str = "", **annotations: str) -> None:
        """Write the manifest of a LoadBalancer Service."""
        asked = ", ".join(f'suite/{key}: "{value}"' for key, value in annotations.items())
        self._write(
            self.folder / "manifests" / f"{name}.yaml", SERVICE.format(name=name, address=address, annotations=asked)
        )

    def remove(self, name: str) -> None:
        (self.folder / "manifests" / f"{name}.yaml").unlink()

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "suite",
            "run",
            "--config",
            self.folder / "suite.yaml",
            "--state",
            self.folder / "state",
        ]
        command += ["--manifests", self.folder / "manifests", "--dns-listen", f"127.0.0.1:{self.port}", *ROLES]
        with (self.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    def stop(self, *, kill: bool = False) -> None:
        if self.process is not None:
            (self.process.kill if kill else self.process.terminate)()
            self.process.wait(15)
            self.process = None

    def wait(self, name: str, *expected: str, rtype: str = "A", code: str = "NOERROR", port: int = 0) -> None:
        """Ask us, or whom ``port`` belongs to, until the answer is as expected."""
        wanted = code, sorted(expected)
        where = port or self.port
        if not eventually(lambda: ask(where, name, rtype) == wanted, PATIENCE, 0.05):
            raise AssertionError(f"{name}: {ask(where, name, rtype)}, not {wanted}\n{self.output[-3000:]}")

    @staticmethod
    def _write(path: Path, text: str) -> None:
        fresh = path.with_name(f".{path.name}.new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)


@contextmanager
def running_suite(folder: Path, more: str = "", *, port: int = 0) -> Iterator[RunningSuite]:
    """A started suite with one Service, coffee at 10.0.42.1, that answers already; on a free port unless one is given."""
    (folder / "manifests").mkdir(parents=True)
    suite = RunningSuite(folder, port or free_port())
    suite.configure(more)
    suite.put("coffee", "10.0.42.1")
    suite.start()
    try:
        suite.wait("coffee.default.service", "10.0.42.1")
        yield suite
    finally:
        suite.stop()


@contextmanager
def daemon(command: list[str], work: Path) -> Iterator[Path]:
    """Another program, started and ended; the path of its log."""
    log = work / "log"
    with log.open("ab") as file:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=work)
    try:
        yield log
    finally:
        process.terminate()
        process.wait(15)


def is_installed(program: str) -> bool:
    return shutil.which(program) is not None
