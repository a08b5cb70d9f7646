"""Which path is best and by which rule; the nodes of a cluster usually tie down to the router identifier."""

from ipaddress import IPv4Address

import pytest

from suite.bgp.attribute import Origin
from suite.bgp.bestpath import BIRD, FRR, Path, Router, Rule, choose, explain


def path(number: int, **changes: object) -> Path:
    fields = {"internal": True, "neighbor_as": 64512, "path_length": 0, "order": number, **changes}
    identifier = fields.pop("identifier", IPv4Address(f"10.10.0.{number}"))
    return Path(IPv4Address(f"10.10.0.{number}"), identifier, **fields)


DECISIONS = [
    pytest.param({"local_pref": 200}, {}, Rule.LOCAL_PREFERENCE, id="local preference"),
    pytest.param({"path_length": 1}, {"path_length": 2}, Rule.PATH_LENGTH, id="path length"),
    pytest.param({}, {"origin": Origin.INCOMPLETE}, Rule.ORIGIN, id="origin"),
    pytest.param({"med": 5}, {"med": 10}, Rule.MED, id="med"),
    pytest.param({"internal": False}, {}, Rule.EXTERNAL, id="external"),
    pytest.param({}, {"distance": 10}, Rule.DISTANCE, id="distance"),
    pytest.param({}, {}, Rule.IDENTIFIER, id="identifier"),
]


@pytest.mark.parametrize(("better", "worse", "rule"), DECISIONS)
def test_each_rule_decides_before_the_next(better: dict[str, object], worse: dict[str, object], rule: Rule) -> None:
    one = {"identifier": IPv4Address("9.9.9.9")} if rule is not Rule.IDENTIFIER else {}

    verdict = choose([path(1, **worse, **one) if one else path(9, **worse), path(5, **better)], BIRD)

    assert (verdict.best.neighbor, verdict.rule) == (IPv4Address("10.10.0.5"), rule)


def test_three_nodes_tie_down_to_the_lowest_identifier() -> None:
    verdict = choose([path(103), path(101), path(102)], FRR)

    assert explain(verdict).splitlines() == [
        "10.10.0.101 is best: lowest router identifier",
        "10.10.0.103 stands by: it lost by the rule «lowest router identifier»",
        "10.10.0.102 stands by: it lost by the rule «lowest router identifier»",
    ]


def test_equal_identifiers_leave_it_to_the_address() -> None:
    same = IPv4Address("1.1.1.1")

    assert choose([path(7, identifier=same), path(3, identifier=same)], BIRD).rule is Rule.ADDRESS


def test_med_is_not_compared_between_different_neighbors() -> None:
    first = path(1, internal=False, neighbor_as=65001, path_length=1, med=50)
    second = path(2, internal=False, neighbor_as=65002, path_length=1, med=10)

    assert choose([first, second], BIRD).best == first


@pytest.mark.parametrize(("router", "best"), [(FRR, "10.10.0.2"), (BIRD, "10.10.0.1")], ids=["FRR", "BIRD"])
def test_the_oldest_external_path_stays_where_routers_keep_it(router: Router, best: str) -> None:
    young, old = (path(n, internal=False, path_length=1, order=9 - n) for n in (1, 2))

    assert str(choose([young, old], router).best.neighbor) == best


def test_the_only_path_is_best() -> None:
    assert choose([path(1)], FRR).rule is Rule.ONLY


def test_equal_paths_share_the_traffic_where_the_router_uses_several() -> None:
    verdict = choose([path(3), path(1), path(2, local_pref=50)], Router(keeps_oldest=True, multipath=4))

    assert [str(used.neighbor) for used in verdict.used] == ["10.10.0.1", "10.10.0.3"]


def test_without_paths_there_is_nothing_to_choose() -> None:
    with pytest.raises(ValueError, match="no path"):
        choose([], FRR)
