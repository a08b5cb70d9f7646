"""What the web role asks of the rest of the suite: a few functions, so that it knows no other role."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from suite.metrics.registry import Registry
from suite.model.explain import Live
from suite.model.layer2 import Layer2
from suite.model.peering import Peering
from suite.model.snapshot import Snapshot
from suite.model.status import Status
from suite.web.documents import PlanDocument

if TYPE_CHECKING:
    from suite.dns.zone import Zone
    from suite.store.store import Store
    from suite.web.access import Doorkeeper
    from suite.web.following import Following
    from suite.web.orders import Orders


@dataclass(frozen=True, slots=True)
class Backend:
    """Where answers come from; each function is quick, may be called from any thread, and never raises."""

    snapshot: Callable[[], Snapshot]
    """The snapshot that this suite acts on."""
    status: Callable[[], Status]
    registry: Registry
    live: Callable[[], Live | None] = lambda: None
    """Who announces and what is answered."""
    plan: "Callable[[], PlanDocument] | None" = None
    """The next turn; None where no controller runs."""
    store: "Store | None" = None
    """The database, for history; None where this instance only follows."""
    peerings: Callable[[], tuple[Peering, ...]] = tuple
    """The BGP sessions of this node."""
    layer2: Callable[[], Layer2 | None] = lambda: None
    """What this node's speaker knows of layer 2; None where it announces nothing that way."""
    zones: "Callable[[], tuple[Zone, ...]]" = tuple
    """The zones that are served, or would be."""
    following: "Following | None" = None
    """What other machines follow; None where there is no database to tell from."""
    doorkeeper: "Doorkeeper | None" = None
    """Checks who asks over the network; without one nobody gets what needs a token."""
    orders: "Orders | None" = None
    """Carries orders out; None where there is no database to write to."""
