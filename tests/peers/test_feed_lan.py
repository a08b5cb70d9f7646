"""A controller with SQLite on one machine, speakers without a database on two others: the whole program over HTTPS."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from coffee_network import mac_of
from fix_netns import eventually, missing_for_networks, network, require_tools

sys.path.insert(0, str(Path(__file__).parents[1] / "lab"))

from l2_lan import DUAL, L2_CONFIGURATION, ProgramLan, program_lan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.net, pytest.mark.peer]

CONTROLLER, FOLLOWERS = "compute3", ("compute1", "compute2")
FEED = "10.0.10.3:7473"
VIP, VIP6 = VIPS = "10.0.42.0", "fd00:42::42:0:0"
"""Both have the same order of owners."""
NODE = """\
---
apiVersion: v1
kind: Node
metadata: {{name: {name}}}
status: {{addresses: [{{type: InternalIP, address: {address}}}]}}
"""
"""The configuration names no nodes; manifests do, as a cluster would."""
SILENT = """
table inet lab {
  chain in { type filter hook input priority 0; tcp dport 7473 drop; }
  chain out { type filter hook output priority 0; tcp sport 7473 drop; }
}
"""
"""Nobody refuses and nothing is closed: packets of the feed are lost."""


def start_controller(lan: ProgramLan) -> None:
    spawn(
        lan,
        CONTROLLER,
        *("--config", str(lan.folder / "suite.yaml"), "--manifests", str(lan.folder / "manifests")),
        *("--role", "controller", "--role", "web"),
    )


def start_follower(lan: ProgramLan, name: str) -> None:
    where = ("--token-file", str(lan.folder / f"{name}.token"), "--authority", str(lan.folder / "authority.pem"))
    spawn(lan, name, "--follow", f"https://{FEED}", *where, "--role", "speaker", "--role", "web")


def spawn(lan: ProgramLan, name: str, *words: str) -> None:
    with (lan.folder / f"{name}.log").open("a", encoding="utf-8") as log:
        command = (sys.executable, "-m", "suite", "run", "--node", name, "--state", str(lan.folder / name))
        lan.programs[name] = lan.nodes[name].spawn(*command, *words, stdout=log, env=dict(os.environ))


def controlling(lan: ProgramLan, *words: str) -> str:
    """What a command prints on the controller's machine."""
    return lan.nodes[CONTROLLER].must(
        sys.executable, "-m", "suite", *words, "--state", str(lan.folder / CONTROLLER), timeout=60
    )


def status(lan: ProgramLan, name: str) -> dict:
    command = (sys.executable, "-m", "suite", "status", "-o", "json", "--state", str(lan.folder / name))
    done = lan.nodes[name].run(*command, timeout=60)
    return json.loads(done.stdout) if done.stdout else {"instances": []}


def follows(lan: ProgramLan, name: str, revision: int) -> bool:
    return any(each["role"] == "speaker" and each["revision"] == revision for each in status(lan, name)["instances"])


def rows(lan: ProgramLan) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(lan.folder / CONTROLLER / "suite.db")) as database:
        return database.execute("SELECT address, node FROM announcement_current ORDER BY family").fetchall()


def are_answered_by(lan: ProgramLan, node: str) -> bool:
    """Whether this node, and no other, answers for both addresses."""
    return all(lan.owners(vip) == [node] for vip in VIPS)


def fall_silent(lan: ProgramLan) -> None:
    lan.nodes[CONTROLLER].must("nft", SILENT)
    code = f"import socket; socket.create_connection({(*FEED.split(':'),)}, 0.5)"
    assert "TimeoutError" in lan.nodes[FOLLOWERS[0]].python("-c", code).stderr


def be_heard_again(lan: ProgramLan) -> None:
    lan.nodes[CONTROLLER].must("nft", "delete table inet lab")


def die(lan: ProgramLan) -> None:
    lan.kill(CONTROLLER)


@pytest.fixture(scope="module")
def lan() -> Iterator[ProgramLan]:
    """The story so far: coffee has an address of each family, one of the two followers announces both."""
    if reason := missing_for_networks():
        pytest.skip(reason)
    require_tools("arping", "ndisc6", "nft")
    with network() as lab, program_lan(lab) as lan:
        configuration = f'{L2_CONFIGURATION}web: {{feed-listen: "{FEED}"}}\n'
        (lan.folder / "suite.yaml").write_text(configuration, encoding="utf-8")
        lan.write("nodes", "".join(NODE.format(name=name, address=each) for name, each in lan.addresses.items()))
        lan.serve("coffee", DUAL)
        start_controller(lan)
        there = eventually((lan.folder / CONTROLLER / "controller.pem").exists, within=20, every=0.1)
        assert there, lan.log()
        (lan.folder / "authority.pem").write_text(controlling(lan, "token", "authority"))
        for name in FOLLOWERS:
            token = controlling(lan, "token", "create", "--role", "speaker", "--node", name)
            (lan.folder / f"{name}.token").write_text(token)
            start_follower(lan, name)
        first = next(name for name in lan.ranked(VIP) if name in FOLLOWERS)
        assert eventually(lambda: are_answered_by(lan, first), within=40, every=0.1), lan.log()
        yield lan


def test_one_of_the_followers_announces_it(lan: ProgramLan) -> None:
    owner = lan.owner(VIP)

    assert owner in FOLLOWERS
    assert are_answered_by(lan, owner)


def test_who_announces_stands_in_the_controllers_database(lan: ProgramLan) -> None:
    owner = lan.owner(VIP)

    assert eventually(lambda: rows(lan) == [(VIP, owner), (VIP6, owner)], within=10, every=0.1), lan.log()


def test_no_follower_has_a_database(lan: ProgramLan) -> None:
    assert [name for name in FOLLOWERS if list((lan.folder / name).glob("*.db"))] == []


def test_the_kept_snapshot_is_for_its_owner_alone(lan: ProgramLan) -> None:
    kept = lan.folder / FOLLOWERS[0] / "snapshot.last"

    assert eventually(kept.exists, within=10, every=0.1)
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_follower_without_its_token_is_told_nothing(lan: ProgramLan) -> None:
    url = f"https://{FEED}/v1/snapshot"
    code = f"import ssl,urllib.request as u; u.urlopen({url!r}, context=ssl._create_unverified_context())"

    assert "401" in lan.nodes["compute1"].python("-c", code).stderr


@pytest.mark.parametrize(
    ("cut_off", "mend"),
    [pytest.param(fall_silent, be_heard_again, id="silent network"), pytest.param(die, start_controller, id="killed")],
)
def test_cut_off_from_the_controller_another_node_takes_over_and_a_restart_goes_on(
    lan: ProgramLan, cut_off: Callable[[ProgramLan], None], mend: Callable[[ProgramLan], None]
) -> None:
    owner = lan.owner(VIP)
    other = next(name for name in FOLLOWERS if name != owner)
    kept = lan.folder / owner / "snapshot.last"
    assert eventually(kept.exists, within=10, every=0.1)
    cut_off(lan)

    lan.kill(owner)
    assert eventually(lambda: are_answered_by(lan, other), within=15, every=0.1), lan.log()

    start_follower(lan, owner)  # from its disk alone
    assert eventually(lambda: all(mac_of(owner) in lan.told(vip) for vip in VIPS), within=30, every=0.2), lan.log()

    mend(lan)
    assert eventually(lambda: rows(lan) == [(VIP, owner), (VIP6, owner)], within=30, every=0.2), lan.log()
    assert VIP in controlling(lan, "lease", "list")
