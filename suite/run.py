"""Starting the roles: the one file that knows all of them.

    source -> controller -> commit --.
    the database of another's commit -+-> Publication -> nameserver, speaker
    the feed of another's database --'
    web asks for the newest snapshot and the status

Where publications come from is an `Origin`: the controller of this process, or something that follows one elsewhere.  It
tells; the roles never call each other.  What takes long to import (the web framework, a cluster's client, scapy) is
imported where it is started, after DNS answers.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING

from suite import __version__
from suite.cluster.connection import Lost
from suite.config.document import Document
from suite.controller.configuration_file import Mark, combined, mark_of, read_documents
from suite.controller.orders import Orders
from suite.greeting import greeting
from suite.metrics.names import new_registry
from suite.model.address import Address
from suite.model.configuration import Configuration, Listen
from suite.model.explain import Live
from suite.model.peering import SessionState
from suite.model.publication import Origin, Publication
from suite.model.snapshot import Snapshot
from suite.model.status import Fellow, Instance, Status
from suite.nameserver.last_names import LastNames
from suite.nameserver.loop import Nameserver
from suite.nameserver.places import everywhere
from suite.nameserver.refused import RefusedNames
from suite.speaker.last_plan import LastPlan
from suite.store import keepsake, open_store, read_seal_key
from suite.store.errors import StoreError
from suite.store.remote.client import Remote
from suite.web.hosting import FeedHost, Host
from suite.web.serve import NoSocket, Places, open_tcp, open_unix
from suite.web.waiting import WaitingRoom

if TYPE_CHECKING:
    from socket import socket

    from suite.controller.intake import Intake
    from suite.controller.loop import Controller
    from suite.speaker.loop import Speaker
    from suite.store.remote.follower import RemoteFollower
    from suite.store.store import Store

EXIT_OK, EXIT_FAULT, EXIT_UNAVAILABLE = 0, 1, 3
SOCKET = "suite.sock"
DATABASE = "suite.db"
MEETING_INTERVAL = 1.0
"""Seconds between two looks at who else runs on the database; nothing is written while this process says the same."""

_log = logging.getLogger("suite")


class NoStateDirectory(OSError):  # noqa: N818 - an outcome at start, told to a person
    """The state directory is not there and cannot be made."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command line of ``suite run`` says."""

    state: Path
    config: Path | None = None
    manifests: Path | None = None
    kubeconfig: str = ""
    """A cluster instead of manifests; empty for the pod's own cluster, where there is one."""
    database: str = ""
    """A SQLAlchemy URL without a password; empty for the configuration's, else suite.db in the state directory."""
    follow: Remote | None = None
    """A controller's feed instead of a database."""
    probe_listen: Listen | None = None
    """Where any process tells whether it lives, is ready, and what it counts; nowhere without."""
    dns_listen: tuple[Listen, ...] = ()
    """Instead of the configuration's; empty for those."""
    roles: tuple[str, ...] = ()
    """Instead of the configuration's; empty for those."""
    node: str = ""
    verbose: int = 0


def main(options: RunOptions) -> int:
    """Run until told to end; the exit code of the process."""
    for name in ("watchfiles", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    level = logging.DEBUG if options.verbose else logging.INFO
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)-7s %(message)s", stream=sys.stderr)
    try:
        return asyncio.run(_run(options))
    except (StoreError, NoSocket, NoStateDirectory) as error:
        _log.error("%s", error)
    except ExceptionGroup as group:
        lost, others = group.split(Lost)
        if lost is None or others is not None:
            raise
        _log.error("%s", _innermost(lost))
    return EXIT_UNAVAILABLE


async def _run(options: RunOptions) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    _make_state_directory(options.state)
    known = mark_of(options.config) if options.config else None
    suite = Suite(options, await asyncio.to_thread(read_documents, options.config))
    try:
        running = asyncio.create_task(suite.run(known))
        await asyncio.wait({running, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            await running
        suite.leave()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    finally:
        await suite.stop()
    return EXIT_OK


def _make_state_directory(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        message = f"the state directory {path} cannot be made: {error.strerror}; choose another with --state"
        raise NoStateDirectory(message) from error


class Suite:
    """The roles of one process."""

    def __init__(self, options: RunOptions, documents: list[Document]) -> None:
        self._options = options
        self._documents = documents
        self._outcome = combined(documents, ())
        self._settings = self._outcome.attempt
        self._roles = self._chosen_roles()
        self._node = options.node or os.environ.get("NODE_NAME") or os.uname().nodename
        self._registry = new_registry()
        self._stop_web = asyncio.Event()
        self._places = Places()
        self._nameserver: Nameserver | None = None
        self._refused = RefusedNames(lambda: self._nameserver.refused if self._nameserver else None)
        self._bridges: list[LastNames | LastPlan] = []
        self._store: Store | None = None
        self._origin: Origin | None = None
        self._controller: Controller | None = None
        """The origin, where this process has that role."""
        self._remote: RemoteFollower | None = None
        self._feed: FeedHost | None = None
        self._feed_listener: socket | None = None
        self._intake: Intake | None = None
        self._speaker: Speaker | None = None
        self._fellows: tuple[Fellow, ...] = ()
        self._waiting = WaitingRoom(self.status, self._registry, self._places)
        self._has_greeted = False

    async def run(self, known: Mark) -> None:
        """Start, and then all loops, until one of them fails or this is cancelled."""
        origin = await self._start()
        snapshot = await self._waiting.until_there(origin.load)
        if self._nameserver is not None:
            self._nameserver.before = snapshot
        from suite.speaker.telling import tell_announcements, tell_sessions

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(origin.run())
            if self._intake is not None:
                tasks.create_task(self._intake.run(known, snapshot))
            if self._nameserver is not None:
                tasks.create_task(self._nameserver.run())
                tasks.create_task(self._nameserver.keep_contact(lambda: not origin.trouble))
            for bridge in self._bridges:
                tasks.create_task(bridge.keep(lambda: origin.snapshot, lambda: not origin.trouble))
            if self._speaker is not None:
                tasks.create_task(self._speaker.run())
                tasks.create_task(tell_announcements(self._speaker, self._node, origin))
                tasks.create_task(tell_sessions(self._speaker, self._note_sessions))
            if self._places:
                tasks.create_task(self._serve_web(origin))
            if self._feed is not None:
                tasks.create_task(self._feed.run())
            if self._store is not None:
                tasks.create_task(self._keep_meeting(self._store))

    async def _start(self) -> Origin:
        """Open sockets and database side by side: both take a while, and DNS should answer within a second."""
        self._open_socket()
        if self._options.follow is not None:
            self._origin = await self._follow_remote(self._options.follow)
        elif self._outcome.configuration is None:
            await self._remember_settings()
        self._open_web()
        opening = self._open_nameserver()
        await asyncio.sleep(0)  # the DNS workers are processes: they start on another core while this one imports SQL
        from suite.speaker.loop import Speaker

        if "speaker" in self._roles:
            self._speaker = Speaker(self._node, self._registry, SystemRandom().random, self._decline, self._probed)
            self._bridges.append(LastPlan(self._speaker, self._options.state))
        if self._origin is not None or self._database_url().startswith("sqlite"):
            self._bridges.clear()  # the feed's follower keeps its own, and a file of this machine is never away
        if self._origin is None:
            waited = self._waiting.until_there(self._open_store)
            for bridge in self._bridges:
                waited = bridge.meanwhile(waited)
            store = await waited
            if self._nameserver is not None:
                self._nameserver.versions = store
            self._origin = await self._control(store) if "controller" in self._roles else self._follow_database(store)
            if "web" in self._roles:
                orders = Orders(store, self._origin, _now)
                host = Host(self._options.state, self._settings.web, self._options.kubeconfig, _now, orders)
                self._feed = FeedHost(store, self._origin, host, self._probed)
        if opening is not None:
            await opening
        return self._origin

    def _chosen_roles(self) -> tuple[str, ...]:
        """What the command line says, else the configuration; who follows a feed never controls."""
        roles = self._options.roles or self._settings.roles
        return roles if self._options.follow is None else tuple(role for role in roles if role != "controller")

    def _open_socket(self) -> None:
        if self._options.probe_listen is not None and not self._places.probes:
            self._places.probes.append(open_tcp(self._options.probe_listen))
        self._places.is_web = "web" in self._roles
        if (self._places.is_web or self._options.follow is not None) and not self._places.listeners:
            self._places.listeners.append(open_unix(self._options.state / SOCKET))

    def _open_web(self) -> None:
        self._open_socket()
        if "web" in self._roles and self._settings.web.listen is not None:
            self._places.listeners.append(open_tcp(self._settings.web.listen))
        if "web" in self._roles and self._settings.web.feed_listen is not None and self._options.follow is None:
            self._feed_listener = open_tcp(self._settings.web.feed_listen)

    def _open_nameserver(self) -> "asyncio.Task[bool] | None":
        if "nameserver" not in self._roles:
            return None
        listen = self._options.dns_listen or self._settings.dns.listen or everywhere()
        dns = replace(self._settings.dns, listen=listen)
        self._nameserver = Nameserver(dns, self._node, time.monotonic, self._registry)
        self._nameserver.versions = None if self._remote is None else self._remote.versions
        self._bridges.append(LastNames(self._nameserver, self._options.state))
        return asyncio.create_task(self._nameserver.open())

    def _database_url(self) -> str:
        said = self._options.database or self._settings.database.url
        return said or f"sqlite:///{self._options.state.absolute() / DATABASE}"

    async def _open_store(self) -> "Store":
        if self._store is None:
            settings, url = self._settings.database, self._database_url()
            key = read_seal_key(settings.seal_key_file)
            create = "controller" in self._roles
            store = await asyncio.to_thread(
                open_store, url, password_file=settings.password_file, create=create, key=key
            )
            _log.info("the audit log stands at %s", await asyncio.to_thread(store.anchor))
            self._store = store
        return self._store

    async def _remember_settings(self) -> None:
        """The documents are bad: where to listen and which roles to run are those of the last good configuration."""
        store = await self._waiting.until_there(self._open_store)
        remembered = (await asyncio.to_thread(store.read)).configuration
        if remembered.digest:
            _log.error("the configuration is bad; the last good one stays in force")
            self._settings, self._roles = remembered, self._options.roles or remembered.roles

    async def _control(self, store: "Store") -> Origin:
        """This process decides: a controller, and what it reads."""
        from suite.controller.intake import Intake, Places, log_problems
        from suite.controller.loop import Controller

        log_problems(self._outcome)
        options, kept = self._options, self._options.state / keepsake.NAME
        adoptable = await asyncio.to_thread(keepsake.recall, kept)
        instance = f"{self._node}:{os.getpid()}"
        self._controller = Controller(
            store, self._tell, self._registry, instance, _now, adoptable,
            lambda: self._intake.hindrance() if self._intake else "",
        )  # fmt: skip
        places = Places(options.config, options.manifests, options.kubeconfig, kept)
        self._intake = Intake(
            self._controller, store, places, self._outcome, self._documents,
            node=self._node, clock=_now, change=self._changed, refused=self._refused.follow,
        )  # fmt: skip
        return self._controller

    def _follow_database(self, store: "Store") -> Origin:
        """Another process decides: its database is followed."""
        from suite.controller.follower import DatabaseFollower

        return DatabaseFollower(store, self._tell, _now, self._settings, looks_ahead="speaker" in self._roles)

    async def _follow_remote(self, remote: Remote) -> Origin:
        """Another machine decides; without a configuration of its own this process does as that one says."""
        from suite.store.remote.follower import Moments, RemoteFollower

        state, moments = self._options.state, Moments(SystemRandom().random, _now)
        follower = self._remote = RemoteFollower(remote, state, self._tell, moments, lambda: self.status().instances)
        snapshot = await follower.load()
        if not snapshot.is_complete:
            snapshot = await self._waiting.until_there(follower.meet, "the controller")
        if self._options.config is None:
            self._settings = snapshot.configuration
            self._roles = self._chosen_roles()
        return follower

    def leave(self) -> None:
        """Let the fleet know at once: the loops and the API take a moment to end."""
        if self._speaker is not None:
            self._speaker.leave()

    async def stop(self) -> None:
        """Stop answering, then let go of the database."""
        self._stop_web.set()
        self._places.close()
        if self._speaker is not None:
            await self._speaker.stop()
        if self._nameserver is not None:
            await self._nameserver.stop()
        if self._speaker is not None and self._origin is not None:
            await self._origin.announce(self._node, frozenset())
            await self._note_sessions(frozenset())
        if self._remote is not None:
            await self._remote.close()
        if self._store is not None:
            with contextlib.suppress(StoreError):
                await asyncio.to_thread(self._store.leave)
                _log.info("the audit log stands at %s", await asyncio.to_thread(self._store.anchor))
            self._store.close()

    def status(self) -> Status:
        """What every role says about itself."""
        origin, controller = self._origin, self._controller
        if origin is None or not origin.snapshot.epoch:
            return self._starting()
        snapshot = origin.snapshot
        instances = []
        if controller is not None:
            notes = () if controller.is_leading else ("another instance leads; this one follows",)
            instances.append(
                self._instance("controller", snapshot, controller.not_ready(), notes + self._refused_names())
            )
        if self._speaker is not None:
            instances.append(self._speaker.instance())
        if self._nameserver is not None:
            instances.append(self._nameserver.instance())
        if "web" in self._roles:
            instances.append(self._instance("web", snapshot, (), ()))
        return Status(
            tuple(instances),
            (*controller.config_problems, *controller.problems) if controller else (),
            is_stale=controller.is_stale if controller else False,
            withheld=snapshot.withheld,
            database=origin.trouble,
            fellows=(*self._fellows, *(self._feed.fellows() if self._feed else ())),
        )

    def _refused_names(self) -> tuple[str, ...]:
        """Who is refused a name, where no nameserver of this process has it among its own notes."""
        return () if self._nameserver or self._intake is None else tuple(map(str, self._intake.name_problems))

    def _starting(self) -> Status:
        """Before the database was read for the first time."""
        why = self._waiting.trouble or "it is starting"
        going_on = [each.instance() for each in (self._nameserver, self._speaker) if each is not None]
        known = {each.role: each for each in going_on if each.revision}
        instances = [known.get(role) or self._instance(role, Snapshot(), (why,), ()) for role in self._roles]
        return Status(tuple(instances), self._outcome.problems, database=self._waiting.trouble)

    def live(self) -> Live:
        """What a running suite adds to a snapshot."""
        answers = self._nameserver.answers() if self._nameserver else None
        return Live(
            self._speaker.announced() if self._speaker else {},
            self._speaker.silent() if self._speaker else {},
            owner=self._speaker.owner if self._speaker else lambda _address: None,
            answers=answers,
            refused_names=self._refused.refused,
        )

    def _instance(self, role: str, snapshot: Snapshot, reasons: tuple[str, ...], notes: tuple[str, ...]) -> Instance:
        return Instance(role, self._node, __version__, snapshot.epoch, snapshot.revision, reasons, notes)

    def _changed(self, configuration: Configuration) -> Configuration:
        """The configuration with what the command line says instead."""
        if not self._options.dns_listen:
            return configuration
        return replace(configuration, dns=replace(configuration.dns, listen=self._options.dns_listen))

    def _probed(self, address: Address) -> None:
        """A speaker found a free address to be nobody's; who gives addresses shall know."""
        if self._origin is not None:
            self._origin.probed(address)

    async def _decline(self, address: Address, mac: str) -> None:
        """The speaker found a stranger at an address."""
        if self._origin is not None:
            await self._origin.decline(address, mac, self._node)

    async def _tell(self, publication: Publication) -> None:
        if self._nameserver is not None:
            await self._nameserver.follow(publication)
        if self._speaker is not None:
            await self._speaker.follow(publication)
        if self._intake is not None:
            self._intake.tell(publication)
        if self._feed is not None:
            self._feed.tell(publication)
        if not self._has_greeted:
            self._has_greeted = True
            options, server = self._options, self._nameserver
            place = server.addresses[0] if server is not None and server.is_listening else None
            _log.info(greeting(publication.snapshot, options.state, options.config, options.database, place))

    async def _note_sessions(self, sessions: frozenset[SessionState]) -> bool:
        """Whether they are taken down now."""
        if self._remote is not None:
            return await self._remote.note_sessions(self._node, sessions)
        try:
            if self._store is not None:
                await asyncio.to_thread(self._store.note_sessions, self._node, sessions, now=_now())
        except StoreError as error:
            _log.debug("the BGP sessions could not be written yet: %s", error)
            return False
        return True

    async def _keep_meeting(self, store: "Store") -> None:
        """Say in the database what the roles of this process do, and hear what other processes' do."""
        while True:
            try:
                self._fellows = await asyncio.to_thread(
                    store.meet, self.status().instances, now=_now(), uptime=time.monotonic()
                )
            except StoreError as error:
                _log.debug("who else runs on the database cannot be found out: %s", error)
            await asyncio.sleep(MEETING_INTERVAL)

    async def _serve_web(self, origin: Origin) -> None:
        from suite.nameserver.unserved import UnservedZones
        from suite.web.backend import Backend
        from suite.web.documents import PlanDocument, plan_document
        from suite.web.serve import serve

        controller = self._controller

        def plan(controller: "Controller") -> PlanDocument:
            preview = controller.preview()
            return plan_document(
                preview.changes, [(each.lease, each.why) for each in preview.held_back], preview.digest
            )

        backend = Backend(
            lambda: origin.snapshot,
            self.status,
            self._registry,
            self.live,
            None if controller is None else partial(plan, controller),
            self._store,
            self._speaker.peerings if self._speaker else tuple,
            self._speaker.layer2 if self._speaker else lambda: None,
            self._nameserver.zones if self._nameserver else UnservedZones(lambda: origin.snapshot).zones,
        )
        backend = self._feed.completed(backend) if self._feed else backend
        secured = None
        if self._feed is not None and self._feed_listener is not None:
            secured = await self._feed.secured(self._feed_listener)
        await serve(backend, self._places, self._stop_web, secured)


def _innermost(error: BaseException) -> BaseException:
    """The first error that is no group of errors."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _now() -> datetime:
    return datetime.now(UTC)
