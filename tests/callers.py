"""Pods that say where they are, and a client that calls them through an address all the time: what people notice of a hand-over."""

from __future__ import annotations

import socket
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from fix_netns import Namespace

PORT = 8080

POD = f"""
import socket, socketserver, sys

class Pod(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(sys.argv[1].encode() + b"\\n")
        for line in self.rfile:
            self.wfile.write(line)

class Server(socketserver.ThreadingTCPServer):
    address_family, allow_reuse_address, daemon_threads, request_queue_size = socket.AF_INET6, True, True, 128

Server(("::", {PORT}), Pod).serve_forever()
"""

CALLER = f"""
import socket, sys, time

while True:
    for address in sys.argv[1:]:
        began = time.monotonic()
        try:
            call = socket.create_connection((address, {PORT}), timeout=5)
        except OSError as error:
            print(address, "LOST", error, flush=True)
            continue
        took = time.monotonic() - began
        with call:
            try:
                print(address, call.makefile().readline().strip() or "CUT", took, flush=True)
            except OSError as error:
                print(address, "CUT", error, flush=True)
    time.sleep(0.002)
"""


def serve_pod(node: Namespace, name: str) -> None:
    """A pod on a node: it tells its name to whoever calls, then repeats what it hears."""
    node.spawn(sys.executable, "-c", POD, name)


def can_be_called(node: Namespace, address: str) -> bool:
    """Whether the pod is there by now."""
    return node.run("nc", "-z", "-w", "1", address, str(PORT)).returncode == 0


class Calls:
    """Connections from a machine to each address in turn, as fast as they are answered, and what came of every attempt."""

    def __init__(self, client: Namespace, *addresses: str) -> None:
        self._client = client
        # Read under its name: who reads what the caller writes into must not move the place at which it writes.
        self._output = tempfile.NamedTemporaryFile("w", encoding="utf-8")  # noqa: SIM115 closed by __exit__
        self._sent_again = self._count_sent_again()
        self._process = client.spawn(sys.executable, "-c", CALLER, *addresses, stdout=self._output)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(5)
        self._output.close()

    def answers(self, address: str) -> list[str]:
        """Who answered the calls to an address, in their order; `LOST` for nobody, `CUT` if the pod was gone in the middle."""
        return [line[1] for line in map(str.split, self._lines()) if line[0] == address]

    def lost(self) -> list[str]:
        """The attempts that failed, with their reasons."""
        return [line for line in self._lines() if " LOST " in line]

    def longest(self) -> float:
        """Seconds that the slowest attempt took to be connected; on a busy machine also those in which nobody had its turn."""
        attempts = (line.split() for line in self._lines() if " LOST " not in line and " CUT " not in line)
        return max((float(took) for _, _, took in attempts), default=0.0)

    def sent_again(self) -> int:
        """How often the client's kernel asked for a connection once more, because a second had passed without an answer."""
        return self._count_sent_again() - self._sent_again

    def _lines(self) -> list[str]:
        """What was written as a whole so far."""
        return Path(self._output.name).read_text(encoding="utf-8").split("\n")[:-1]

    def _count_sent_again(self) -> int:
        lines = self._client.must("cat", "/proc/net/netstat").splitlines()
        names, values = (line.split() for line in lines if line.startswith("TcpExt:"))
        return int(values[names.index("TCPSynRetrans")])


def call_once(client: Namespace, address: str) -> socket.socket:
    """A connection that stays open; the pod's name has been read."""
    with client.entered():
        call = socket.create_connection((address, PORT), timeout=5)
    call.recv(100)
    return call
