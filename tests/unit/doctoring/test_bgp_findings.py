"""The doctor names nodes without a session, wrong AS numbers, and answers that take another way than the questions."""

from ipaddress import ip_address

import pytest

from suite.bgp.way_back import WayBack
from suite.cli.bgp_facts import lines_of
from suite.cli.bgp_health import BgpFacts, Line, Reach, check_routers, check_sessions, check_ways
from suite.cli.finding import Severity
from suite.model.configuration import Configuration
from suite.model.node import Node
from suite.model.peer import Peer
from suite.model.peering import SessionState
from suite.model.snapshot import Snapshot

UP = Line("node1", "gateway", "192.168.1.1", is_up=True)
VIP = ip_address("10.10.10.10")
SNAPSHOT = Snapshot(
    configuration=Configuration(
        peers=(Peer("gateway", 64512, 64512, address=ip_address("192.168.1.1")),), nodes=(Node("node1"), Node("node2"))
    )
)


def down(why: str = "", *, is_known: bool = True) -> Line:
    return Line("node2", "gateway", "192.168.1.1", is_known=is_known, why=why)


def test_every_session_up_is_one_line() -> None:
    (finding,) = check_sessions(BgpFacts(lines=(UP,)))

    assert (finding.severity, finding.text) == (Severity.OK, "all 1 session(s) of the nodes are up")


@pytest.mark.parametrize(
    ("line", "severity", "said"),
    [
        (down("connection closed by the peer"), Severity.ERROR, ": connection closed by the peer"),
        (down("received open/bad peer as"), Severity.ERROR, ": the AS numbers do not fit (received open/bad peer as)"),
        (down(is_known=False), Severity.WARNING, ": its speaker has not said anything yet"),
    ],
    ids=["the router does not know it", "a wrong AS number", "never heard of"],
)
def test_a_node_without_a_session_is_named_with_the_reason(line: Line, severity: Severity, said: str) -> None:
    (finding,) = check_sessions(BgpFacts(lines=(UP, line)))

    assert finding.severity is severity
    assert finding.text == f"node node2 has no session with peer gateway (192.168.1.1){said}"


def test_a_wrong_as_number_is_mended_in_two_places() -> None:
    (finding,) = check_sessions(BgpFacts(lines=(down("sent open/bad peer as: AS 64513 where 64512 is configured"),)))

    assert "remote-as" in finding.fix
    assert "peer-asn" in finding.fix


def test_what_a_router_s_file_lacks_is_an_error_each() -> None:
    lacks = (
        "node node2 (10.10.0.102) is no neighbor of the router",
        "node node3 (10.10.0.103) is expected with AS number 1",
    )

    findings = list(check_routers(BgpFacts(lacks=lacks, compared=("frr.conf",))))

    assert [(each.severity, each.text) for each in findings] == [(Severity.ERROR, lack) for lack in lacks]


def test_a_router_s_file_without_fault_is_told_so() -> None:
    (finding,) = check_routers(BgpFacts(compared=("frr.conf",)))

    assert (finding.severity, finding.text) == (Severity.OK, "frr.conf has every node, with the right AS numbers")


@pytest.mark.parametrize(
    ("way", "severity"),
    [
        (WayBack.OPEN, Severity.OK),
        (WayBack.REFUSED, Severity.OK),
        (WayBack.ONE_SIDED, Severity.ERROR),
        (WayBack.SILENT, Severity.ERROR),
        (WayBack.UNREACHABLE, Severity.ERROR),
    ],
)
def test_an_address_is_judged_by_what_came_back(way: WayBack, severity: Severity) -> None:
    (finding,) = check_ways(BgpFacts(reached=(Reach(VIP, 80, way),)))

    assert finding.severity is severity
    assert finding.text.startswith(f"10.10.10.10 port 80 {way}")


def test_an_asymmetric_way_is_told_with_all_the_ways_out() -> None:
    (finding,) = check_ways(BgpFacts(reached=(Reach(VIP, 80, WayBack.ONE_SIDED),)))

    assert all(word in finding.fix for word in ("redirects", "masquerade", "state", "another network"))


def test_the_sessions_there_should_be_are_compared_with_those_there_are() -> None:
    known = {("node1", "gateway"): SessionState("node1", "gateway", "192.168.1.1", True, 64512)}

    lines = list(lines_of(SNAPSHOT, known))

    assert [(line.node, line.is_up, line.is_known) for line in lines] == [
        ("node1", True, True),
        ("node2", False, False),
    ]
