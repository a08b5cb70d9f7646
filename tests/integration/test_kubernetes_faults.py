"""What goes wrong around a controller in a cluster, and what comes of it: every Service has one address, and says so.

The faults of single requests and streams are in `test_kubernetes_following` and `test_kubernetes_telling`; here they meet the
whole stack. Short here; with `--soak` for a minute, as the real ones last.
"""

import asyncio
import os
import random
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path

import pytest
from apiserver.app import Api, Fault
from apiserver.server import Running, running
from cluster_stack import COFFEE, Stack, address, config_map, service, until
from fix_cluster import background
from fix_db import DatabaseUnderTest

from suite.model.lease import LeaseState


def strike(api: Api, draw: random.Random) -> None:
    """One fault of the server, drawn by chance."""
    read, write = draw.choice([410, 500, 503]), draw.choice([409, 429, 500])
    match draw.randrange(6):
        case 0:
            api.cut_watches()
        case 1:
            api.objects.compact()
        case 2:
            api.faults.append(Fault("(list|watch) .*", times=draw.randint(1, 4), status=read))
        case 3:
            api.faults.append(Fault("patch .*", times=draw.randint(1, 6), status=write))
        case 4:
            api.faults.append(Fault("(patch|create) .*", times=2, delay=0.1))
        case _:
            api.faults.append(Fault("(get|list) .*", cut_after=0))


def has_settled(api: Api, stack: Stack, names: set[str]) -> bool:
    """Whether every Service says the address that the database says, each its own."""
    snapshot = stack.controller.snapshot
    bound = {lease.ref.name: str(lease.address) for lease in snapshot.open_leases() if lease.state is LeaseState.BOUND}
    told = {name: address(api, name) for name in names}
    return bound == told and len(set(told.values())) == len(names) and all(told.values())


async def churn(api: Api, draw: random.Random, seconds: float) -> set[str]:
    """Services come, change and go while one fault follows the other; those that are left."""
    names: set[str] = set()
    ends = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < ends:
        name = f"service-{draw.randrange(30)}"
        if name in names and draw.random() < 0.4:
            api.delete("services", name)
            names.discard(name)
        else:
            api.put(service(name, metadata={"name": name, "labels": {"round": str(draw.random())}}))
            names.add(name)
        strike(api, draw)
        await asyncio.sleep(0.02)
    api.faults.clear()
    return names


def storm(tmp_path: Path, seconds: float, seed: int) -> None:
    api = Api()
    api.put(config_map("10.0.42.0/24"))

    async def story() -> None:
        async with running(api) as server:
            stack = Stack(server.kubeconfig(tmp_path), f"sqlite:///{tmp_path}/suite.db")
            async with background(stack.run()):
                names = await churn(api, random.Random(seed), seconds)
                async with asyncio.timeout(60):
                    while not has_settled(api, stack, names):  # noqa: ASYNC110 - nobody sets an event for all of it
                        await asyncio.sleep(0.05)

    asyncio.run(story())


def test_after_a_storm_every_service_has_one_address_and_says_so(tmp_path):
    storm(tmp_path, 1.5, 1)


@pytest.mark.soak
@pytest.mark.timeout(180)
def test_after_a_minute_of_storm_every_service_has_one_address_and_says_so(tmp_path):
    storm(tmp_path, 60.0, 3)


def away(tmp_path: Path, database: DatabaseUnderTest, seconds: float) -> None:
    api = Api()
    api.put(config_map("10.0.42.0/24"))
    assert database.server is not None
    server_of_sql = database.server

    async def story() -> None:
        async with running(api) as server:
            stack = Stack(server.kubeconfig(tmp_path), database.url)
            stack.store_outlives_loop = True
            closing.callback(stack.store.close)
            async with background(stack.run()):
                api.put(service("before"))
                await until(lambda: address(api, "before") == "10.0.42.0")
                await asyncio.to_thread(server_of_sql.stop)
                api.put(service("meanwhile"))
                await asyncio.sleep(seconds)
                assert (address(api, "before"), address(api, "meanwhile")) == ("10.0.42.0", "")
                await asyncio.to_thread(server_of_sql.start)
                async with asyncio.timeout(40):
                    while address(api, "meanwhile") != "10.0.42.1":  # noqa: ASYNC110 - the server sets no event
                        await asyncio.sleep(0.05)

    with ExitStack() as closing:
        asyncio.run(story())


def test_a_database_that_was_away_moves_nothing_and_then_serves_who_waited(tmp_path, postgres_db):
    away(tmp_path, postgres_db, 1.0)


@pytest.mark.soak
@pytest.mark.timeout(180)
def test_a_database_that_was_away_for_a_minute_moves_nothing_and_then_serves_who_waited(tmp_path, postgres_db):
    away(tmp_path, postgres_db, 60.0)


@asynccontextmanager
async def instances(server: Running, tmp_path: Path, database: str) -> AsyncIterator[dict[str, Process]]:
    """Two controllers on one database, as two replicas run them."""
    started: dict[str, Process] = {}
    try:
        for node in ("a", "b"):
            roles = ("--role", "controller", "--role", "web")
            where = ("--kubeconfig", server.kubeconfig(tmp_path), "--state", tmp_path / node, "--node", node)
            command = (sys.executable, "-m", "suite", "run", *map(str, where), *roles, "--database", database)
            started[node] = await asyncio.create_subprocess_exec(
                *command, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL
            )
        yield started
    finally:
        for process in started.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
        await asyncio.gather(*(process.wait() for process in started.values()))


def frozen(tmp_path: Path, database: DatabaseUnderTest, seconds: float) -> None:
    """The leader is stopped while it waits to write down the address that it gives, and wakes up when a successor has given one."""
    api = Api()
    api.put(config_map("10.0.42.0/24"))

    def leader() -> str:
        rows = database.rows("SELECT instance FROM leadership") if database.rows(HAS_TABLE) else []
        return str(rows[0][0]).partition(":")[0] if rows else ""

    async def story() -> None:
        async with running(api) as server, instances(server, tmp_path, database.url) as started:
            api.put(service("before"))
            await patiently(lambda: address(api, "before") == "10.0.42.0")
            first = leader()
            with locked(database):
                api.put(service("meanwhile"))
                await patiently(lambda: database.rows(WAITING))
                os.kill(started[first].pid, signal.SIGSTOP)
                database.rows(GIVEN_UP)
            await patiently(lambda: leader() not in {"", first})
            await patiently(lambda: address(api, "meanwhile") == "10.0.42.1")
            await asyncio.sleep(seconds)
            before = len(api.calls)
            os.kill(started[first].pid, signal.SIGCONT)
            await asyncio.sleep(3.0)
            assert [call for call in api.calls[before:] if call.verb in {"patch", "create"}] == []
            assert leader() != first

    asyncio.run(story())


@pytest.mark.timeout(90)
def test_a_frozen_leader_is_succeeded_and_what_it_was_about_to_write_is_refused_when_it_wakes_up(tmp_path, postgres_db):
    frozen(tmp_path, postgres_db, 1.0)


@pytest.mark.soak
@pytest.mark.timeout(180)
def test_a_leader_frozen_for_a_minute_is_succeeded_and_writes_nothing_when_it_wakes_up(tmp_path, postgres_db):
    frozen(tmp_path, postgres_db, 45.0)


@contextmanager
def locked(database: DatabaseUnderTest) -> Iterator[None]:
    """Nobody can write anything down."""
    with database.plain() as connection, connection.transaction():
        connection.execute("SELECT 1 FROM head FOR UPDATE")
        yield


WAITING = "SELECT 1 FROM pg_locks WHERE NOT granted"
GIVEN_UP = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted"
"""What the server does of itself after some seconds to a commit that waits; the frozen one hears of it when it wakes up."""
HAS_TABLE = "SELECT 1 FROM pg_tables WHERE tablename = 'leadership'"


async def patiently(fact: Callable[[], object]) -> None:
    async with asyncio.timeout(40):
        while not fact():  # noqa: ASYNC110 - processes set no event
            await asyncio.sleep(0.1)


async def updated(api: Api, enough: asyncio.Event) -> str:
    """A Service that somebody changes a hundred times a second, fifty times at least; what it says at the end."""
    for number in count():
        api.put(service(metadata={"name": "coffee", "labels": {"round": str(number)}}))
        await asyncio.sleep(0.01)
        if number >= 50 and enough.is_set():
            return str(number)
    raise AssertionError


def test_a_service_updated_a_hundred_times_a_second_keeps_its_address_and_holds_nobody_up(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/24"))

    async def story() -> None:
        async with running(api) as server:
            stack = Stack(server.kubeconfig(tmp_path), f"sqlite:///{tmp_path}/suite.db")
            async with background(stack.run()):
                api.put(service())
                await until(lambda: address(api))
                enough = asyncio.Event()
                updates = asyncio.create_task(updated(api, enough))
                await until(lambda: stack.controller.snapshot.services[COFFEE].labels)
                api.put(service("tea"))
                await until(lambda: address(api, "tea") == "10.0.42.1")  # while the other goes on
                enough.set()
                last = (("round", await updates),)
                await until(lambda: stack.controller.snapshot.services[COFFEE].labels == last)
                assert address(api) == "10.0.42.0"

    asyncio.run(story())
    patched = [call.name for call in api.calls if (call.verb, call.resource) == ("patch", "services/status")]
    assert patched.count("coffee") == 1


def test_a_node_that_vanishes_is_no_candidate_any_more(tmp_path):
    api = Api()
    api.put(config_map("10.0.42.0/24"))
    for name in ("a", "b"):
        api.put({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})

    async def story() -> None:
        async with running(api) as server:
            stack = Stack(server.kubeconfig(tmp_path), f"sqlite:///{tmp_path}/suite.db")
            async with background(stack.run()):
                api.put(service())
                await until(lambda: address(api))
                api.delete("nodes", "a")
                await until(lambda: list(stack.controller.snapshot.nodes) == ["b"])
                assert address(api) == "10.0.42.0"

    asyncio.run(story())
