"""What is written for a router can be written again, and the way back removes all of it: both are parsed and played through."""

import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from suite.model.address import parse_range
from suite.model.advertisement import BgpAdvertisement
from suite.model.configuration import Configuration
from suite.model.node import Node
from suite.model.peer import BfdProfile, Peer
from suite.model.pool import Pool
from suite.speaker.router_bird import bird
from suite.speaker.router_config import Part, Router, router_of
from suite.speaker.router_frr import frr, unifi
from suite.speaker.router_mikrotik import mikrotik
from suite.speaker.router_opnsense import opnsense
from suite.speaker.router_vyatta import edgeos, usg
from suite.speaker.router_vyos import vyos

CONFIGURATION = Configuration(
    pools=(Pool("bgp", (parse_range("10.10.10.10-10.10.10.250"), parse_range("2001:db8:10::/112"))),),
    bgp_advertisements=(BgpAdvertisement("bgp", pools=("bgp",)),),
    bfd_profiles=(BfdProfile("fast", 150, 150),),
)
GATEWAY = Peer("gateway", 64512, 64512, address=ip_address("192.168.1.1"))
FORMS: dict[str, dict[str, Any]] = {
    "the story's": {},
    "the router connects": {"passive": True},
    "both families and BFD": {
        "address": ip_address("10.10.0.1"),
        "dual_stack_address_family": True,
        "bfd_profile": "fast",
    },
    "IPv6": {"address": ip_address("2001:db8::1")},
}
forms = pytest.mark.parametrize("changes", FORMS.values(), ids=FORMS.keys())
MANY = 60
SERVERS = (ip_address("10.10.0.53"), ip_address("2001:db8::53"))
VENDORS = (frr, unifi, bird, usg, edgeos, vyos, mikrotik, opnsense)

Path = tuple[str, ...]


def router(changes: dict[str, Any], nodes: int = 2, **more: Any) -> Router:
    known = [
        Node(f"node{number}", addresses=(ip_address(f"10.10.0.{number}"), ip_address(f"2001:db8::{number}")))
        for number in range(101, 101 + nodes)
    ]
    made = router_of(CONFIGURATION, known, replace(GATEWAY, **changes), ["service.", "k8s-dashboard."])
    assert isinstance(made, Router), made
    return replace(made, **more)


def typed(lines: Iterable[str]) -> set[Path]:
    """The settings there are after `set` and `delete` lines, each with the words before it."""
    there: set[Path] = set()
    for line in lines:
        command, *path = shlex.split(line)
        if command == "set":
            there.add(tuple(path))
        else:
            there -= {each for each in there if each[: len(path)] == tuple(path)}
    return there


def played(parts: tuple[Part, ...], part: Callable[[Part], Iterable[str]]) -> list[str]:
    return [line for each in parts for line in part(each)]


def text_of(part: Part) -> list[str]:
    return part.text.splitlines()


def back_of(part: Part) -> list[str]:
    return list(part.back)


SYSTEM_AS = {("protocols", "bgp", "system-as", "64512")}
"""What VyOS wants for any session, so that it goes with the last of them."""


@forms
@pytest.mark.parametrize(("write", "left"), [(edgeos, set()), (vyos, SYSTEM_AS)])
def test_settings_that_are_typed_are_all_deleted_again(write: Any, left: set[Path], changes: dict[str, Any]) -> None:
    parts = write(router(changes, MANY))
    there = typed(played(parts, text_of))

    assert len(there) > len(left) + 10
    assert typed([*played(parts, text_of), *played(parts, back_of)]) == left


@pytest.mark.parametrize("write", [edgeos, vyos])
def test_a_pool_that_was_taken_away_is_not_accepted_after_the_lines_are_typed_again(write: Any) -> None:
    before = router({})
    after = replace(before, accepted=before.accepted[1:])
    first, second = text_of(write(before)[0]), text_of(write(after)[0])

    assert any("10.10.10.10/31" in path for path in typed(first))
    assert not any("10.10.10.10/31" in path for path in typed([*first, *second]))


def script(lines: Iterable[str]) -> list[str]:
    """What RouterOS has of ours after the lines of a script."""
    there: list[str] = []
    for line in lines:
        menu, command, *rest = line.split(" ", 2)
        if command == "remove":
            assert rest == ['[find comment="metal-suite"]']
            there = [
                each
                for each in there
                if not (each.startswith(f"{menu} ") and re.search(r"comment=metal-suite\b", each))
            ]
        else:
            there.append(f"{menu} {rest[0]}")
    return there


@forms
def test_a_script_of_routeros_leaves_nothing_behind_and_may_run_twice(changes: dict[str, Any]) -> None:
    parts = mikrotik(router(changes, servers=SERVERS))
    once = script(played(parts, text_of))

    assert once
    assert script([*played(parts, text_of), *played(parts, text_of)]) == once
    assert script([*played(parts, text_of), *played(parts, back_of)]) == []


def made_by_frr(lines: Iterable[str]) -> set[str]:
    """What FRR's lines make, as the `no` that ends it."""
    patterns = (
        (r"((?:ip|ipv6) prefix-list \S+) .*", r"no \1"),
        (r"(route-map \S+) .*", r"no \1"),
        (r" (neighbor \S+ peer-group)", r" no \1"),
        (r" (neighbor [\d.:a-f]+) peer-group \S+", r" no \1"),
        (r" (bgp listen range .*)", r" no \1"),
        (r" (bgp listen limit) .*", r" no \1"),
        (r" (bgp router-id) .*", r" no \1"),
        (r" no (bgp default .*)", r" \1"),
        (r"  (maximum-paths .*)", r"  no \1"),
        (r" (profile .*)", r" no \1"),
    )
    found = set()
    for line in lines:
        for pattern, removal in patterns:
            match = re.fullmatch(pattern, line)
            if match:
                found.add(match.expand(removal))
    return found


@forms
def test_each_thing_that_frr_is_told_to_make_has_its_no(changes: dict[str, Any]) -> None:
    bgp = frr(router(changes, MANY))[0]
    made = made_by_frr(text_of(bgp))

    assert {line for line in bgp.back if "no " in line or "bgp default" in line} == made


@pytest.mark.parametrize("write", VENDORS)
def test_every_vendor_s_forwarder_is_given_both_servers_for_every_zone(write: Any) -> None:
    parts = write(router({}, servers=SERVERS))
    text = next((part.text for part in parts if part.name == "dns"), parts[0].text)

    for zone in ("service", "k8s-dashboard"):
        assert zone in text
        if write is not mikrotik:
            lines = [line for line in text.splitlines() if re.search(rf"[/ ]{zone}[/ ]", line)]
            assert all(any(str(server) in line for line in lines) for server in SERVERS), zone
    if write is mikrotik:
        assert "dns-servers=10.10.0.53,2001:db8::53" in text
        assert text.count("forward-to=suite ") == 2


@pytest.mark.parametrize("write", [frr, bird, edgeos, vyos, mikrotik, opnsense])
def test_the_way_back_is_told_with_the_other_instructions(write: Any) -> None:
    for part in write(router({})):
        assert part.back
        assert all(f"       {line}" in part.instructions() for line in part.back)
