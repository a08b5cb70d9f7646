"""What a process with a database does for machines that follow it: the feed, its door, its certificate.

The authority is in the database, so every controller has the same; the server's certificate is made at the start and
replaced in time, while the listener goes on.  In a cluster the authority's certificate is put where pods can mount it.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from suite.cluster.connection import ApiError, Lost
from suite.cluster.credentials import Credentials
from suite.model.address import Address
from suite.model.configuration import WebSettings
from suite.model.publication import Origin, Publication
from suite.model.status import Fellow
from suite.model.token import Reviewed, Scope
from suite.store.errors import StoreError
from suite.store.remote.feed import Feed
from suite.web.access import Doorkeeper
from suite.web.backend import Backend
from suite.web.following import Following, News
from suite.web.serve import Secured

if TYPE_CHECKING:
    import ssl
    from socket import socket

    from suite.store.store import Store
    from suite.web.orders import Orders

LOOK = 3600.0
"""Seconds between two looks at the certificate."""
RETRY = 10.0
CERTIFICATE = "controller.pem"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Host:
    """Where the pieces are."""

    state: Path
    settings: WebSettings
    kubeconfig: str
    clock: Callable[[], datetime]
    orders: "Orders | None" = None


class FeedHost:
    """One process's feed."""

    def __init__(self, store: "Store", origin: Origin, host: Host, probed: Callable[[Address], None]) -> None:
        self._store = store
        self._origin = origin
        self._host = host
        self._news = News()
        self._probed = probed
        self._ahead: tuple[Address, ...] = ()
        self._authority = ""
        self._has_authority = asyncio.Event()
        self._certificate = ""
        self._context: ssl.SSLContext | None = None
        self._credentials = Credentials(host.kubeconfig)
        feed = Feed(store, lambda: origin.snapshot, lambda: self._ahead)
        self.following = Following(feed, self._news, origin, store, lambda: self._authority, self._note_clean)
        review = self._review if host.settings.service_accounts else None
        self.doorkeeper = Doorkeeper(store.token, host.clock, self._accounts, review, reviews=store)

    def completed(self, backend: Backend) -> Backend:
        """What answers come from, with all that a database allows."""
        return replace(backend, following=self.following, doorkeeper=self.doorkeeper, orders=self._host.orders)

    def tell(self, publication: Publication) -> None:
        """There is something new for followers."""
        self._ahead = publication.ahead
        self._news.ring()

    def _note_clean(self, address: Address) -> None:
        """A follower says that nobody has ``address``; only what comes next is worth remembering."""
        if address in self._ahead:
            self._probed(address)

    def fellows(self) -> tuple[Fellow, ...]:
        """The roles of the machines that follow this process."""
        return self.following.followers.fellows(self._host.clock(), time.monotonic())

    async def secured(self, listener: "socket") -> Secured:
        """The listener with its certificate.

        Raises:
            StoreError: there is no authority yet, and the database does not take one.
        """
        from suite.web.authority import server_context

        self._context = server_context()
        await asyncio.to_thread(self._renew)
        self._has_authority.set()
        return Secured(listener, self._context)

    async def run(self) -> None:
        """Keep the certificate, and let the cluster know the authority, until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                if self._host.settings.feed_listen is not None:
                    tasks.create_task(self._keep_certificate())
                tasks.create_task(self._tell_cluster())
        finally:
            await self._credentials.close()

    async def _keep_certificate(self) -> None:
        from suite.web.authority import is_due

        while True:
            await asyncio.sleep(LOOK)
            if self._context is not None and is_due(self._certificate, self._host.clock()):
                try:
                    await asyncio.to_thread(self._renew)
                except (StoreError, OSError) as error:
                    _log.error("the certificate of the feed could not be replaced: %s", error)

    async def _tell_cluster(self) -> None:
        place = self._host.settings.authority_config_map
        await self._has_authority.wait()
        while place:
            try:
                await self._credentials.publish(place, self._authority)
            except (ApiError, Lost) as error:
                _log.warning("ConfigMap %s could not be written: %s", place, error)
                await asyncio.sleep(RETRY)
            else:
                await asyncio.sleep(LOOK)

    def _renew(self) -> None:
        """Runs in a worker thread."""
        from suite.web.authority import Authority, load, make_authority, make_server_certificate

        known, now = self._store.authority(), self._host.clock()
        if known is None:
            made = make_authority(now)
            known = self._store.keep_authority(made.certificate, made.key, now=now)
        authority = Authority(*known)
        self._certificate = make_server_certificate(authority, now)
        self._authority = authority.certificate
        if self._context is not None:
            load(self._context, self._certificate, self._host.state / CERTIFICATE)

    def _accounts(self) -> dict[str, frozenset[Scope]]:
        return {account: frozenset(map(Scope, words)) for account, words in self._host.settings.service_accounts}

    async def _review(self, token: str) -> Reviewed | None:
        """What the cluster's API server says of a token."""
        try:
            found = await self._credentials.review(token)
        except (ApiError, Lost) as error:
            raise ConnectionError(str(error)) from error
        return None if found is None else Reviewed(found.account, found.expires, found.node)
