"""The cluster is told the certificate of the suite's authority, however late that is there."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import ip_address

from apiserver.app import Api
from apiserver.objects import Refused
from apiserver.server import running
from following import until

from suite.controller.loop import Controller
from suite.metrics.names import new_registry
from suite.model.configuration import Listen, WebSettings
from suite.web.hosting import FeedHost, Host
from suite.web.serve import open_tcp

PLACE = "suite-system/suite-authority"


def now():
    return datetime.now(UTC)


async def tell(_publication):
    """Nobody follows."""


def told(api):
    with suppress(Refused):
        return api.look("configmaps", "suite-authority", "suite-system")["data"]["authority.pem"]
    return ""


def test_a_certificate_that_comes_after_the_feed_has_begun_is_told_to_the_cluster(sqlite_db, tmp_path):
    store, api = sqlite_db.open(), Api()
    api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "suite-system"}})

    async def story():
        async with running(api) as server:
            settings, kubeconfig = WebSettings(authority_config_map=PLACE), str(server.kubeconfig(tmp_path))
            host = Host(tmp_path, settings, kubeconfig, now)
            feed = FeedHost(store, Controller(store, tell, new_registry(), "one", now), host, lambda _address: None)
            running_feed = asyncio.create_task(feed.run())
            await asyncio.sleep(0)  # it has looked for a certificate, and there was none

            secured = await feed.secured(open_tcp(Listen(ip_address("127.0.0.1"), 0)))

            await until(lambda: told(api))
            secured.listener.close()
            running_feed.cancel()
            await asyncio.gather(running_feed, return_exceptions=True)

    asyncio.run(story())

    assert told(api) == store.authority()[0]
