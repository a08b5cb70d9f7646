"""bound -> held -> cooling -> free, and back to the name that had the address."""

from fix_world import World, load_balancer, pool, ref

from suite.model.address import parse_address
from suite.model.service import Port, Service, ServiceType


def test_a_deleted_service_leaves_its_address_held_then_cooling_then_free() -> None:
    world = World(pool("default", "10.0.0.0/24"), hold=60, cooling=30)
    world.put(load_balancer("a"))

    states = [world.delete("a") and world.state("10.0.0.0")]
    states += [world.wait(60) and world.state("10.0.0.0"), world.wait(30) and world.state("10.0.0.0")]

    assert states == [[("held", "default/a")], [("cooling", "default/a")], []]


def test_without_hold_and_cooling_time_an_address_is_free_at_once_as_in_metallb() -> None:
    world = World(pool("default", "10.0.0.0/24"))
    world.put(load_balancer("a"))

    world.delete("a")

    assert world.state("10.0.0.0") == []
    assert world.actions == ["released 10.0.0.0", "freed 10.0.0.0"]


def test_the_same_name_gets_its_held_address_back() -> None:
    world = World(pool("default", "10.0.0.0/24"), hold=60)
    world.put(load_balancer("a"), load_balancer("b"))
    world.delete("b")

    world.put(load_balancer("b", uid="another object"))

    assert world.has("b") == ["10.0.0.1"]
    assert world.actions == ["returned 10.0.0.1"]


def test_the_same_name_gets_its_address_back_while_it_cools() -> None:
    world = World(pool("default", "10.0.0.0/24"), cooling=60)
    world.put(load_balancer("a"))
    world.delete("a")

    world.put(load_balancer("a"))

    assert world.has("a") == ["10.0.0.0"]


def test_a_service_that_becomes_a_cluster_ip_lets_its_address_go() -> None:
    world = World(pool("default", "10.0.0.0/24"))
    world.put(load_balancer("a"))

    world.put(Service(ref("a"), type=ServiceType.CLUSTER_IP))

    assert world.has("a") == []


def test_after_the_loss_of_the_database_the_status_of_a_service_is_believed() -> None:
    world = World(pool("default", "10.0.0.0/24"))

    world.put(load_balancer("new"), load_balancer("old", status=(parse_address("10.0.0.0"),)))

    assert (world.has("old"), world.has("new")) == (["10.0.0.0"], ["10.0.0.1"])
    assert world.actions == ["adopted 10.0.0.0", "allocated 10.0.0.1"]


def test_after_the_loss_of_the_database_the_last_snapshot_is_believed() -> None:
    kept = {ref("old"): (parse_address("10.0.0.0"),)}
    world = World(pool("default", "10.0.0.0/24"), adoptable=kept)

    world.put(load_balancer("new"), load_balancer("old"))

    assert (world.has("old"), world.has("new")) == (["10.0.0.0"], ["10.0.0.1"])


def test_what_waits_for_a_name_goes_before_what_it_was_moved_away_from() -> None:
    world = World(pool("default", "10.0.42.0/24"), hold=3600, cooling=660)
    world.put(load_balancer("coffee"))
    world.put(load_balancer("coffee", "10.0.42.9"))
    world.delete("coffee")

    world.put(load_balancer("coffee"))

    assert world.has("coffee") == ["10.0.42.9"]


def test_on_a_shared_address_the_ports_of_a_leaving_service_are_held_until_it_is_forgotten() -> None:
    world = World(pool("default", "10.0.0.0/24"), hold=60)
    world.put(load_balancer("a", sharing_key="k"), load_balancer("b", sharing_key="k", ports=(Port(443),)))
    world.delete("a")

    world.put(load_balancer("c", sharing_key="k"))
    elsewhere = world.has("c")
    world.wait(61)

    assert elsewhere == ["10.0.0.1"]
    assert world.state("10.0.0.0") == [("bound", "default/b")]


def test_a_shared_address_cools_only_when_the_last_one_has_left() -> None:
    world = World(pool("default", "10.0.0.0/24"), cooling=60)
    world.put(load_balancer("a", sharing_key="k"), load_balancer("b", sharing_key="k", ports=(Port(443),)))

    first = world.delete("a") and world.state("10.0.0.0")
    second = world.delete("b") and world.state("10.0.0.0")

    assert (first, second) == ([("bound", "default/b")], [("cooling", "default/b")])


def test_a_changed_port_closes_the_row_and_opens_a_new_one_in_the_same_turn() -> None:
    world = World(pool("default", "10.0.0.0/24"))
    world.put(load_balancer("a"))

    world.put(load_balancer("a", ports=(Port(8080),)))

    assert [closing.reason for closing in world.changes.closed] == ["changed"]
    assert [str(lease.address) for lease in world.changes.opened] == ["10.0.0.0"]
    assert world.changes.events[0].before == '{"ports":"80/tcp"}'
    assert world.changes.events[0].after == '{"ports":"8080/tcp"}'


def test_an_address_whose_pool_is_gone_moves_its_service_at_once() -> None:
    world = World(pool("default", "10.0.0.0/24"), hold=60, cooling=60)
    world.put(load_balancer("a"))

    world.reconfigure(pool("second", "10.0.1.0/24"))

    assert world.has("a") == ["10.0.1.0"]
    assert world.state("10.0.0.0") == []


def test_a_pool_that_is_renamed_keeps_its_leases() -> None:
    world = World(pool("default", "10.0.0.0/24"))
    world.put(load_balancer("a"))

    world.reconfigure(pool("renamed", "10.0.0.0/24"))

    lease = world.snapshot.bound(ref("a"))[0]
    assert (str(lease.address), lease.pool) == ("10.0.0.0", "renamed")
