"""A Service that says nothing unusual about names is one entry of its zone, whatever it has below its name."""

from zone_worlds import load_balancer, records, snapshot_of

from suite.dns.name import from_text
from suite.model.configuration import StaticRecord
from suite.model.service import Port
from suite.nameserver.plan import ZonePlanner

PORTS = (Port(80, name="http", node_port=30_080), Port(53, "UDP", "dns"))
COFFEE = {"coffee": "10.0.42.0"}


def entries(planner: ZonePlanner, origin: str = "service.") -> int:
    """How many names stand in the zone, without those that stand folded at others."""
    return planner.zones[from_text(origin)].nodes.standing_count


def test_named_ports_add_no_entry_to_the_zone() -> None:
    without, planner = ZonePlanner(), ZonePlanner()
    without.plan(snapshot_of(load_balancer("coffee"), leases=COFFEE))
    planner.plan(snapshot_of(load_balancer("coffee", ports=PORTS), leases=COFFEE))

    assert entries(planner) == entries(without)
    assert len(planner.zones[from_text("service.")].nodes) == entries(without) + 4


def test_a_static_name_beside_that_of_a_port_leaves_the_others_as_they_are() -> None:
    static = StaticRecord("_dns._udp.coffee.default", "TXT", "written")
    found = records(snapshot_of(load_balancer("coffee", ports=PORTS), leases=COFFEE, records=(static,)))

    assert {each for each in found if each.startswith("_")} == {
        "_dns._udp.coffee.default.service. SRV 0 100 53 coffee.default.service.",
        "_http._tcp.coffee.default.service. SRV 0 100 80 coffee.default.service.",
    }
