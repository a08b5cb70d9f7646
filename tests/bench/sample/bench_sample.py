"""The sample, as a user waits for it: from the start to the first answer, from a saved manifest to DNS and SQL.

    ./suite.sh bench sample

Loopback only, without the speaker. Every figure is a median with its range; the sizes of the state directory and of
the process are those at the end.
"""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
ROLES = ("--role", "controller", "--role", "nameserver", "--role", "web")
STARTS, CHANGES = 7, 20
IS_HELD = "SELECT 1 FROM lease_current WHERE service = ? AND state = 'held'"
TEA = "apiVersion: v1\nkind: Service\nmetadata: {{name: tea{}}}\nspec: {{type: LoadBalancer, ports: [{{port: 80}}]}}\n"


def address_of(name: str, port: int) -> bytes | None:
    """The four octets of the answer's A record; None for any other answer, or none within 20 ms."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    question = struct.pack("!6H", os.getpid() & 0xFFFF, 0x0100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.02)
        client.connect(("127.0.0.1", port))
        try:
            client.send(question)
            reply = client.recv(512)
        except OSError:
            return None
    end = len(question) + 16
    return reply[end - 4 : end] if reply[7] and not reply[3] & 15 else None


def wait(holds: Callable[[], object]) -> float:
    """Seconds until it holds, asked every millisecond."""
    begin = time.perf_counter()
    while not holds():
        if time.perf_counter() - begin > 30:
            sys.exit("nothing happened for 30 s")
        time.sleep(0.001)
    return time.perf_counter() - begin


@contextmanager
def suite(folder: Path, state: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    files = ("--config", folder / "suite.yaml", "--manifests", folder / "manifests")
    command = [
        sys.executable,
        "-P",
        "-m",
        "suite",
        "run",
        *files,
        "--state",
        state,
        "--dns-listen",
        f"127.0.0.1:{port}",
        *ROLES,
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=20)


def start_times(folder: Path, port: int, states: list[Path]) -> list[float]:
    taken = []
    for state in states:
        begin = time.perf_counter()
        with suite(folder, state, port):
            wait(lambda: address_of("coffee.default.service", port))
            taken.append(time.perf_counter() - begin)
    return taken


def change_times(folder: Path, state: Path, port: int) -> tuple[list[float], list[float]]:
    """Until a new manifest's name resolves; then, until a removed one's lease is held in SQL."""
    appeared, held = [], []
    with suite(folder, state, port), closing(sqlite3.connect(state / "suite.db", timeout=5)) as database:
        wait(lambda: address_of("coffee.default.service", port))
        for number in range(CHANGES):
            manifest, name = folder / f"manifests/tea{number}.yaml", f"tea{number}"
            manifest.write_text(TEA.format(number), encoding="utf-8")
            appeared.append(wait(lambda name=name: address_of(f"{name}.default.service", port)))
            manifest.unlink()
            held.append(wait(lambda name=name: database.execute(IS_HELD, (name,)).fetchone()))
    return appeared, held


def show(what: str, seconds: list[float]) -> None:
    low, middle, high = min(seconds), statistics.median(seconds), max(seconds)
    print(f"{what:44} {middle * 1000:6.0f} ms   ({low * 1000:.0f} to {high * 1000:.0f}, n={len(seconds)})")


def main() -> None:
    with tempfile.TemporaryDirectory(dir=os.environ.get("SUITE_BENCH_FOLDER", "/var/tmp")) as name:
        folder, port = Path(name), 15353
        shutil.copy(ROOT / "deploy/examples/suite.yaml", folder)
        shutil.copytree(ROOT / "deploy/examples/manifests", folder / "manifests")
        show(
            "start to first answer, no database yet",
            start_times(folder, port, [folder / f"s{n}" for n in range(STARTS)]),
        )
        show("start to first answer, again", start_times(folder, port, [folder / "s0"] * STARTS))
        appeared, held = change_times(folder, folder / "s0", port)
        show("manifest saved to name resolves", appeared)
        show("manifest removed to lease held in SQL", held)


if __name__ == "__main__":
    main()
