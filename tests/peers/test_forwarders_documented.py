"""The forwarders of docs/forwarders.md, started with the lines of that page, in front of the running program.

All of them are watched while the same names come, change and go.  How long each may take follows from what the suite
serves: the TTL of what was asked before the change, or the negative TTL of its denial (RFC 2308 section 5).
"""

from __future__ import annotations

import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING

import dns.message
import dns.query
import dns.rdatatype
import pytest
from dns_running import running
from fix_netns import eventually, require_tools
from forwarders_running import FRONTS, PAGE, fill_root, started
from suite_running import RunningSuite, ask, daemon, is_installed, running_suite

from suite.cli.forwarder import Subject, judge
from suite.cli.forwarder_lines import Product
from suite.cli.forwarder_probes import hear
from suite.dns.catalogue import Zones
from suite.dns.name import from_text
from suite.dns.rdata import parse_rdata
from suite.dns.rrset import RRset
from suite.dns.zone import Zone
from suite.model.configuration import Listen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from fix_netns import Namespace, NetLab

pytestmark = pytest.mark.peer

MARGIN = 4.0
"""Seconds over the TTL: caches count in whole seconds (1 s), and the machine may be busy."""
STARTING = 20.0
"""Seconds that a forwarder may take from its start to its first answer."""
KEEPER = "smartdns-with-its-cache"
"""SmartDNS without the page's last line."""

Question = tuple[str, str]
Answer = tuple[str, list[str]]
COFFEE, TEA = ("coffee.default.service", "A"), ("tea.default.service", "A")
FIRST, SECOND = ("20.42.0.10.in-addr.arpa", "PTR"), ("21.42.0.10.in-addr.arpa", "PTR")
SOA, NS = (parse_rdata(*each, from_text(".")) for each in ((6, ". . 1 60 10 80 5"), (2, "ns.")))
ROOT_ALONE = Zones.of(
    [Zone.build(from_text("."), [RRset(from_text("."), 6, 5, (SOA,)), RRset(from_text("."), 2, 5, (NS,))])]
)
"""A root where no zone is but itself."""
POINTER, DENIED = ("NOERROR", ["tea.default.service."]), ("NXDOMAIN", [])


@dataclass(slots=True)
class Lab:
    """A suite and the forwarders in front of it: where each answers, and what it said too late."""

    suite: RunningSuite
    places: dict[str, tuple[str, int]] = field(default_factory=dict)
    late: dict[str, list[str]] = field(default_factory=dict)
    entered: Callable[[], AbstractContextManager[None]] = nullcontext
    """The way into the network of all of them."""

    def ask(self, forwarder: str, name: str, rtype: str = "A") -> Answer:
        address, port = self.places.get(forwarder, ("127.0.0.1", self.suite.port))
        with self.entered():
            return ask(port, name, rtype, address=address)

    def follow(self, change: Callable[[], None], expected: dict[Question, Answer]) -> None:
        """Fill every cache, make a change, and see whether each forwarder that was in time so far is again."""
        watched = [each for each, late in self.late.items() if not late]
        kept = {question: self.served_for(question) for question in expected}
        with ThreadPoolExecutor(len(watched)) as threads:
            list(threads.map(lambda each: [self.ask(each, *question) for question in expected], watched))
            change()
            for question, answer in expected.items():
                assert eventually(lambda q=question, a=answer: self.ask("suite", *q) == a, STARTING, 0.02), question
            start = time.monotonic()
            found = threads.map(lambda each: self.late_ones(each, expected, kept, start), watched)
            self.late.update(zip(watched, found, strict=True))

    def late_ones(
        self, forwarder: str, expected: dict[Question, Answer], kept: dict[Question, float], start: float
    ) -> list[str]:
        """What a forwarder does not say when its time is up."""
        late = []
        for question, answer in expected.items():
            left = start + kept[question] + MARGIN - time.monotonic()
            if not eventually(lambda q=question, a=answer: self.ask(forwarder, *q) == a, left, 0.05):
                late.append(f"{question}: {self.ask(forwarder, *question)}, not {answer}")
        return late

    def served_for(self, question: Question) -> float:
        """Seconds that the suite lets anybody keep what it answers now."""
        with self.entered():
            reply = dns.query.udp(dns.message.make_query(*question), "127.0.0.1", 2, self.suite.port)
        if reply.answer:
            return reply.answer[0].ttl
        (soa,) = (each for each in reply.authority if each.rdtype == dns.rdatatype.SOA)
        return min(soa.ttl, soa[0].minimum)

    def start(self, folder: Path, stack: ExitStack, *, asks_port_53: bool) -> None:
        """All forwarders of one kind, side by side."""
        wanted = {name: (front, "") for name, front in FRONTS.items() if front.asks_port_53 is asks_port_53}
        if not asks_port_53:
            wanted[KEEPER] = FRONTS["smartdns"], "cache-size 0"
        for number, (name, (front, without)) in enumerate(wanted.items(), 2):
            if is_installed(front.program):
                address = f"127.0.0.{number}" if asks_port_53 else "127.0.0.1"
                port = stack.enter_context(started(front, folder / name, self.suite.port, address, without))
                self.places[name], self.late[name] = (address, port), []
        for name in self.places:
            is_up = eventually(lambda each=name: self.ask(each, *COFFEE)[0] == "NOERROR", STARTING, 0.1)
            assert is_up, (folder / name / "log").read_text()[-3000:]


def tell_a_story(lab: Lab) -> None:
    """A Service comes, gets another address, and goes."""
    suite = lab.suite
    lab.follow(lambda: suite.put("tea", "10.0.42.20"), {TEA: ("NOERROR", ["10.0.42.20"]), FIRST: POINTER})
    changed = {TEA: ("NOERROR", ["10.0.42.21"]), FIRST: DENIED, SECOND: POINTER}
    lab.follow(lambda: suite.put("tea", "10.0.42.21"), changed)
    lab.follow(lambda: suite.remove("tea"), {TEA: DENIED, SECOND: DENIED})


@contextmanager
def lab_in(folder: Path, *, asks_port_53: bool = False, host: Namespace | None = None) -> Iterator[Lab]:
    """A suite and all forwarders of one kind, after the story."""
    folder.chmod(0o777)
    with ExitStack() as stack, host.entered() if host else nullcontext():
        suite = stack.enter_context(running_suite(folder / "suite", port=53 if asks_port_53 else 0))
        suite.put("board", "10.0.42.9", hostname="dashboard")
        suite.wait("dashboard.service", "10.0.42.9")
        lab = Lab(suite, entered=host.entered if host else nullcontext)
        lab.start(folder, stack, asks_port_53=asks_port_53)
        tell_a_story(lab)
        yield lab


@pytest.fixture(scope="module")
def any_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab_in(tmp_path_factory.mktemp("forwarders")) as lab:
        yield lab


@pytest.fixture(scope="module")
def port_53(tmp_path_factory: pytest.TempPathFactory, module_netlab: NetLab) -> Iterator[Lab]:
    host = module_netlab.namespace("home")
    with lab_in(tmp_path_factory.mktemp("forwarders"), asks_port_53=True, host=host) as lab:
        yield lab


@pytest.fixture(
    params=[
        pytest.param(name, marks=[pytest.mark.net] if front.asks_port_53 else [])
        for name, front in sorted(FRONTS.items())
    ]
)
def forwarder(request: pytest.FixtureRequest) -> tuple[Lab, str]:
    """One forwarder of the page, and where it runs."""
    front = FRONTS[request.param]
    require_tools(front.program)
    return request.getfixturevalue("port_53" if front.asks_port_53 else "any_port"), request.param


def test_names_addresses_and_bare_names_are_found_through_the_forwarder(forwarder: tuple[Lab, str]) -> None:
    lab, name = forwarder

    assert lab.ask(name, "coffee.default.service") == ("NOERROR", ["10.0.42.1"])
    assert lab.ask(name, "coffee.default.service", "AAAA") == ("NOERROR", [])
    assert lab.ask(name, "coffee.default.service", "HTTPS") == ("NOERROR", [])
    srv = ("NOERROR", ["0 100 80 coffee.default.service."])
    assert lab.ask(name, "_http._tcp.coffee.default.service", "SRV") == srv
    assert lab.ask(name, "default.service") == ("NOERROR", [])
    assert lab.ask(name, "nobody.default.service") == ("NXDOMAIN", [])
    assert lab.ask(name, "1.42.0.10.in-addr.arpa", "PTR") == ("NOERROR", ["coffee.default.service."])
    assert lab.ask(name, "dashboard") == ("NOERROR", ["10.0.42.9"])
    assert lab.ask(name, "dashboard.service") == ("NOERROR", ["10.0.42.9"])


def test_new_changed_and_removed_names_are_seen_within_the_ttl(forwarder: tuple[Lab, str]) -> None:
    lab, name = forwarder

    assert lab.late[name] == []


def test_smartdns_with_its_cache_denies_a_new_name_longer_than_the_zone_allows(any_port: Lab) -> None:
    require_tools("smartdns")

    assert f"{TEA}: {DENIED}, not {('NOERROR', ['10.0.42.20'])}" in any_port.late[KEEPER]


@pytest.mark.net
@pytest.mark.parametrize("name", ["dnscache", "dqcache"])
def test_a_forwarder_of_port_53_is_mended_by_the_lines_that_the_doctor_prints(
    name: str, port_53: Lab, tmp_path: Path
) -> None:
    require_tools(name)
    tmp_path.chmod(0o777)
    address = "127.0.0.9"
    here, place = Listen(ip_address("127.0.0.1"), 53), Listen(ip_address(address), 53)
    names = "coffee.default.service.", "service.", "A", ("10.0.42.1",)
    about = Subject(*names, here, "1.42.0.10.in-addr.arpa.", "42.0.10.in-addr.arpa.")
    fill_root(tmp_path / "root", "echo 127.0.0.99 > servers/@")
    told = []
    for _ in range(3):
        command = [part.format(work=tmp_path, address=address) for part in FRONTS[name].command]
        root = running(ROOT_ALONE, processes=False, listen=[("127.0.0.99", 53)])
        with port_53.entered(), root, daemon(command, tmp_path):
            assert eventually(
                lambda: ask(53, "1.0.0.127.in-addr.arpa", "PTR", address=address)[0] == "NOERROR", STARTING
            )
            (heard,) = hear([place], about, Product.DNSCACHE)
        told.append([remark.text for remark in judge(heard, about)])
        for remark in judge(heard, about):
            subprocess.run(["sh", "-ec", remark.fix.partition("dnscache: ")[2]], cwd=tmp_path / "root", check=True)

    assert told == [
        ["127.0.0.9:53 does not forward zone service to 127.0.0.1:53 (NXDOMAIN)"],
        ["127.0.0.9:53 does not forward the reverse zone 42.0.10.in-addr.arpa. (NXDOMAIN)"],
        [],
    ]


def test_every_forwarder_of_the_page_is_tested_or_says_that_it_is_not() -> None:
    sections = re.findall(
        r"^## ([A-Z][^\n:]*)\n(.*?)(?=^## |\Z)", PAGE.split("## dnsmasq")[1], re.DOTALL | re.MULTILINE
    )
    tested = {front.heading for front in FRONTS.values()}

    assert [
        name for name, text in sections if name not in tested and not re.search(r"\*(Untested|The lines)", text)
    ] == ["When there is no forwarder"]
