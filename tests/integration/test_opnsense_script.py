"""The script for OPNsense is run by a shell against a double of the plugin's API: what it adds, adds again and removes."""

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from uuid import uuid4

import pytest

from suite.model.address import parse_range
from suite.model.advertisement import BgpAdvertisement
from suite.model.configuration import Configuration
from suite.model.node import Node
from suite.model.peer import Peer
from suite.model.pool import Pool
from suite.speaker.router_config import Router, router_of
from suite.speaker.router_opnsense import opnsense

THEIRS = {"enabled": "1", "description": "suite 4, upstream", "address": "198.51.100.1", "remoteas": "65000"}


@dataclass
class Firewall:
    """What the plugin keeps, and how its API answers: 200 even to what it does not save."""

    rows: dict[str, dict[str, dict[str, str]]] = field(
        default_factory=lambda: {"neighbor": {"theirs": THEIRS}, "prefixlist": {}}
    )
    general: dict[str, str] = field(default_factory=dict)
    reconfigured: int = 0
    refuses: str = ""

    def answer(self, path: str, document: dict[str, dict[str, str]]) -> dict[str, object]:
        verb, _, rest = path.rpartition("/api/quagga/")[2].partition("/")[2].partition("_")
        kind, _, number = rest.partition("/")
        if path.endswith("service/reconfigure"):
            self.reconfigured += 1
            return {"status": "ok"}
        if path.endswith("bgp/set"):
            self.general |= document["bgp"]
            return {"result": "saved"}
        if verb == "search":
            return {"rows": [{"uuid": name, **row} for name, row in self.rows[kind].items()]}
        if verb == "del":
            return {"result": "deleted" if self.rows[kind].pop(number, None) else "not found"}
        if kind == self.refuses:
            return {"result": "failed", "validations": {f"{kind}.network": "not valid"}}
        name = str(uuid4())
        self.rows[kind][name] = document[kind]
        return {"result": "saved", "uuid": name}


@pytest.fixture
def firewall() -> Iterator[tuple[Firewall, str]]:
    kept = Firewall()

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = json.dumps(kept.answer(self.path, json.loads(body))).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield kept, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def run(firewall: tuple[Firewall, str], tmp_path: Path):
    """Run the script as its instructions say."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not here")
    path = tmp_path / "suite.sh"

    def run(text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        path.write_text(text)
        environment = {"PATH": "/usr/bin:/bin", "OPNSENSE": firewall[1], "KEY": "key", "SECRET": "secret"}
        return subprocess.run(
            ["sh", str(path), *arguments], env=environment, capture_output=True, text=True, check=False
        )

    return run


def script(*numbers: int) -> str:
    configuration = Configuration(
        pools=(Pool("bgp", (parse_range("10.10.10.0/24"),)),), bgp_advertisements=(BgpAdvertisement("bgp"),)
    )
    nodes = [Node(f"node{number}", addresses=(ip_address(f"10.10.0.{number}"),)) for number in numbers]
    router = router_of(configuration, nodes, Peer("gateway", 64512, 64512, address=ip_address("10.10.0.1")), ())
    assert isinstance(router, Router), router
    return opnsense(router)[0].text


def ours(kept: Firewall) -> list[str]:
    return sorted(row["address"] for row in kept.rows["neighbor"].values() if row != THEIRS)


def test_each_neighbor_takes_the_pools_by_the_list_that_was_made_for_it(firewall, run):
    kept, _ = firewall

    done = run(script(101, 102))

    assert (done.returncode, done.stderr) == (0, "")
    (neighbor,) = [row for row in kept.rows["neighbor"].values() if row["address"] == "10.10.0.101"]
    taken, none = (kept.rows["prefixlist"][neighbor[name]] for name in ("linkedPrefixlistIn", "linkedPrefixlistOut"))
    assert (taken["name"], taken["action"], taken["network"]) == ("suite", "permit", "10.10.10.0/24 ge 32 le 32")
    assert (none["name"], none["action"]) == ("suite-none", "deny")
    assert (kept.general["maximumpathsibgp"], kept.reconfigured) == ("8", 1)


def test_run_again_it_replaces_what_it_wrote_and_touches_nothing_else(firewall, run):
    kept, _ = firewall
    run(script(101, 102))

    run(script(102, 103))

    assert ours(kept) == ["10.10.0.102", "10.10.0.103"]
    assert kept.rows["neighbor"]["theirs"] == THEIRS
    assert len(kept.rows["prefixlist"]) == 2


def test_the_way_back_removes_all_of_it(firewall, run):
    kept, _ = firewall
    run(script(101, 102))

    done = run(script(101, 102), "remove")

    assert done.returncode == 0
    assert kept.rows == {"neighbor": {"theirs": THEIRS}, "prefixlist": {}}


def test_what_the_firewall_does_not_save_ends_the_script_with_its_words(firewall, run):
    kept, _ = firewall
    kept.refuses = "prefixlist"

    done = run(script(101))

    assert done.returncode == 1
    assert "not valid" in done.stderr
    assert (ours(kept), kept.reconfigured) == ([], 0)
