"""Which of the next free addresses a node asks its networks for.  Pure."""

from collections.abc import Iterator

from suite.model.address import Address
from suite.model.publication import Publication
from suite.speaker.election import rank
from suite.speaker.plan import Plan


def own_ahead(publication: Publication, plan: Plan, node: str) -> Iterator[Address]:
    """Those that ``node`` would own, were a Service to get them now; beside the controller that leads, all of them.

    Whoever will announce an address then need not wait for the network's answer, and who gives it away knows it.
    """
    configuration = publication.snapshot.configuration
    for address in publication.ahead:
        pool = configuration.pool_of(address)
        ways = plan.ways[pool.name].l2 if pool is not None and pool.name in plan.ways else ()
        nodes = {name for way in ways for name in way.nodes}
        if node in nodes and (publication.is_leading or rank(address, nodes)[0] == node):
            yield address
