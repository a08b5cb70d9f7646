"""Batches add up to the objects, whatever order they come and go in and wherever they are cut into batches."""

import asyncio

from fix_cluster import Told
from hypothesis import given
from hypothesis import strategies as st

from suite.cluster.convert import Key, Slice, Value
from suite.cluster.inventory import Inventory
from suite.model.node import Namespace, Node
from suite.model.service import Endpoint, Service, ServiceRef

NAMES = st.sampled_from(["a", "b"])
REFS = st.builds(ServiceRef, st.just("default"), NAMES)
ENDPOINTS = st.lists(st.builds(Endpoint, st.sampled_from(["10.1.0.1", "10.1.0.2"])), max_size=2).map(tuple)


def keyed(kind: str, namespace: str, values: st.SearchStrategy[Value]) -> st.SearchStrategy[tuple[Key, Value | None]]:
    return st.tuples(st.builds(Key, st.just(kind), st.just(namespace), NAMES), st.none() | values)


STEPS = st.one_of(
    st.just("batch"),
    st.just("full"),
    keyed("Service", "default", st.builds(Service, st.just(ServiceRef("default", "a")), uid=NAMES)),
    keyed("EndpointSlice", "default", st.builds(Slice, REFS, ENDPOINTS, st.none() | st.just(("http",)))),
    keyed("Node", "", st.builds(Node, NAMES, network_unavailable=st.booleans())),
    keyed("Namespace", "", st.builds(Namespace, NAMES, st.sampled_from([(), (("team", "x"),)]))),
)


async def take(told: Told, inventory: Inventory, *, full: bool = False) -> None:
    batch = inventory.full() if full else inventory.changes()
    if batch is not None:
        await told.deliver(batch)


@given(st.lists(STEPS, max_size=30))
def test_what_was_told_is_what_a_full_batch_says(steps):
    async def story() -> None:
        inventory, told = Inventory(), Told()
        for step in steps:
            if isinstance(step, str):
                await take(told, inventory, full=step == "full")
                continue
            key, value = step
            if value is None:
                inventory.remove(key)
            else:
                inventory.put(key, named(key, value))
        await take(told, inventory)
        whole = Told()
        await take(whole, inventory, full=True)
        assert (told.services, told.endpoints) == (whole.services, whole.endpoints)
        assert (told.nodes, told.namespaces) == (whole.nodes, whole.namespaces)

    asyncio.run(story())


def named(key: Key, value: Value) -> Value:
    """An object whose name is its key's, as every source gives it."""
    if isinstance(value, Service):
        return Service(ServiceRef(key.namespace, key.name), uid=value.uid)
    if isinstance(value, Node):
        return Node(key.name, network_unavailable=value.network_unavailable)
    return Namespace(key.name, value.labels) if isinstance(value, Namespace) else value
