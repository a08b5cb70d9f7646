"""Who asked first is committed with the Service, so that replicas and restarts agree about it."""

from fix_world import World, load_balancer, pool, ref

from suite.model.service import Service
from suite.store.rows import adapter, dump


def claims(world: World, name: str) -> dict[str, int]:
    """Since which revision the Service asks for its names, counted from the first commit."""
    return dict(world.snapshot.services[ref(name)].claimed)


def test_a_claim_carries_the_revision_it_was_committed_with() -> None:
    world = World(pool("default", "10.0.0.0/30"))
    world.put(load_balancer("first", hostnames=("www",)))
    world.put(load_balancer("second", hostnames=("www",)))

    assert (claims(world, "first"), claims(world, "second")) == ({"www": 2}, {"www": 3})


def test_a_change_of_something_else_keeps_the_claim() -> None:
    world = World(pool("default", "10.0.0.0/30"))
    world.put(load_balancer("coffee", hostnames=("www",)))
    world.put(load_balancer("coffee", hostnames=("api", "www"), ttl=5))

    assert claims(world, "coffee") == {"api": 3, "www": 2}


def test_a_name_given_up_and_asked_for_again_is_a_new_claim() -> None:
    world = World(pool("default", "10.0.0.0/30"))
    world.put(load_balancer("coffee", hostnames=("www",)))
    world.put(load_balancer("coffee"))
    world.put(load_balancer("coffee", hostnames=("www",)))

    assert claims(world, "coffee") == {"www": 4}


def test_saying_the_same_again_writes_nothing() -> None:
    world = World(pool("default", "10.0.0.0/30"))
    world.put(load_balancer("coffee", hostnames=("www",)))

    assert not world.put(load_balancer("coffee", hostnames=("www",)))


def test_a_claim_from_before_claims_were_counted_goes_before_all_others() -> None:
    assert load_balancer("older", hostnames=("www",)).asks_since("www") == 0


def test_the_claim_survives_the_database() -> None:
    service = load_balancer("coffee", hostnames=("www",), claimed=(("www", 7),))
    kept = adapter(Service).validate_json(dump(Service, service))

    assert kept.asks_since("www") == 7
