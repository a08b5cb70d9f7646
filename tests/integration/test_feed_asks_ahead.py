"""Speakers far from the controller ask for the next free addresses too: the list travels out, what they found comes back."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address

from fix_world import load_balancer, pool, ref
from following import running, until

from suite.cluster.source import Batch
from suite.controller.credentials import create_token
from suite.controller.loop import Controller
from suite.controller.operator import Order
from suite.metrics.names import new_registry
from suite.model.configuration import Configuration, Listen, WebSettings
from suite.model.event import SYSTEM
from suite.model.status import Status
from suite.model.token import Scope
from suite.store.remote.client import Remote, fingerprint_of
from suite.store.remote.follower import Moments, RemoteFollower
from suite.web.backend import Backend
from suite.web.hosting import FeedHost, Host
from suite.web.serve import Places, open_tcp, serve

CONFIGURATION = Configuration((pool("default", "10.0.0.0/24"),), hold_time=0, cooling_time=0, digest="first")
NEXT = tuple(ip_address(f"10.0.0.{number}") for number in range(4))
MAC = "02:00:00:00:00:ff"


def now():
    return datetime.now(UTC)


@dataclass
class Site:
    """A leading controller with its feed, and a place for a follower."""

    controller: Controller
    remote: Remote
    folder: object
    probed: list[object]

    async def create(self, *names):
        services = tuple(load_balancer(name) for name in names)
        await self.controller.hear(Batch(services=services))

    def has(self, name):
        return [str(lease.address) for lease in self.controller.snapshot.bound(ref(name))]

    async def follower(self, told):
        """One that knows the first snapshot, as a machine that begins does."""

        async def tell(publication):
            told.append(publication.ahead)

        found = RemoteFollower(self.remote, self.folder, tell, Moments(lambda: 0.5, now))
        if not (await found.load()).is_complete:
            await found.meet()
        return found


@asynccontextmanager
async def led(store, folder):
    changes, token = create_token(("one", "s3cret"), "t", (Scope.SPEAKER,), Order(SYSTEM), now())
    store.commit(changes, store.read(), now=now())
    (folder / "token").write_text(token)

    async def tell(publication):
        host.tell(publication)

    def note(address):
        probed.append(address)
        controller.probed(address)

    probed = []
    controller = Controller(store, tell, new_registry(), "one", now)
    host = FeedHost(store, controller, Host(folder, WebSettings(), "", now), note)
    listener, stop = open_tcp(Listen(ip_address("127.0.0.1"), 0)), asyncio.Event()
    secured = await host.secured(listener)
    backend = Backend(lambda: controller.snapshot, Status, new_registry(), store=store,
                      following=host.following, doorkeeper=host.doorkeeper)  # fmt: skip
    await controller.load()
    tasks = [asyncio.create_task(controller.run()), asyncio.create_task(serve(backend, Places(), stop, secured))]
    url = f"https://127.0.0.1:{listener.getsockname()[1]}"
    remote = Remote(url, folder / "token", fingerprint=fingerprint_of(store.authority()[0]))
    try:
        await until(lambda: controller.is_leading)
        await controller.configure(CONFIGURATION, ())
        await controller.hear(Batch(is_full=True))
        yield Site(controller, remote, folder, probed)
    finally:
        stop.set()
        tasks[0].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def test_what_comes_next_is_told_from_the_first_answer_on_and_with_each(sqlite_db, tmp_path):
    async def story():
        told = []
        async with led(sqlite_db.open(), tmp_path) as site, running(await site.follower(told)):
            await until(lambda: told)
            await site.create("web")
            await until(lambda: len(told) > 1)
        return told

    first, *_, last = asyncio.run(story())

    assert first == NEXT
    assert last == tuple(address + 1 for address in NEXT)


def test_after_a_restart_it_is_known_though_nothing_is_new(sqlite_db, tmp_path):
    async def story():
        told = []
        async with led(sqlite_db.open(), tmp_path) as site:
            async with running(await site.follower([])):
                await until((tmp_path / "snapshot.last").exists)
            async with running(await site.follower(told)):
                await until(lambda: told)
        return told

    assert asyncio.run(story()) == [NEXT]


def test_an_address_that_a_far_speaker_found_to_be_nobodys_is_given_first(sqlite_db, tmp_path):
    async def story():
        async with led(sqlite_db.open(), tmp_path) as site:
            follower = await site.follower([])
            async with running(follower):
                follower.probed(NEXT[2])
                follower.probed(ip_address("10.0.0.77"))  # nothing that comes next
                await until(lambda: site.probed)
                await site.create("web")
                return site.probed, site.has("web")

    assert asyncio.run(story()) == ([NEXT[2]], ["10.0.0.2"])


def test_a_stranger_that_a_far_speaker_found_is_declined_before_anybody_gets_the_address(sqlite_db, tmp_path):
    async def story():
        async with led(sqlite_db.open(), tmp_path) as site:
            follower = await site.follower([])
            async with running(follower):
                await follower.decline(NEXT[0], MAC, "n1")
                await until(lambda: site.controller.snapshot.leases.get(NEXT[0]))
                await site.create("web")
                (lease,) = site.controller.snapshot.leases[NEXT[0]]
                return lease.state, lease.note, site.has("web")

    assert asyncio.run(story()) == ("declined", MAC, ["10.0.0.1"])


def test_what_is_found_while_cut_off_is_not_kept(sqlite_db, tmp_path):
    async def story():
        async with led(sqlite_db.open(), tmp_path) as site:
            follower = await site.follower([])
        async with running(follower):
            follower.probed(NEXT[1])
            await follower.decline(NEXT[0], MAC, "n1")
            await until(lambda: "not heard" in follower.trouble)
        return (tmp_path / "reports.journal").exists()

    assert asyncio.run(story()) is False
