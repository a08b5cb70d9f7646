"""Starting the roles: the one file that knows all of them.

    source -> controller -> commit -> Publication -> nameserver, speaker
    web asks for the newest snapshot and the status

The controller tells; the roles never call each other.  What takes long to import (the web framework, a cluster's client,
scapy) is imported where it is started, after DNS answers.
"""

import asyncio
import contextlib
import logging
import os
import random
import signal
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from suite import __version__
from suite.cluster.connection import Lost
from suite.cluster.directory import remembered
from suite.cluster.files import FileSource
from suite.cluster.memory import MemoryCluster
from suite.cluster.source import Batch, Source
from suite.cluster.status import outcomes_of
from suite.config.document import Document
from suite.config.loading import Outcome
from suite.controller.configuration_file import combined, follow_configuration, mark_of, read_documents
from suite.metrics.names import new_registry
from suite.model.address import Address, parse_address
from suite.model.announcement import Announcement
from suite.model.configuration import Configuration, Listen
from suite.model.explain import Live
from suite.model.publication import Publication
from suite.model.service import ServiceRef
from suite.model.snapshot import Snapshot
from suite.model.status import Instance, Status
from suite.nameserver.loop import Nameserver
from suite.store import keepsake, open_store, read_seal_key
from suite.store.errors import StoreError
from suite.web.serve import NoSocket, open_tcp, open_unix

if TYPE_CHECKING:
    from socket import socket

    from suite.cluster.kubernetes_cluster import KubernetesCluster
    from suite.controller.loop import Controller
    from suite.speaker.loop import Speaker
    from suite.store.store import Store

EXIT_OK, EXIT_FAULT, EXIT_UNAVAILABLE = 0, 1, 3
SOCKET = "suite.sock"
DATABASE = "suite.db"
DNS_PORT = 53
CONTACT_INTERVAL = 1.0
ANNOUNCEMENTS_INTERVAL = 1.0
"""Seconds between two looks at what is announced; nothing is written while it stays the same."""
KEEP_DELAY = 2.0
"""Seconds after a change until the last leases are written; changes meanwhile are part of it."""

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
    dns_listen: tuple[Listen, ...] = ()
    """Instead of the configuration's; empty for those."""
    roles: tuple[str, ...] = ()
    """Instead of the configuration's; empty for those."""
    node: str = ""
    verbose: int = 0


def main(options: RunOptions) -> int:
    """Run until told to end; the exit code of the process."""
    levels = (logging.INFO, logging.DEBUG)
    for name in ("watchfiles", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.basicConfig(
        level=levels[min(options.verbose, 1)], format="%(asctime)s %(levelname)-7s %(message)s", stream=sys.stderr
    )
    try:
        return asyncio.run(_run(options))
    except (StoreError, NoSocket, NoStateDirectory) as error:
        _log.error("%s", error)
    except ExceptionGroup as group:
        lost, others = group.split(Lost)
        if lost is None or others is not None:
            raise
        _log.error("%s", lost.exceptions[0])
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
        await suite.start()
        running = asyncio.create_task(suite.run(known, stop))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            await running
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
        self._cluster_documents: tuple[Document, ...] = ()
        self._outcome = combined(documents, ())
        _log_problems(self._outcome)
        self._settings = self._outcome.attempt
        self._roles = options.roles or self._settings.roles
        self._node = options.node or os.environ.get("NODE_NAME") or os.uname().nodename
        self._registry = new_registry()
        self._stop_web = asyncio.Event()
        self._listeners: list[socket] = []
        self._nameserver: Nameserver | None = None
        self._store: Store | None = None
        self._controller: Controller | None = None
        self._speaker: Speaker | None = None
        self._cluster: KubernetesCluster | None = None
        self._has_greeted = False
        self._has_news = asyncio.Event()

    async def start(self) -> None:
        """Open sockets and database side by side: both take a while, and DNS should answer within a second."""
        if self._outcome.configuration is None:
            await self._remember_settings()
        if "web" in self._roles:
            self._listeners.append(open_unix(self._options.state / SOCKET))
            if self._settings.web.listen is not None:
                self._listeners.append(open_tcp(self._settings.web.listen))
        if "nameserver" in self._roles:
            listen = self._options.dns_listen or self._settings.dns.listen or everywhere()
            dns = replace(self._settings.dns, listen=listen)
            self._nameserver = Nameserver(dns, self._node, time.monotonic, self._registry)
        opening = asyncio.create_task(self._nameserver.open()) if self._nameserver else None
        await asyncio.sleep(0)  # the DNS workers are processes: they start on another core while this one imports SQL
        from suite.controller.loop import Controller
        from suite.speaker.loop import Speaker

        if "speaker" in self._roles:
            self._speaker = Speaker(self._node, self._registry, random.SystemRandom().random, self._decline)
        store = await self._open_store()
        if self._nameserver is not None:
            self._nameserver.versions = store
        _log.info("the audit log stands at %s", await asyncio.to_thread(store.anchor))
        if opening is not None:
            await opening
        self._controller = Controller(
            store,
            self._tell,
            self._registry,
            f"{self._node}:{os.getpid()}",
            lambda: datetime.now(UTC),
            await asyncio.to_thread(keepsake.recall, self._options.state / keepsake.NAME),
        )

    async def _open_store(self) -> "Store":
        if self._store is None:
            settings = self._settings.database
            url = self._options.database or settings.url
            url = url or f"sqlite:///{self._options.state.absolute() / DATABASE}"
            key = read_seal_key(settings.seal_key_file)
            self._store = await asyncio.to_thread(open_store, url, password_file=settings.password_file, key=key)
        return self._store

    async def _remember_settings(self) -> None:
        """The documents are bad: where to listen and which roles to run are those of the last good configuration."""
        store = await self._open_store()
        remembered_settings = (await asyncio.to_thread(store.read)).configuration
        if remembered_settings.digest:
            _log.error("the configuration is bad; the last good one stays in force")
            self._settings = remembered_settings
            self._roles = self._options.roles or remembered_settings.roles

    async def run(self, known: tuple[int, int, int] | None, stop: asyncio.Event) -> None:
        """All loops, until one of them fails or this is cancelled."""
        controller = self._controller
        if controller is None:
            raise RuntimeError("start() comes first")
        snapshot = await controller.load()
        if self._nameserver is not None:
            self._nameserver.before = snapshot
        source = self._source(snapshot)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(controller.run())
            if self._cluster is None:  # a cluster's own configuration is read with its Services, then both are one
                await controller.configure(self._changed(self._outcome.configuration), self._outcome.problems)
            tasks.create_task(source.run(self._hear))
            tasks.create_task(self._keep_leases())
            if self._options.config is not None:
                tasks.create_task(follow_configuration(self._options.config, known, self._read_again))
            if self._nameserver is not None:
                tasks.create_task(self._nameserver.run())
                tasks.create_task(self._keep_contact())
            if self._speaker is not None:
                tasks.create_task(self._speaker.run())
                tasks.create_task(self._keep_announcements(self._speaker))
            if "web" in self._roles:
                tasks.create_task(self._serve_web())

    async def stop(self) -> None:
        """Stop answering, then let go of the database."""
        self._stop_web.set()
        for listener in self._listeners:
            listener.close()
        if self._speaker is not None:
            await self._speaker.stop()
        if self._nameserver is not None:
            await self._nameserver.stop()
        if self._store is not None:
            with contextlib.suppress(StoreError):
                if self._speaker is not None:
                    await asyncio.to_thread(self._store.announce, self._node, frozenset(), now=datetime.now(UTC))
                _log.info("the audit log stands at %s", await asyncio.to_thread(self._store.anchor))
            self._store.close()

    def status(self) -> Status:
        """What every role says about itself."""
        controller = self._controller
        if controller is None:
            return Status()
        snapshot = controller.snapshot
        instances = []
        if "controller" in self._roles:
            notes = () if controller.is_leading else ("another instance leads; this one follows",)
            instances.append(self._instance("controller", snapshot, controller.not_ready(), notes))
        if self._speaker is not None:
            instances.append(self._speaker.instance())
        if self._nameserver is not None:
            instances.append(self._nameserver.instance())
        if "web" in self._roles:
            instances.append(self._instance("web", snapshot, (), ()))
        return Status(
            tuple(instances),
            (*controller.config_problems, *controller.problems),
            controller.is_stale,
            snapshot.withheld,
            controller.trouble,
        )

    def live(self) -> Live:
        """What a running suite adds to a snapshot."""
        answers = self._nameserver.answers() if self._nameserver else None
        return Live(
            self._speaker.announced() if self._speaker else {},
            owner=self._speaker.owner if self._speaker else _nobody_knows,
            answers=answers,
            refused_names=self._nameserver.refused if self._nameserver else {},
        )

    def _instance(self, role: str, snapshot: Snapshot, reasons: tuple[str, ...], notes: tuple[str, ...]) -> Instance:
        return Instance(role, self._node, __version__, snapshot.epoch, snapshot.revision, reasons, notes)

    def _source(self, snapshot: Snapshot) -> Source:
        if self._options.manifests is not None:
            return FileSource(self._options.manifests, remembered=remembered(snapshot))
        if self._options.kubeconfig or "KUBERNETES_SERVICE_HOST" in os.environ:
            from suite.cluster.kubernetes_cluster import KubernetesCluster

            self._cluster = KubernetesCluster(
                self._options.kubeconfig,
                instance=self._node,
                now=lambda: datetime.now(UTC),
                may_write=lambda: self._controller is not None and self._controller.is_leading,
            )
            return self._cluster
        return MemoryCluster()

    def _changed(self, configuration: Configuration | None) -> Configuration | None:
        """The configuration with what the command line says instead."""
        if configuration is None or not self._options.dns_listen:
            return configuration
        return replace(configuration, dns=replace(configuration.dns, listen=self._options.dns_listen))

    async def _hear(self, batch: Batch) -> None:
        """A batch of the source; the configuration that a cluster holds goes before what it says of Services."""
        if self._controller is None:
            raise RuntimeError("start() comes first")
        if batch.documents is not None:
            self._cluster_documents = batch.documents
            await self._reconfigure()
        await self._controller.hear(batch)

    async def _read_again(self, documents: list[Document]) -> None:
        """The configuration file has changed."""
        self._documents = documents
        await self._reconfigure()

    async def _reconfigure(self) -> None:
        if self._controller is None:
            raise RuntimeError("start() comes first")
        outcome = await asyncio.to_thread(combined, self._documents, self._cluster_documents)
        _log_problems(outcome)
        if outcome.configuration is None:
            _log.error("the configuration is bad and kept out; the last good one stays in force")
        if self._cluster is not None:
            self._cluster.complain(outcome.problems)
        await self._controller.configure(self._changed(outcome.configuration), outcome.problems)

    async def _decline(self, address: Address, mac: str) -> None:
        """The speaker found a stranger at an address."""
        if self._controller is not None:
            await self._controller.decline(address, mac, self._node)

    async def _tell(self, publication: Publication) -> None:
        if self._nameserver is not None:
            await self._nameserver.follow(publication)
        if self._speaker is not None:
            await self._speaker.follow(publication)
        if self._cluster is not None:
            self._cluster.tell(outcomes_of(publication.snapshot, publication.touched))
        self._has_news.set()
        if not self._has_greeted:
            self._has_greeted = True
            self._greet()

    async def _keep_leases(self) -> None:
        """Write the last leases beside the database, a little after they changed."""
        path, kept = self._options.state / keepsake.NAME, ""
        while self._controller is not None:
            await self._has_news.wait()
            await asyncio.sleep(KEEP_DELAY)
            self._has_news.clear()
            lines = keepsake.lines_of(self._controller.snapshot)
            if (now := "\n".join(lines)) == kept:
                continue
            try:
                await asyncio.to_thread(keepsake.keep, path, lines)
                kept = now
            except OSError as error:
                _log.warning("the last leases could not be kept in %s: %s", path, error.strerror)

    async def _keep_announcements(self, speaker: "Speaker") -> None:
        """Write what the speaker announces beside the leases, only when it has changed."""
        written: frozenset[Announcement] | None = None
        while self._store is not None:
            announced = speaker.announcements()
            if announced != written:
                try:
                    await asyncio.to_thread(self._store.announce, self._node, announced, now=datetime.now(UTC))
                    written = announced
                except StoreError as error:
                    _log.debug("what is announced could not be written yet: %s", error)
            await asyncio.sleep(ANNOUNCEMENTS_INTERVAL)

    async def _keep_contact(self) -> None:
        while self._nameserver is not None and self._controller is not None:
            if not self._controller.trouble:
                self._nameserver.contact()
            await asyncio.sleep(CONTACT_INTERVAL)

    async def _serve_web(self) -> None:
        from suite.web.backend import Backend
        from suite.web.documents import PlanDocument, plan_document
        from suite.web.serve import serve

        controller = self._controller
        if controller is None:
            raise RuntimeError("start() comes first")

        def plan() -> PlanDocument:
            preview = controller.preview()
            return plan_document(
                preview.changes, [(each.lease, each.why) for each in preview.held_back], preview.digest
            )

        backend = Backend(
            lambda: controller.snapshot,
            self.status,
            self._registry,
            self.live,
            plan,
            self._store,
            self._speaker.peerings if self._speaker else tuple,
            self._speaker.layer2 if self._speaker else lambda: None,
        )
        await serve(backend, self._listeners, self._stop_web)

    def _greet(self) -> None:
        """Three commands to try, once, when the first answers are there."""
        snapshot = self._controller.snapshot if self._controller else Snapshot()
        names = [ref for ref in snapshot.holdings.keys() if snapshot.bound(ref)]  # noqa: SIM118 - a persistent map
        ref = min(names, default=ServiceRef("default", "coffee"))
        command = os.environ.get("SUITE_COMMAND", "suite")  # how this program was called; suite.sh tells
        where = f"--state {self._options.state}"
        if self._options.config is not None:
            where = f"--config {self._options.config} {where}"
        if self._options.database:
            where += f" --database {self._options.database}"
        lines = [f"the suite runs; its state is in {self._options.state}.  Try:"]
        if self._nameserver is not None and self._nameserver.is_listening:
            address, port = self._nameserver.addresses[0]
            host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104 - of a server, for a client
            zone = snapshot.configuration.dns.zones[0].rstrip(".")
            lines.append(f"    nslookup -port={port} {ref.name}.{ref.namespace}.{zone} {host}")
        lines.append(f"    {command} lease list {where}")
        lines.append(f"    {command} explain {ref} {where}")
        _log.info("\n".join(lines))


def _nobody_knows(_address: Address) -> None:
    """Without a speaker."""


def _log_problems(outcome: Outcome) -> None:
    for problem in outcome.problems:
        _log.log(logging.WARNING if problem.is_warning else logging.ERROR, "%s", problem)


def everywhere() -> tuple[Listen, ...]:
    """Port 53 of every address: where DNS answers when nobody says where."""
    hosts = ("0.0.0.0", "::") if Path("/proc/net/if_inet6").exists() else ("0.0.0.0",)  # noqa: S104 - a DNS server's place
    return tuple(Listen(parse_address(host), DNS_PORT) for host in hosts)
