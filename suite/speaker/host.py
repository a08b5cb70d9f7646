"""What the speaker asks of its machine: keys from files, one capability, and who the kernel's neighbours are."""

import logging
from hashlib import sha256
from pathlib import Path

from suite.model.address import Address, parse_address
from suite.model.snapshot import Snapshot

CAP_NET_RAW = 13

_log = logging.getLogger(__name__)


def heartbeat_keys(snapshot: Snapshot) -> tuple[bytes, ...]:
    """Keys of the heartbeats, the one that signs first: the lines of the key file, else those the database made itself.

    Where neither is known, the database's epoch makes one: it is random, and nodes of one suite agree on it without being
    told, but whoever may read the API or the metrics sees it too, and the status says so.
    """
    path = snapshot.configuration.l2.heartbeat_key_file
    if path:
        try:
            lines = Path(path).read_bytes().split(b"\n")
        except OSError as error:
            _log.error("the heartbeat key file %s cannot be read: %s", path, error.strerror)
            lines = []
        keys = tuple(sha256(line.strip()).digest() for line in lines if line.strip())[:2]
        if keys:
            return keys
    if snapshot.heartbeat_keys:
        return tuple(map(bytes.fromhex, snapshot.heartbeat_keys))
    return (sha256(b"suite heartbeat " + snapshot.epoch.encode()).digest(),)


def may_open_packet_sockets() -> bool:
    """Whether this process has CAP_NET_RAW."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return False
    effective = next((line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), "0")
    return bool(int(effective, 16) >> CAP_NET_RAW & 1)


def hardware_neighbours(mac: str) -> frozenset[Address]:
    """The IPv4 addresses that this machine's kernel reaches by that MAC: of a node whose speaker does not run."""
    try:
        lines = Path("/proc/net/arp").read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return frozenset()
    rows = (line.split() for line in lines)
    return frozenset(parse_address(row[0]) for row in rows if len(row) > 3 and row[3].lower() == mac.lower())
