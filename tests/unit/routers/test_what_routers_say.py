"""Nodes that a router lacks and AS numbers it has wrong are found in what routers print themselves, not only in our own words."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from suite.model.configuration import Configuration
from suite.model.node import Node
from suite.model.peer import Peer
from suite.speaker.router_config import Router, router_of
from suite.speaker.router_diff import differences

NODES = (
    Node("node1", addresses=(ip_address("10.10.0.101"),)),
    Node("node2", addresses=(ip_address("10.10.0.102"),)),
    Node("far", addresses=(ip_address("10.20.0.7"),)),
)
GATEWAY = Peer("gateway", 64512, 64512, address=ip_address("192.168.1.1"))
FAR = "node far (10.20.0.7) is no neighbor of the router"
WRONG = "node node2 (10.10.0.102) is expected with AS number 64999; the suite has 64512"

FRR_RUNNING = """\
Current configuration:
!
frr version 8.4.4
router bgp 64512
 bgp router-id 192.168.1.1
 neighbor upstream peer-group
 neighbor upstream remote-as 65000
 neighbor nodes peer-group
 neighbor nodes remote-as internal
 neighbor 198.51.100.1 peer-group upstream
 neighbor 10.10.0.102 remote-as 64999
 bgp listen range 10.10.0.0/24 peer-group nodes
 !
 address-family ipv4 unicast
  neighbor nodes activate
 exit-address-family
exit
"""
EDGEOS_SHOWN = """\
protocols {
    bgp 64512 {
        neighbor 10.10.0.101 {
            remote-as 64512
            soft-reconfiguration {
                inbound
            }
        }
        neighbor 10.10.0.102 {
            remote-as 64999
        }
        parameters {
            router-id 192.168.1.1
        }
    }
}
"""
VYOS_SHOWN = """\
protocols {
    bgp {
        listen {
            range 10.10.0.0/24 {
                peer-group "nodes"
            }
        }
        neighbor 10.10.0.102 {
            remote-as "64999"
        }
        peer-group nodes {
            remote-as "64512"
        }
        system-as "64512"
    }
}
"""
VYOS_COMMANDS = """\
set protocols bgp neighbor 10.10.0.101 peer-group 'nodes'
set protocols bgp neighbor 10.10.0.102 remote-as '64999'
set protocols bgp neighbor 10.10.0.102 description 'a node's name is not closed
set protocols bgp peer-group nodes remote-as 'internal'
set protocols bgp system-as '64512'
"""
ROUTEROS_EXPORT = """\
# 2026-11-22 by RouterOS 7.20.4
/routing bgp instance
add as=64512 name=main router-id=192.168.1.1
/routing bgp connection
add instance=main local.address=192.168.1.1 .role=ibgp name=node1 \\
    remote.address=10.10.0.101/32 .as=64512
add instance=main local.role=ebgp name=node2 remote.address=10.10.0.102 .as=64999
add disabled=yes instance=main local.role=ibgp name=off remote.address=10.20.0.7 .as=64512
"""
BIRD_FILE = """\
# protocol bgp far { neighbor 10.20.0.7 as 64512; }
/* protocol bgp far {
     neighbor 10.20.0.7 as 64512;
   } */
template bgp nodes {
  local 192.168.1.1 as 64512;
  ipv4 { import all; export none; };
}
protocol bgp node1 from nodes {
  neighbor 10.10.0.101 internal;
}
protocol bgp node2 from nodes {
  neighbor 10.10.0.102 port 179
    as 64999;
}
"""
OPNSENSE_ANSWER = """\
{"bgp": {"enabled": "1", "asnumber": "64512", "neighbors": {"neighbor": {
  "1f0e": {"enabled": "1", "address": "10.10.0.101", "remoteas": "64512"},
  "2a9c": {"enabled": "1", "address": "10.10.0.102", "remoteas": "64999"},
  "3b77": {"enabled": "0", "address": "10.20.0.7", "remoteas": "64512"}}}}}
"""
GATEWAY_JSON = """\
{"protocols": {"bgp": {"64512": {"neighbor": {
  "10.10.0.101": {"remote-as": "64512"}, "10.10.0.102": {"remote-as": 64999}}}}}}
"""
SAID = {
    "FRR's running-config": FRR_RUNNING,
    "EdgeOS's show configuration": EDGEOS_SHOWN,
    "VyOS's show configuration": VYOS_SHOWN,
    "VyOS's show configuration commands": VYOS_COMMANDS,
    "RouterOS's export": ROUTEROS_EXPORT,
    "a file of BIRD": BIRD_FILE,
    "the answer of OPNsense's API": OPNSENSE_ANSWER,
    "a config.gateway.json": GATEWAY_JSON,
}


def router(**changes: object) -> Router:
    made = router_of(Configuration(), NODES, replace(GATEWAY, **changes), ())
    assert isinstance(made, Router), made
    return made


@pytest.mark.parametrize("text", SAID.values(), ids=SAID.keys())
def test_the_node_it_lacks_and_the_wrong_as_number_are_named_and_nothing_else(text: str) -> None:
    assert differences(router(), text) == [WRONG, FAR]


@pytest.mark.parametrize("text", SAID.values(), ids=SAID.keys())
def test_the_router_s_own_as_number_is_read(text: str) -> None:
    (own, *_) = differences(router(asn=64600), text)

    assert own == "the router's own AS number is 64512; the suite's peer gateway has 64600"


def test_the_smallest_range_around_a_node_counts() -> None:
    text = """\
router bgp 64512
 neighbor all peer-group
 neighbor all remote-as 65000
 neighbor nodes peer-group
 neighbor nodes remote-as 64512
 bgp listen range 10.0.0.0/8 peer-group all
 bgp listen range 10.10.0.0/24 peer-group nodes
"""

    assert differences(router(), text) == [
        "node far (10.20.0.7) is expected with AS number 65000; the suite has 64512",
    ]


@pytest.mark.parametrize("text", ["", "hello", "router bgp 64512", "set protocols bgp 'x", "[1, 2]", "{}"])
def test_a_file_that_says_nothing_lacks_every_node(text: str) -> None:
    assert differences(router(), text) == [
        "node node1 (10.10.0.101) is no neighbor of the router",
        "node node2 (10.10.0.102) is no neighbor of the router",
        FAR,
    ]
