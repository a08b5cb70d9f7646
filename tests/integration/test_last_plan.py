"""What was announced last is announced again while a database takes its time, with the keys and passwords that it takes."""

import asyncio
from dataclasses import replace
from ipaddress import ip_address

from fix_netns import eventually
from zone_worlds import load_balancer, snapshot_of

from suite.model.peer import Peer
from suite.speaker.last_plan import NAME, LastPlan
from suite.store.remote import kept
from suite.store.remote.reader import Known

KEYS = ("6b" * 32,)


class Announcing:
    """A speaker that only remembers."""

    def __init__(self):
        self.told = []
        self.is_looked_after = False

    async def follow(self, publication):
        self.told.append(publication)

    async def run(self):
        self.is_looked_after = True
        await asyncio.Event().wait()


def snapshot():
    known = snapshot_of(load_balancer("coffee"), leases={"coffee": "10.0.42.0"})
    peer = Peer("router", 64512, 64512, address=ip_address("10.0.0.1"), password="s3cret")
    return replace(known, heartbeat_keys=KEYS, configuration=replace(known.configuration, peers=(peer,)))


def kept_by(folder, *, is_current=True, within=5):
    """Keep the snapshot as a running speaker does."""

    async def keep():
        keeping = asyncio.create_task(LastPlan(Announcing(), folder).keep(snapshot, lambda: is_current))
        await asyncio.to_thread(eventually, (folder / NAME).exists, within)
        keeping.cancel()

    asyncio.run(keep())


def told_in_vain(folder, within=5):
    """What a speaker is told while a database does not answer."""
    speaker = Announcing()

    async def wait():
        never = asyncio.get_running_loop().create_future()
        waiting = asyncio.create_task(LastPlan(speaker, folder, patience=0.05).meanwhile(never))
        await asyncio.to_thread(eventually, lambda: speaker.is_looked_after, within)
        waiting.cancel()

    asyncio.run(wait())
    return [each.snapshot for each in speaker.told]


def test_what_was_kept_is_announced_with_its_keys_and_passwords(tmp_path):
    kept_by(tmp_path)

    (told,) = told_in_vain(tmp_path)

    assert (told.revision, told.heartbeat_keys) == (snapshot().revision, KEYS)
    assert [peer.password for peer in told.configuration.peers] == ["s3cret"]


def test_the_file_is_for_its_owner_alone(tmp_path):
    kept_by(tmp_path)

    assert oct((tmp_path / NAME).stat().st_mode & 0o777) == "0o600"


def test_a_snapshot_that_may_be_outdated_is_not_kept(tmp_path):
    kept_by(tmp_path, is_current=False, within=0.5)

    assert not (tmp_path / NAME).exists()


def test_a_broken_file_announces_nothing(tmp_path):
    kept.keep(tmp_path / NAME, Known(snapshot()))
    content = (tmp_path / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(content[:-20])

    assert told_in_vain(tmp_path, within=0.5) == []


def test_a_database_that_answers_is_not_forestalled(tmp_path):
    kept_by(tmp_path)
    speaker = Announcing()

    async def start():
        return await LastPlan(speaker, tmp_path).meanwhile(asyncio.sleep(0, "the store"))

    assert (asyncio.run(start()), speaker.told) == ("the store", [])
