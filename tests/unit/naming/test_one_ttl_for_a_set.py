"""Records of one name and type have one TTL (RFC 2181 section 5.2), whatever is written beside each."""

from zone_worlds import snapshot_of

from suite.dns import name, rrtype
from suite.model.configuration import StaticRecord
from suite.nameserver.plan import ZonePlanner


def test_the_least_ttl_of_its_records_is_that_of_the_set() -> None:
    planner = ZonePlanner()
    written = tuple(StaticRecord("nas", "A", f"10.0.10.{ttl}", ttl=ttl) for ttl in (90, 20, 60))
    planner.plan(snapshot_of(records=written))

    node = planner.zones[b"\x07service\0"].get(name.from_text("nas.service."))
    assert node is not None
    assert [(rrset.rtype, rrset.ttl, len(rrset.rdatas)) for rrset in node.rrsets] == [(rrtype.A, 20, 3)]
