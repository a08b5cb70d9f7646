"""A leader that is deposed between its commit and its patch: the next one speaks for the Service, and it alone."""

import asyncio
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from apiserver.app import Api
from apiserver.server import running
from cluster_stack import COFFEE, Stack, address, config_map, events, service, until
from fix_cluster import background
from fix_db import DatabaseUnderTest

if TYPE_CHECKING:
    from suite.model.publication import Publication

LET_GO = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"


class Deposed(Stack):
    """Loses the lead when the address of the Service is committed, and before anybody is told of it."""

    database: DatabaseUnderTest

    async def tell(self, publication: "Publication") -> None:
        if publication.snapshot.bound(COFFEE) and not self.database.stores:
            await asyncio.to_thread(self.depose)
        await super().tell(publication)

    def depose(self) -> None:
        successor = self.database.open()
        while successor.lead("b", datetime.now(UTC)) is None:
            self.database.execute(LET_GO)


@pytest.mark.postgres
def test_who_is_deposed_between_commit_and_patch_patches_nothing(tmp_path, postgres_db):
    api = Api()
    api.put(config_map("10.0.42.0/24"))

    async def story(closing: ExitStack) -> None:
        async with running(api) as server:
            first = Deposed(server.kubeconfig(tmp_path), postgres_db.url, "a")
            second = Stack(server.kubeconfig(tmp_path), postgres_db.url, "b")
            first.database = postgres_db
            for each in (first, second):
                each.store_outlives_loop = True
                closing.callback(each.store.close)
            async with background(first.run()):
                await until(lambda: first.controller.is_leading)
                api.put(service())
                await until(lambda: first.controller.snapshot.bound(COFFEE) and not first.controller.is_leading)
                told = (address(api), events(api), [call for call in api.calls if call.verb == "patch"])
                assert told == ("", set(), [])
                postgres_db.stores[0].resign()
                async with background(second.run()):
                    await until(lambda: address(api) == "10.0.42.0")

    with ExitStack() as closing:
        asyncio.run(story(closing))
