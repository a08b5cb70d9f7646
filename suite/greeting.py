"""What the program says once when the first answers are there: three commands to try, ready to be copied."""

import os
from pathlib import Path

from suite.model.service import ServiceRef
from suite.model.snapshot import Snapshot


def greeting(snapshot: Snapshot, state: Path, config: Path | None, database: str, dns: tuple[str, int] | None) -> str:
    """The text; ``dns`` is where names are answered, None where nobody does."""
    names = [ref for ref in snapshot.holdings.keys() if snapshot.bound(ref)]  # noqa: SIM118 - a persistent map
    ref = min(names, default=ServiceRef("default", "coffee"))
    command = os.environ.get("SUITE_COMMAND", "suite")  # how this program was called; suite.sh tells
    where = f"--state {state}"
    if config is not None:
        where = f"--config {config} {where}"
    if database:
        where += f" --database {database}"
    lines = [f"the suite runs; its state is in {state}.  Try:"]
    if dns is not None:
        address, port = dns
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104 - of a server, for a client
        zone = snapshot.configuration.dns.zones[0].rstrip(".")
        lines.append(f"    nslookup -port={port} {ref.name}.{ref.namespace}.{zone} {host}")
    return "\n".join([*lines, f"    {command} lease list {where}", f"    {command} explain {ref} {where}"])
