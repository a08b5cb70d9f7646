"""Objects added up into batches."""

from suite.cluster.convert import Key, Slice
from suite.cluster.inventory import Inventory
from suite.cluster.source import Batch
from suite.model.node import Node
from suite.model.service import Endpoint, Endpoints, Port, Service, ServiceRef

COFFEE = ServiceRef("default", "coffee")
KEY = Key("Service", "default", "coffee")


def slice_key(name: str) -> Key:
    return Key("EndpointSlice", "default", name)


def test_nothing_is_no_change():
    assert Inventory().changes() is None


def test_an_object_put_twice_is_told_once():
    inventory = Inventory()

    inventory.put(KEY, Service(COFFEE))
    first = inventory.changes()
    inventory.put(KEY, Service(COFFEE))

    assert first == Batch(services=(Service(COFFEE),))
    assert inventory.changes() is None


def test_an_object_that_comes_and_goes_between_batches_is_never_told():
    inventory = Inventory()

    inventory.put(KEY, Service(COFFEE))
    inventory.remove(KEY)

    assert inventory.changes() is None


def test_an_object_that_is_gone_is_told():
    inventory = Inventory()
    inventory.put(KEY, Service(COFFEE))
    inventory.full()

    inventory.remove(KEY)

    assert inventory.changes() == Batch(services_gone=(COFFEE,))


def test_an_object_deleted_and_made_again_is_a_change_only_where_it_differs():
    inventory = Inventory()
    inventory.put(KEY, Service(COFFEE, uid="1"))
    inventory.full()

    inventory.remove(KEY)
    inventory.put(KEY, Service(COFFEE, uid="2"))

    assert inventory.changes() == Batch(services=(Service(COFFEE, uid="2"),))


def test_several_slices_are_one_set_of_endpoints():
    inventory = Inventory()
    first, second = Endpoint("10.1.0.1", "a"), Endpoint("10.1.0.2", "b")

    inventory.put(slice_key("x"), Slice(COFFEE, (first,)))
    inventory.put(slice_key("y"), Slice(COFFEE, (first, second)))

    assert inventory.full() == Batch(endpoints=(Endpoints(COFFEE, (first, second)),), is_full=True)


def test_an_empty_slice_is_believed_and_no_slice_is_told_apart():
    inventory = Inventory()
    inventory.put(slice_key("x"), Slice(COFFEE, ()))

    assert inventory.full().endpoints == (Endpoints(COFFEE),)
    inventory.remove(slice_key("x"))
    assert inventory.changes() == Batch(endpoints_gone=(COFFEE,))


def test_a_slice_that_moves_to_another_service_changes_both():
    inventory = Inventory()
    tea = ServiceRef("default", "tea")
    inventory.put(slice_key("x"), Slice(COFFEE, ()))
    inventory.full()

    inventory.put(slice_key("x"), Slice(tea, ()))

    assert inventory.changes() == Batch(endpoints=(Endpoints(tea),), endpoints_gone=(COFFEE,))


def test_after_a_full_batch_changes_start_anew():
    inventory = Inventory()
    inventory.put(Key("Node", "", "compute2"), Node("compute2"))

    assert inventory.full() == Batch(nodes=(Node("compute2"),), is_full=True)
    assert inventory.changes() is None


def test_ports_that_no_pod_names_are_seen_through_all_slices():
    inventory = Inventory()
    inventory.put(slice_key("x"), Slice(COFFEE, (Endpoint("10.1.0.1"),), ("http",)))
    inventory.put(slice_key("y"), Slice(COFFEE, (Endpoint("10.1.0.2"),), ()))

    [endpoints] = inventory.full().endpoints

    assert endpoints.ports == ("http",)
    assert endpoints.unserved((Port(80, name="http"), Port(443, name="https", target="tls"))) == (
        Port(443, name="https", target="tls"),
    )


def test_a_slice_that_does_not_say_leaves_it_open():
    inventory = Inventory()
    inventory.put(slice_key("x"), Slice(COFFEE, (Endpoint("10.1.0.1"),)))

    assert inventory.full().endpoints[0].unserved((Port(80),)) == ()
