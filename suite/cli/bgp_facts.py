"""Finding out about BGP for ``suite doctor``: what the database says of sessions, what a router's file says, what answers."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from suite.cli.arguments import read_listen
from suite.cli.bgp_health import BgpFacts, Line, Reach
from suite.cli.fault import Exit, Fault
from suite.cli.target import Target

if TYPE_CHECKING:
    from suite.model.address import Address
    from suite.model.configuration import Configuration
    from suite.model.peering import SessionState
    from suite.model.snapshot import Snapshot

HTTP = 80
"""The port that is asked where none is said."""
OPEN_ROWS = 10_000
"""Sessions read at most; the newest of each node and peer counts."""


def gather_bgp(
    target: Target, configuration: "Configuration", routers: Iterable[str], reach: Iterable[str], *, has_database: bool
) -> BgpFacts:
    """Everything that the checks of BGP look at; ``routers`` are ``[PEER=]FILE``, ``reach`` are ``ADDRESS:PORT``.

    Raises:
        Fault: one of them cannot be read.
    """
    places = [(each.address, each.port) for each in (read_listen(each, HTTP) for each in reach)]
    snapshot, lines = _inside(target) if has_database and configuration.peers else (None, ())
    compared = dict(_router(each) for each in routers)
    return BgpFacts(
        lines,
        tuple(lack for path, peer in compared.items() for lack in _lacks(configuration, snapshot, path, peer)),
        tuple(map(str, compared)),
        tuple(_reached(places)),
    )


def _inside(target: Target) -> "tuple[Snapshot | None, tuple[Line, ...]]":
    try:
        with target.store() as store:
            snapshot = store.read()
            known = {
                (each.state.node, each.state.peer): each.state for each in reversed(store.sessions(limit=OPEN_ROWS))
            }
    except Fault:
        return None, ()  # the database's own check tells of it
    return snapshot, tuple(lines_of(snapshot, known)) if known else ()


def lines_of(snapshot: "Snapshot", known: "dict[tuple[str, str], SessionState]") -> "Iterator[Line]":
    """The session of each node with each of its peers."""
    from suite.speaker.plan import known_nodes, peers_of

    for name, node in known_nodes(snapshot, os.uname().nodename).items():
        for peer in peers_of(snapshot.configuration.peers, node):
            state = known.get((name, peer.name))
            address = str(peer.address or peer.interface)
            if state is None:
                yield Line(name, peer.name, address, is_known=False)
            else:
                yield Line(name, peer.name, address, state.is_up, why=state.why or "it has ended")


def _router(text: str) -> tuple[Path, str]:
    peer, equals, path = text.rpartition("=")
    return Path(path), peer if equals else ""


def _lacks(configuration: "Configuration", snapshot: "Snapshot | None", path: Path, name: str) -> list[str]:
    from suite.speaker.router_config import router_of
    from suite.speaker.router_diff import differences

    chosen = [peer for peer in configuration.peers if name in {"", peer.name}]
    if len(chosen) != 1:
        known = ", ".join(peer.name for peer in configuration.peers) or "none"
        raise Fault(f"which peer's router is {path}?", fix=f"write PEER={path}; the peers: {known}", code=Exit.USAGE)
    nodes = {each.name: each for each in configuration.nodes} | (dict(snapshot.nodes.items()) if snapshot else {})
    router = router_of(configuration, nodes.values(), chosen[0], ())
    if isinstance(router, str):
        return [router]
    try:
        return differences(router, path.read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        raise Fault(error.strerror or str(error), where=str(path), code=Exit.USAGE) from None


def _reached(places: "Iterable[tuple[Address, int]]") -> Iterator[Reach]:
    from suite.bgp.way_back import ask

    for address, port in places:
        yield Reach(address, port, ask(address, port))
