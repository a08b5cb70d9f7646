"""Both manifests in a cluster of two nodes: each pod, started as install.yaml says and with no more rights, does its part."""

from collections.abc import Iterator

import pytest
from deploy_files import installed
from deployed import PATIENCE, Cluster, answerers, cluster, load_balancer, run_everything
from fix_netns import eventually, missing_for_networks, network

pytestmark = pytest.mark.net

NODES = {"node1": "10.0.10.1", "node2": "10.0.10.2"}
COFFEE, NAMESERVER = "10.0.42.0", "10.0.42.53"
NET_RAW = 1 << 13
"""CAP_NET_RAW of capabilities(7)."""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if reason := missing_for_networks():
        pytest.skip(reason)
    with network() as lab, cluster(lab, tmp_path_factory.mktemp("cluster"), installed(), NODES) as here:
        run_everything(here)
        yield here


def test_every_pod_becomes_ready_by_its_own_probes(found: Cluster) -> None:
    assert eventually(found.are_ready, PATIENCE, 0.1), found.logs()


def test_before_a_follower_knows_the_controller_it_lives_and_is_not_ready(found: Cluster) -> None:
    assert found.early == dict.fromkeys(("speaker-node1", "nameserver-node1", "speaker-node2", "nameserver-node2"), 503)


def test_the_service_has_its_address_in_its_status(found: Cluster) -> None:
    status = found.api.look("services", "coffee")["status"]

    assert [each["ip"] for each in status["loadBalancer"]["ingress"]] == [COFFEE]


def test_one_node_answers_for_the_address(found: Cluster) -> None:
    assert eventually(lambda: found.owner(COFFEE), PATIENCE, 0.1), found.logs()


@pytest.mark.parametrize("over", ["+notcp", "+tcp"])
def test_the_name_is_answered_on_port_53_of_the_address_reserved_for_the_nameservers(found: Cluster, over: str) -> None:
    assert eventually(lambda: found.names("coffee.default.service", NAMESERVER, over=over) == COFFEE, PATIENCE, 0.1), (
        found.logs()
    )


def test_the_zones_own_nameserver_is_at_that_address(found: Cluster) -> None:
    assert found.names("ns.service", NAMESERVER) == NAMESERVER


def test_an_address_that_nobody_leased_is_nobodys(found: Cluster) -> None:
    assert answerers(found.laptop, "10.0.42.99") == set()


def test_only_speakers_are_root_and_they_have_one_capability(found: Cluster) -> None:
    held = {pod.name.partition("-")[0]: pod.privileges() for pod in found.pods.values()}

    assert held == {"controller": {(65532, 0)}, "nameserver": {(65532, 0)}, "speaker": {(0, NET_RAW)}}


def test_a_token_is_reviewed_when_it_is_first_seen_and_not_with_each_question(found: Cluster) -> None:
    reviews = [call for call in found.api.calls if call.resource == "tokenreviews"]

    assert 1 <= len(reviews) <= 2 * 2 * len(NODES)  # the feed and the reports of a pod may come at once


def test_only_the_controller_has_a_database(found: Cluster) -> None:
    states = {name: found.folder / name / "volumes/state/state" for name in found.pods}

    assert [name for name, state in states.items() if (state / "suite.db").exists()] == ["controller"]


def test_the_controllers_status_tells_of_every_pod(found: Cluster) -> None:
    header, *lines = found.pods["controller"].suite("status", "-o", "csv").splitlines()

    assert header.startswith("role,node,")
    assert sorted(tuple(line.split(",")[:2]) for line in lines if ",node" in line) == [
        ("controller", "node1"),
        ("nameserver", "node1"),
        ("nameserver", "node2"),
        ("speaker", "node1"),
        ("speaker", "node2"),
        ("web", "node1"),
    ]


def test_the_controller_explains_a_service_from_its_wish_to_its_answer(found: Cluster) -> None:
    lines = found.pods["controller"].suite("explain", "default/coffee", "-o", "csv").splitlines()

    verdicts = dict(line.split(",")[:2] for line in lines[1:])
    assert verdicts.items() >= {"address": "ok", "announcement": "ok", "name": "ok", "answer": "ok"}.items(), lines


def test_a_person_may_ask_a_speaker_how_it_is_and_what_its_node_lacks(found: Cluster) -> None:
    speaker = found.pods["speaker-node1"]

    assert speaker.suite("status", "-o", "csv").splitlines()[1].startswith("speaker,node1,")
    assert eventually(lambda: "this machine follows a controller" in speaker.suite("doctor"), PATIENCE, 0.1)


def test_the_controllers_probes_tell_nothing_of_the_api(found: Cluster) -> None:
    address = found.addresses["controller"]

    asked = found.laptop.run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://{address}:17953/v1/leases")

    assert asked.stdout == "404"


def test_whoever_has_no_token_is_told_nothing_by_the_feed(found: Cluster) -> None:
    address = found.addresses["controller"]

    asked = found.laptop.run(
        "curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", f"https://{address}:7473/v1/leases"
    )

    assert asked.stdout == "401"


AWAY = """
table inet away {{
  chain questions {{
    type filter hook input priority filter
    tcp dport {port} reject with tcp reset
  }}
}}
"""


def test_an_api_server_that_is_away_takes_neither_names_nor_addresses_and_is_found_again(found: Cluster) -> None:
    rules = AWAY.format(port=found.environment["KUBERNETES_SERVICE_PORT"])
    assert found.master.run("nft", "-f", "-", stdin=rules).returncode == 0
    found.api.cut_watches()
    assert eventually(lambda: "cannot be read" in found.pods["controller"].suite("status"), PATIENCE, 0.2)

    assert found.names("coffee.default.service", NAMESERVER) == COFFEE
    assert found.owner(COFFEE)

    found.master.must("nft", "delete", "table", "inet", "away")
    found.api.put(load_balancer("tea"))
    assert eventually(lambda: found.names("tea.default.service", NAMESERVER), 2 * PATIENCE, 0.2), found.logs()


def test_names_and_addresses_outlive_the_controller(found: Cluster) -> None:
    """The last test: it ends the controller."""
    found.pods["controller"].end()

    assert found.names("coffee.default.service", NAMESERVER) == COFFEE
    assert found.owner(COFFEE)
