"""The API over a real socket: what it says, who may ask, and what becomes of bad questions."""

import asyncio
import contextlib
import json
import socket
import stat
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from rpds import HashTrieMap

from suite.dns.listing import records
from suite.dns.name import from_text
from suite.dns.zone import Zone
from suite.dns.zonefile import read
from suite.metrics.names import new_registry
from suite.model.address import parse_range
from suite.model.announcement import Announcement
from suite.model.changes import Changes, Closing
from suite.model.configuration import Configuration, Listen
from suite.model.event import Action, Actor, Event
from suite.model.lease import Lease, LeaseState
from suite.model.peering import SessionState
from suite.model.pool import Pool
from suite.model.problem import Problem
from suite.model.refusal import Reason, Refusal
from suite.model.service import Port, Service, ServiceRef, ServiceType
from suite.model.snapshot import Snapshot
from suite.model.status import Instance, Status
from suite.nameserver.unserved import UnservedZones
from suite.web.application import application
from suite.web.backend import Backend
from suite.web.client import ask
from suite.web.http_server import ImpatientProtocol, make_server
from suite.web.serve import Places, SocketTaken, open_tcp, open_unix, serve

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
COFFEE, TEA = ServiceRef("default", "coffee"), ServiceRef("default", "tea")


def lease(number, ref=COFFEE, state=LeaseState.BOUND):
    return Lease(ip_address(f"10.0.42.{number}"), ref, "default", state, f"service:{ref}", NOW, id=number + 1)


LEASES = (lease(0), lease(1, TEA, LeaseState.HELD))
SNAPSHOT = Snapshot(
    "epoch-1",
    7,
    NOW,
    Configuration((Pool("default", (parse_range("10.0.42.0/24"),)),), digest="d"),
    services=HashTrieMap({COFFEE: Service(COFFEE, type=ServiceType.LOAD_BALANCER, ports=(Port(8080),))}),
    leases=HashTrieMap({each.address: (each,) for each in LEASES}),
    holdings=HashTrieMap({each.ref: (each,) for each in LEASES}),
)
READY = Status((Instance("controller", "node1", "0.1.0", "epoch-1", 7),))


def zones_of(text):
    """The zone that a zone file makes."""
    return (Zone.build(from_text("service."), read(text, from_text("service."), 30).rrsets),)


class Serving:
    """A server in a thread of its own, for as long as a test lasts."""

    def __init__(self, path, backend, *more):
        self.path = path
        self._stop = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        listeners = [open_unix(path), *more]
        run = serve(backend, Places(listeners), self._stop)
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(run,))
        self._thread.start()
        # FastAPI silences a warning of pydantic's while it builds the API. A test that begins meanwhile in the other
        # thread puts the filters of warnings back, so nothing may begin before the first answer.
        ask(path, "/healthz", timeout=30)

    def get(self, target):
        status, body = ask(self.path, target, timeout=10)
        return status, json.loads(body)

    def end(self):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture
def serving(tmp_path):
    """Start servers: ``serving(status=..., snapshot=...)``."""
    started = []

    def start(*more, snapshot=SNAPSHOT, status=READY, store=None, zones=()):
        backend = Backend(lambda: snapshot, lambda: status, new_registry(), store=store, zones=lambda: zones)
        started.append(Serving(tmp_path / "suite.sock", backend, *more))
        return started[-1]

    yield start
    for each in started:
        each.end()


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """A server that tests only ask."""
    path = tmp_path_factory.mktemp("calm") / "suite.sock"
    server = Serving(path, Backend(lambda: SNAPSHOT, lambda: READY, new_registry()))
    yield server
    server.end()


def test_only_this_user_may_connect_to_the_socket(calm):
    mode = calm.path.stat().st_mode

    assert stat.S_IMODE(mode) == 0o600


def test_it_is_healthy_and_ready(calm):
    assert calm.get("/healthz") == (200, {"status": "ok"})
    assert calm.get("/readyz") == (200, {"ready": True, "reasons": {}})


def test_it_says_why_it_is_not_ready(serving):
    waiting = Instance("nameserver", "node1", "0.1.0", reasons=("no snapshot yet",))

    assert serving(status=Status((waiting,))).get("/readyz") == (
        503,
        {"ready": False, "reasons": {"nameserver@node1": ["no snapshot yet"]}},
    )


def test_status_lists_every_role_and_every_problem(serving):
    problem = Problem("address-pools[0]", "no addresses", "pool.empty", "config.yaml", 3)

    _, document = serving(status=replace(READY, problems=(problem,), is_stale=True)).get("/v1/status")

    assert [(each["role"], each["revision"], each["ready"]) for each in document["instances"]] == [
        ("controller", 7, True)
    ]
    assert document["config_stale"] is True
    assert document["troubles"] == [
        "the newest configuration is bad and kept out; what was in force before stays so",
        "config.yaml:3: address-pools[0]: no addresses",
    ]


def test_pools_tell_how_much_is_used(calm):
    _, [pool] = calm.get("/v1/pools")

    assert (pool["total"], pool["bound"], pool["held"], pool["free"]) == (256, 1, 1, 254)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        pytest.param("", ["10.0.42.0", "10.0.42.1"], id="all"),
        pytest.param("?state=held", ["10.0.42.1"], id="state"),
        pytest.param("?service=coffee", ["10.0.42.0"], id="service"),
        pytest.param("?address=10.0.42.1", ["10.0.42.1"], id="address"),
        pytest.param("?pool=other", [], id="pool"),
        pytest.param("?after=10.0.42.0", ["10.0.42.1"], id="page"),
    ],
)
def test_leases_are_found(calm, question, expected):
    _, page = calm.get(f"/v1/leases{question}")

    assert [each["address"] for each in page["leases"]] == expected


def test_a_page_of_leases_tells_where_to_go_on(calm):
    _, page = calm.get("/v1/leases?limit=1")

    assert page["next"] == "10.0.42.0"


def test_a_service_is_explained(calm):
    status, document = calm.get("/v1/services/default/coffee")

    assert (status, document["addresses"]) == (200, ["10.0.42.0"])
    assert [link["stage"] for link in document["chain"]][-1] == "answer"


def test_an_unknown_service_is_404_with_the_reason(calm):
    status, document = calm.get("/v1/services/default/tea")

    assert status == 404
    assert "10.0.42.1 is held for its return" in document["chain"][0]["text"]


@pytest.mark.parametrize(
    "target",
    [
        "/v1/leases?address=ten",
        "/v1/leases?limit=0",
        "/v1/leases?limit=many",
        "/v1/leases?service=a/b/c",
        "/v1/leases?state=gone",
    ],
)
def test_a_bad_question_is_told_what_is_wrong(calm, target):
    status, document = calm.get(target)

    assert status == 422
    assert document["error"]
    assert document["fix"]


def test_nothing_is_told_before_the_first_complete_snapshot(serving):
    status, document = serving(snapshot=Snapshot()).get("/v1/pools")

    assert (status, document["error"]) == (503, "there is no complete snapshot yet")


def test_there_is_no_plan_where_no_controller_runs(calm):
    assert calm.get("/v1/plan")[0] == 503


def test_metrics_carry_metallb_s_names(calm):
    _, page = ask(calm.path, "/metrics", timeout=10)

    assert b'metallb_allocator_addresses_in_use_total{pool="default"} 1.0' in page
    assert b'suite_pool_addresses{pool="default",state="held"} 1.0' in page
    assert b'suite_revision{role="controller"} 7.0' in page


def test_it_serves_an_address_beside_the_socket(serving):
    listener = open_tcp(Listen(ip_address("127.0.0.1"), 0))
    port = listener.getsockname()[1]
    server = serving(listener)
    server.get("/healthz")

    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200 OK")


def test_no_answer_waits_for_an_acknowledgement_of_its_first_half():
    async def accepted():
        ready = asyncio.get_running_loop().create_future()
        with open_tcp(Listen(ip_address("127.0.0.1"), 0)) as listener:
            server = await asyncio.start_server(lambda _, writer: ready.set_result(writer), sock=listener)
            async with server:
                _, client = await asyncio.open_connection(*listener.getsockname())
                writer = await ready
                option = writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                for each in (client, writer):
                    each.close()
                    await each.wait_closed()
        return option

    assert asyncio.run(accepted()) != 0


@pytest.mark.parametrize(
    "said", [b"", b"GET / HTTP/1.1\r\nHost:", b"GET /healthz HTTP/1.1\r\nHost: suite\r\n\r\nGET /"]
)
def test_a_client_that_does_not_get_on_is_let_go(said):
    class Hasty(ImpatientProtocol):
        patience = 0.05

    async def talk():
        server = make_server(application(Backend(lambda: SNAPSHOT, lambda: READY, new_registry())), Hasty)
        listener = open_tcp(Listen(ip_address("127.0.0.1"), 0))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(said)
        heard = await asyncio.wait_for(_all_of(reader), 10)
        writer.close()
        server.should_exit = True
        await serving
        return heard

    assert asyncio.run(talk()).count(b"HTTP/1.1 200 OK") == said.count(b"healthz")


async def _all_of(reader):
    """Everything until the server ends the connection, gently or not."""
    heard = b""
    with contextlib.suppress(ConnectionResetError):
        while octets := await reader.read(65536):
            heard += octets
    return heard


def test_a_second_suite_does_not_take_the_socket_of_the_first(calm):
    path = calm.path

    with pytest.raises(SocketTaken, match="another suite serves"):
        open_unix(path)


def test_a_socket_left_by_a_crash_is_replaced(tmp_path):
    open_unix(tmp_path / "suite.sock").close()

    open_unix(tmp_path / "suite.sock").close()


def test_a_file_in_the_socket_s_place_is_not_removed(tmp_path):
    (tmp_path / "suite.sock").write_text("mine")

    with pytest.raises(SocketTaken, match="is no socket"):
        open_unix(tmp_path / "suite.sock")
    assert (tmp_path / "suite.sock").read_text() == "mine"


def test_a_path_too_long_for_a_socket_is_told(tmp_path):
    with pytest.raises(OSError, match="at most 107 octets"):
        open_unix(tmp_path / ("x" * 110))


@pytest.fixture
def history(db, serving):
    """A server over a database with one reservation in its log."""
    store = db.open()
    before = store.read()
    event = Event(Action.RESERVED, TEA, ip_address("10.0.42.9"), "default", "spare", actor=Actor("operator", "anna"))
    store.commit(Changes(opened=(lease(7),), events=(event,)), before, now=NOW)
    return serving(store=store), store


def test_the_log_is_read_newest_first(history):
    server, _ = history

    status, events = server.get("/v1/events?limit=1")

    assert status == 200
    assert [(each["action"], each["service"], each["actor"], each["reason"]) for each in events] == [
        ("reserved", "default/tea", "anna", "spare")
    ]


def test_the_next_page_of_the_log_begins_behind_the_last_event(history):
    server, _ = history
    _, [newest] = server.get("/v1/events?limit=1")

    _, older = server.get(f"/v1/events?before_revision={newest['revision']}&before_n={newest['n']}")

    assert newest["prev_hash"] == older[0]["hash"]


def test_the_history_of_an_address_is_read(history):
    server, _ = history

    assert [each["service"] for each in server.get("/v1/history?address=10.0.42.7")[1]] == ["default/coffee"]
    status, document = server.get("/v1/history?address=10.0.42.7&at=2001-01-01T00:00:00")
    assert (status, document["error"].partition(" at ")[0]) == (422, "the database begins")


def test_leases_are_told_as_they_stood_at_a_time(history):
    server, store = history
    now = store.read()
    [opened] = now.open_leases()
    ended = Changes(closed=(Closing(opened, "released"),))
    store.commit(ended, now, now=now.at + timedelta(hours=1))
    then = (now.at + timedelta(minutes=1)).isoformat().replace("+00:00", "Z")

    _, page = server.get(f"/v1/leases?at={then}")

    assert [each["address"] for each in page["leases"]] == ["10.0.42.7"]
    assert server.get(f"/v1/leases?at={then}&pool=other")[1]["leases"] == []


def test_the_newest_hash_is_anchored_in_a_metric(history):
    server, store = history

    _, page = ask(server.path, "/metrics", timeout=10)

    assert f'hash="{store.events(limit=1)[0].hash}"' in page.decode()


def test_history_needs_a_database(calm):
    assert calm.get("/v1/history")[0] == 503


def test_the_next_pools_begin_behind_the_last_name(calm):
    assert [each["name"] for each in calm.get("/v1/pools?limit=1")[1]] == ["default"]
    assert calm.get("/v1/pools?after=default")[1] == []


def test_services_are_listed_a_page_at_a_time(serving):
    waiting = Service(TEA, type=ServiceType.LOAD_BALANCER, ports=(Port(443),))
    refused = {TEA: Refusal(Reason.POOL_EXHAUSTED, "pool default is full")}
    snapshot = replace(SNAPSHOT, services=SNAPSHOT.services.insert(TEA, waiting), refusals=HashTrieMap(refused))
    server = serving(snapshot=snapshot)

    _, first = server.get("/v1/services?limit=1")
    _, second = server.get(f"/v1/services?limit=1&after={first['next']}")

    [row] = first["services"]
    assert (row["service"], row["addresses"], row["ports"]) == ("default/coffee", ["10.0.42.0"], ["8080/tcp"])
    [row] = second["services"]
    assert (row["service"], row["reason"], second["next"]) == ("default/tea", "PoolExhausted", None)


@pytest.mark.parametrize(
    ("question", "expected"),
    [("?addressed=true", ["default/coffee"]), ("?addressed=false", []), ("?namespace=kube-system", [])],
)
def test_services_are_chosen(calm, question, expected):
    _, page = calm.get(f"/v1/services{question}")

    assert [each["service"] for each in page["services"]] == expected


def test_what_any_node_announces_is_told(db, serving):
    store = db.open()
    for number, node in enumerate(("compute1", "compute2")):
        store.announce(
            node, frozenset({Announcement(ip_address(f"10.0.42.{number}"), node, "layer2", "eth0")}), now=NOW
        )
    here = Status((Instance("speaker", "compute2", "0.1.0"),))

    _, told = serving(store=store, status=here).get("/v1/announcements")

    assert [(each["address"], each["node"], each["is_heard"]) for each in told] == [
        ("10.0.42.1", "compute2", True),
        ("10.0.42.0", "compute1", False),
    ]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        pytest.param("", ["fd00::1", "10.0.42.0"], id="now"),
        pytest.param("?node=compute1", ["10.0.42.0"], id="node"),
        pytest.param("?address=fd00:0::1", ["fd00::1"], id="address"),
        pytest.param("?mode=bgp", ["fd00::1"], id="mode"),
        pytest.param("?before_id=3", ["10.0.42.0"], id="page"),
        pytest.param("?at=2101-01-01T00:00:01Z", ["10.0.42.9"], id="past"),
    ],
)
def test_announcements_are_found(db, serving, question, expected):
    store, then = db.open(), datetime(2101, 1, 1, tzinfo=UTC)
    first, mine = ip_address("10.0.42.9"), ip_address("10.0.42.0")
    store.announce("compute1", frozenset({Announcement(first, "compute1", "layer2", "eth0")}), now=then)
    store.announce("compute1", frozenset({Announcement(mine, "compute1", "layer2", "eth0")}), now=then.replace(hour=1))
    other = Announcement(ip_address("fd00::1"), "compute2", "bgp", peer="router", prefix="fd00::1/128")
    store.announce("compute2", frozenset({other}), now=then.replace(hour=2))

    _, told = serving(store=store).get(f"/v1/announcements{question}")

    assert [each["address"] for each in told] == expected


def test_the_sessions_of_every_node_are_told(db, serving):
    store = db.open()
    up = SessionState("compute1", "router", "192.168.1.1", is_up=True, asn=64512)
    store.note_sessions("compute1", frozenset({up}), now=NOW)

    _, [told] = serving(store=store).get("/v1/bgp/sessions")

    assert (told["node"], told["peer"], told["is_up"], told["ended"]) == ("compute1", "router", True, None)


ZONE = """\
service. 30 IN SOA ns.service. hostmaster.service. 7 3600 600 86400 30
service. 30 IN NS ns.service.
coffee.default.service. 30 IN A 10.0.42.0
coffee.default.service. 30 IN AAAA fd00::1
tea.default.service. 30 IN A 10.0.42.1
"""


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        pytest.param("?type=a", ["10.0.42.0", "10.0.42.1"], id="type"),
        pytest.param("?name=Coffee.default.service", ["10.0.42.0", "fd00::1"], id="name"),
        pytest.param("?after=coffee.default.service", ["10.0.42.1"], id="after"),
        pytest.param("?zone=other", [], id="zone"),
    ],
)
def test_names_are_found(serving, question, expected):
    _, page = serving(zones=zones_of(ZONE)).get(f"/v1/dns{question}")

    assert [each["data"] for each in page["records"]] == expected


def test_where_no_nameserver_runs_names_are_those_of_the_newest_snapshot():
    newest = SNAPSHOT
    unserved = UnservedZones(lambda: newest)

    before = [each.data for zone in unserved.zones() for each in records(zone) if each.name.startswith("coffee.")]
    newest = replace(SNAPSHOT, leases=HashTrieMap(), holdings=HashTrieMap(), revision=8)
    after = [each.data for zone in unserved.zones() for each in records(zone) if each.type == "A"]

    assert ("10.0.42.0" in before, "10.0.42.0" in after) == (True, False)


def test_a_page_of_names_cuts_none_apart(serving):
    _, page = serving(zones=zones_of(ZONE)).get("/v1/dns?zone=service&after=default.service&limit=1")

    assert ([each["type"] for each in page["records"]], page["next"]) == (["A", "AAAA"], "coffee.default.service.")
