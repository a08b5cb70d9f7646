"""What is written for FRR and BIRD is read by the real daemons, in every form it can have."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from fix_netns import NetLab, require_tools
from routers import BIRD_HEAD, BgpLab

from suite.model.address import parse_range
from suite.model.advertisement import BgpAdvertisement
from suite.model.configuration import Configuration
from suite.model.node import Node
from suite.model.peer import BfdProfile, Peer
from suite.model.pool import Pool
from suite.speaker.router_bird import bird
from suite.speaker.router_config import Router, router_of
from suite.speaker.router_frr import frr

pytestmark = pytest.mark.peer

NODES = (
    Node("node1", addresses=(ip_address("10.9.0.2"), ip_address("2001:db8:9::2"))),
    Node("node2", addresses=(ip_address("10.9.0.3"), ip_address("2001:db8:9::3"))),
)
CONFIGURATION = Configuration(
    pools=(Pool("bgp", (parse_range("10.10.10.10-10.10.10.250"), parse_range("2001:db8:10::/64"))),),
    bgp_advertisements=(
        BgpAdvertisement("each", pools=("bgp",)),
        BgpAdvertisement("whole", pools=("bgp",), aggregation_length=24, aggregation_length_v6=64),
    ),
    bfd_profiles=(BfdProfile("fast", 150, 150, 3, minimum_ttl=60),),
)
BESIDE, BEYOND = ip_address("10.9.0.1"), ip_address("192.168.1.1")
FORMS: dict[str, dict[str, Any]] = {
    "the story's": {"address": BEYOND},
    "beside, with BFD": {"address": BESIDE, "bfd_profile": "fast"},
    "beside, with BFD and graceful restart": {"address": BESIDE, "bfd_profile": "fast", "graceful_restart": True},
    "beyond, with BFD": {"address": BEYOND, "bfd_profile": "fast"},
    "external": {"address": BESIDE, "asn": 64513},
    "external, many hops, BFD": {"address": BEYOND, "asn": 64513, "ebgp_multihop": True, "bfd_profile": "fast"},
    "both families": {"address": BESIDE, "dual_stack_address_family": True},
    "IPv6": {"address": ip_address("2001:db8:9::1")},
    "the router connects": {"address": BEYOND, "passive": True},
    "with a password": {"address": BEYOND, "password": "sesame"},
    "no hold time": {"address": BEYOND, "hold_time": 0.0},
    "large AS numbers": {"address": BEYOND, "asn": 4200000001, "my_asn": 4200000002},
    "near, by its TTL": {"address": BESIDE, "asn": 64513, "ttl_security": 1},
    "inside the AS and near, by its TTL": {"address": BEYOND, "ttl_security": 1},
}
forms = pytest.mark.parametrize("changes", FORMS.values(), ids=FORMS.keys())


def router(changes: dict[str, Any]) -> Router:
    made = router_of(CONFIGURATION, NODES, replace(Peer("gateway", 64512, 64512), **changes), ["service."])
    assert isinstance(made, Router), made
    return made


@forms
def test_bird_reads_it(changes: dict[str, Any], tmp_path: Path) -> None:
    require_tools("bird")
    path = tmp_path / "bird.conf"
    path.write_text(BIRD_HEAD + bird(router(changes))[0].text, encoding="utf-8")

    done = subprocess.run(["bird", "-p", "-c", str(path)], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, ""), done.stderr + path.read_text(encoding="utf-8")


@pytest.mark.net
def test_frr_reads_all_of_it_and_forgets_all_of_it_on_the_way_back(netlab: NetLab, tmp_path: Path) -> None:
    lab = BgpLab(netlab, tmp_path)
    daemons = lab.frr("", bfd=True)
    said: dict[str, str] = {}
    left: dict[str, list[str]] = {}

    for name, changes in FORMS.items():
        made = router(changes)
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write(frr(made)[0].text)
            file.flush()
            done = lab.router.run("vtysh", "--vty_socket", str(daemons.folder), "-f", file.name)
        said[name] = done.stdout + done.stderr
        assert "neighbor suite remote-as" in daemons.vtysh("show running-config"), name
        said[name] += daemons.vtysh(*frr(made)[0].back)
        left[name] = [
            line for line in settings(daemons.vtysh("show running-config")) if line != f"router bgp {made.asn}"
        ]
        daemons.vtysh("configure terminal", f"no router bgp {made.asn}")

    assert {name: text for name, text in said.items() if "%" in text or "rror" in text} == {}
    assert {name: lines for name, lines in left.items() if lines} == {}


WORDS = ("route-map", "ip prefix-list", "ipv6 prefix-list", "profile", "neighbor", "bgp", "maximum-paths", "router bgp")


def settings(running: str) -> list[str]:
    """The lines of FRR's configuration about BGP, BFD and filters; FRR keeps an empty `bfd`."""
    return [line for line in running.splitlines() if line.strip().startswith(WORDS)]
