"""What would move if a node announced nothing: for ``suite l2 simulate`` and ``suite drain``."""

import os
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from suite.cli.desk import ask
from suite.cli.fault import Exit, Fault
from suite.cli.target import Target

if TYPE_CHECKING:
    from suite.model.snapshot import Snapshot
    from suite.speaker.membership import NodeView

COLUMNS = ("address", "services", "owner", "then")


def this_node() -> str:
    """The name of this machine as a node, as ``suite run`` understands it."""
    return os.environ.get("NODE_NAME") or os.uname().nodename


def moves(target: Target, snapshot: "Snapshot", down: str) -> list[dict[str, Any]]:
    """One row for each address that ``down`` owns by layer 2 and somebody else, or nobody, would.

    The plan comes from the snapshot.  Who lives now is asked of the running suite; without one, every node counts as
    healthy.

    Raises:
        Fault: there is no such node.
    """
    from suite.speaker.layer2_view import all_healthy
    from suite.speaker.ownership import moves_without
    from suite.speaker.plan import known_nodes, plan

    names = known_nodes(snapshot, this_node())
    if down not in names:
        raise no_such_node(down, names, str(target.state))
    made = plan(snapshot, down)
    nodes = _living(target) or all_healthy(made.entries.values(), names)
    found = moves_without(made.entries, nodes, down)
    return [
        {
            "address": str(address),
            "services": ", ".join(sorted(str(lease.ref) for lease in snapshot.leases.get(address) or ())),
            "owner": before or "nobody",
            "then": after or "nobody",
        }
        for address, (before, after) in sorted(found.items(), key=lambda move: (move[0].version, int(move[0])))
    ]


def no_such_node(name: str, names: Collection[str], where: str) -> Fault:
    """The fault that names the nodes there are."""
    fix = f"there are: {', '.join(names)}"
    return Fault(f"no node is called {name!r}", where=where, fix=fix, code=Exit.NOT_FOUND)


def _living(target: Target) -> "dict[str, NodeView]":
    """The nodes as the speaker here sees them; empty where none runs."""
    from pydantic import TypeAdapter

    from suite.model.layer2 import Layer2
    from suite.speaker.layer2_view import node_view

    try:
        document = ask(target, "/v1/layer2")
    except Fault:
        return {}
    known = TypeAdapter(Layer2).validate_python(document)
    return {each.name: node_view(each) for each in known.nodes}
