"""Layer 2 as roles tell it to people: plain values, made by the speaker, shown by the API and the command line."""

from dataclasses import dataclass

from suite.model.refusal import Reason


@dataclass(frozen=True, slots=True)
class LinkState:
    """An interface of a node that can announce."""

    interface: str
    network: str
    mac: str
    is_settled: bool = True


@dataclass(frozen=True, slots=True)
class NodeState:
    """A node of the fleet as the node that was asked sees it."""

    name: str
    is_live: bool
    is_ready: bool
    is_draining: bool
    revision: int = 0
    """Of the snapshot that its speaker acts on; 0 while unknown."""
    epoch: str = ""
    addresses: int = 0
    """How many it answers for."""
    links: tuple[LinkState, ...] = ()
    deaths: int = 0
    """How often it fell silent without a goodbye, since the node that was asked began to listen."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who answers for one address, and why."""

    address: str
    node: str
    """Empty for nobody."""
    why: str
    successors: tuple[str, ...] = ()
    """Who would take it over, in order."""
    interfaces: tuple[str, ...] = ()
    """Of the node that was asked, where it announces the address now."""
    mac: str = ""
    reason: Reason | None = None
    """Why nobody can; None where somebody does."""


@dataclass(frozen=True, slots=True)
class Layer2:
    """Everything that one node knows of layer 2."""

    node: str
    nodes: tuple[NodeState, ...] = ()
    owners: tuple[Owner, ...] = ()
    dhcp: tuple[str, ...] = ()
    """Addresses of pools that DHCP was heard to give out."""
