"""The feed over HTTPS: whom the controller lets in, whom the follower believes, and who waits for whom."""

import asyncio
import socket
import ssl
import time
from contextlib import asynccontextmanager, closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from fix_db import EVERYTHING
from following import running, until

from suite.controller.credentials import create_token
from suite.controller.operator import Order
from suite.metrics.names import new_registry
from suite.model.announcement import Announcement
from suite.model.changes import Changes
from suite.model.configuration import Listen, WebSettings
from suite.model.event import SYSTEM
from suite.model.peering import SessionState
from suite.model.publication import Publication
from suite.model.service import Service, ServiceRef
from suite.model.status import Instance, Status
from suite.model.token import Scope
from suite.model.zone_version import LONGEST, ZoneVersion
from suite.store.remote.asked_versions import PATH, AskedVersions
from suite.store.remote.client import Client, Remote, Unreachable, fingerprint_of
from suite.store.remote.follower import Moments, RemoteFollower
from suite.store.remote.kept_versions import KeptVersions
from suite.store.remote.reader import Known, read
from suite.store.remote.standing import Standing
from suite.web.authority import is_due, make_authority, make_server_certificate
from suite.web.backend import Backend
from suite.web.hosting import FeedHost, Host
from suite.web.serve import Places, open_tcp, serve

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ORDER = Order(SYSTEM)
UP = SessionState("n1", "gateway", "192.168.1.1", True, 64512, "192.168.1.1")
DOWN = SessionState("n1", "gateway", "192.168.1.1", False, why="the hold time ended")
CLAIM = Announcement(ip_address("10.0.42.0"), "n1", "layer2", "eth0")


@dataclass
class Origin:
    """A controller that has a snapshot and hears of strangers."""

    store: object
    snapshot: object
    trouble: str = ""

    async def decline(self, address, mac, node):
        self.declined = address, mac, node


@dataclass
class Site:
    """A served feed, and what a follower needs to know of it."""

    origin: Origin
    host: FeedHost
    url: str
    fingerprint: str
    folder: object

    def token(self, *scopes, node="", expires=None):
        """A file with a new token."""
        identity = (f"id{time.monotonic_ns()}", "s3cret")
        changes, text = create_token(identity, "t", scopes, ORDER, NOON, node=node, expires=expires)
        self.commit(changes)
        path = self.folder / identity[0]
        path.write_text(text)
        return path

    def client(self, *scopes, **changed):
        remote = Remote(self.url, self.token(*(scopes or (Scope.SPEAKER,))), fingerprint=self.fingerprint)
        return Client(replace(remote, **changed))

    def commit(self, changes):
        self.origin.snapshot = self.origin.store.commit(changes, self.origin.snapshot, now=NOON)

    def first(self, client):
        with client.snapshot(None, 0) as lines:
            return read(lines, Known()).known


@asynccontextmanager
async def served(store, folder):
    origin = Origin(store, store.commit(EVERYTHING, store.read(), now=NOON))
    host = FeedHost(store, origin, Host(folder, WebSettings(), "", lambda: datetime.now(UTC)), lambda _address: None)
    listener, stop = open_tcp(Listen(ip_address("127.0.0.1"), 0)), asyncio.Event()
    secured = await host.secured(listener)
    backend = Backend(lambda: origin.snapshot, Status, new_registry(), store=store,
                      following=host.following, doorkeeper=host.doorkeeper)  # fmt: skip
    serving = asyncio.create_task(serve(backend, Places(), stop, secured))
    url = f"https://127.0.0.1:{listener.getsockname()[1]}"
    try:
        yield Site(origin, host, url, fingerprint_of(store.authority()[0]), folder)
    finally:
        stop.set()
        await serving


@pytest.fixture
def on_site(sqlite_db, tmp_path):
    """Runs a function beside a served feed, in a thread of its own as a follower's requests are."""

    def run(act):
        async def beside():
            async with served(sqlite_db.open(), tmp_path) as site:
                return await asyncio.to_thread(act, site)

        return asyncio.run(beside())

    return run


def test_a_follower_with_the_fingerprint_is_told_the_snapshot(on_site):
    def act(site):
        with closing(site.client()) as client:
            return site.first(client).snapshot, site.origin.snapshot

    told, there = on_site(act)

    assert told == there


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"fingerprint": "sha256:" + "0" * 64}, "not the one with that fingerprint"),
        ({"fingerprint": ""}, "nothing says which certificate"),
        ({"token_file": None}, "a bearer token is needed"),
        ({"url": "https://127.0.0.1:1"}, "refused"),
        ({"url": "http://192.0.2.1:7473"}, "without TLS"),
        ({"url": "nonsense"}, "is no https:// address"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_does_not_fit_is_told_in_words(on_site, changed, why):
    def act(site):
        with closing(site.client(**changed)) as client, pytest.raises(Unreachable, match=why):
            site.first(client)

    on_site(act)


def test_the_certificate_of_another_suite_is_refused(on_site, tmp_path):
    (tmp_path / "other.pem").write_text(make_authority(datetime.now(UTC)).certificate)

    def act(site):
        ca_file = tmp_path / "other.pem"
        with closing(site.client(ca_file=ca_file)) as client, pytest.raises(Unreachable, match="not of the pinned"):
            site.first(client)

    on_site(act)


@pytest.mark.parametrize("scope", [Scope.READ, Scope.WRITE])
def test_a_token_for_questions_is_for_no_feed(on_site, scope):
    def act(site):
        with closing(site.client(scope)) as client, pytest.raises(Unreachable, match="for no feed"):
            site.first(client)

    on_site(act)


def test_an_expired_token_is_refused(on_site):
    def act(site):
        token = site.token(Scope.SPEAKER, expires=NOON - timedelta(days=1))
        with closing(site.client(token_file=token)) as client, pytest.raises(Unreachable, match="has expired"):
            site.first(client)

    on_site(act)


def test_nothing_new_is_said_after_the_wait(on_site):
    def act(site):
        with closing(site.client()) as client:
            known = site.first(client)
            with client.snapshot(known.position, 0.05) as lines:
                return lines

    assert on_site(act) is None


def test_who_waits_is_told_at_once(sqlite_db, tmp_path):
    async def beside():
        async with served(sqlite_db.open(), tmp_path) as site:
            client = site.client()
            known = await asyncio.to_thread(site.first, client)

            def wait():
                with client.snapshot(known.position, 20) as lines:
                    return read(lines, known).touched

            waiting = asyncio.create_task(asyncio.to_thread(wait))
            await asyncio.to_thread(site.commit, Changes(services=(Service(ServiceRef("a", "b")),)))
            site.host.tell(Publication(site.origin.snapshot))
            async with asyncio.timeout(10):
                touched = await waiting
            client.close()
            return touched

    assert asyncio.run(beside()) == {ServiceRef("a", "b")}


def test_one_who_does_not_read_keeps_nobody_waiting(on_site):
    many = tuple(Service(ServiceRef("many", f"s{number}"), labels=(("text", "x" * 4000),)) for number in range(3000))

    def act(site):
        site.commit(Changes(services=many))
        with closing(site.client()) as client, tls(site) as lazy:
            token = client.remote.token_file.read_text()
            request = f"GET /v1/snapshot HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
            lazy.sendall(request.encode())  # 12 MB, and nobody takes them
            return len(site.first(client).snapshot.services)

    assert on_site(act) == 3002


def tls(site):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    host, _, port = site.url.removeprefix("https://").partition(":")
    return context.wrap_socket(socket.create_connection((host, int(port)), 5))


def report(**more):
    return {"reports": [{"serial": "a-1", "node": "n1", "at": NOON.isoformat(), **more}]}


def test_a_report_is_written_with_its_time(on_site):
    claim = {"address": "10.0.42.0", "node": "n1", "mode": "layer2", "interface": "eth0"}

    def act(site):
        with closing(site.client()) as client:
            client.report(report(announced=[claim]))
        return site.origin.store.database.read(
            lambda tx: tx.execute("SELECT node, address, valid_from FROM announcement").fetchall()
        )

    assert on_site(act) == [("n1", "10.0.42.0", "2026-11-22 12:00:00.000000Z")]


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (report(node="n2"), "this token reports for n1, not for n2"),
        (report(announced=[{"address": "10.0.42.0", "node": "n2", "mode": "layer2"}]), "tells of another node"),
        (report(declined=[["10.0.42", "x"]]), "10.0.42"),
        (report(serial="nonsense"), "serial"),
        (report(sessions=[{"node": "n1", "peer": "p", "address": "x", "is_up": True, "asn": 2**32}]), "AS numbers"),
        ({"reports": [{}] * 2}, "Field required"),
        ({"reports": [report()["reports"][0]] * 1001}, "at most 1000"),
        ([], "Input should be"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_report_that_may_not_be_or_means_nothing_is_refused(on_site, document, why):
    def act(site):
        token = site.token(Scope.SPEAKER, node="n1")
        with closing(site.client(token_file=token)) as client, pytest.raises(Unreachable, match=why):
            client.report(document)

    on_site(act)


def test_a_follower_of_names_reports_nothing(on_site):
    def act(site):
        with closing(site.client(Scope.NAMESERVER)) as client, pytest.raises(Unreachable, match="no speaker"):
            client.report(report())

    on_site(act)


def test_the_certificate_is_renewed_a_month_before_it_ends():
    authority = make_authority(NOON)
    certificate = make_server_certificate(authority, NOON)

    days = [day for day in (0, 59, 61, 90) if is_due(certificate, NOON + timedelta(days=day))]

    assert days == [61, 90]


def test_a_follower_goes_on_with_its_disk_and_reports_when_it_is_heard_again(sqlite_db, tmp_path):
    """First met, then cut off and restarted, then met again: in the order in which it happens."""

    async def story():
        told = []

        async def tell(publication):
            told.append((publication.snapshot.revision, publication.age > 0))

        def follower(site):
            remote = Remote(site.url, site.token(Scope.SPEAKER), fingerprint=site.fingerprint)
            return RemoteFollower(remote, tmp_path, tell, Moments(lambda: 0.5, lambda: NOON))

        store = sqlite_db.open()
        async with served(store, tmp_path) as site:
            first = follower(site)
            await first.load()
            await first.meet()
            async with running(first):
                await until((tmp_path / "snapshot.last").exists)
            cut_off = follower(site)
        revision = site.origin.snapshot.revision - 1
        await cut_off.load()
        async with running(cut_off):
            await until(lambda: "not heard" in cut_off.trouble)
            await cut_off.announce("n1", frozenset({CLAIM}))
        waiting = (tmp_path / "reports.journal").read_text().count("\n")
        return told, revision, waiting

    told, revision, waiting = asyncio.run(story())

    assert told == [(revision, False), (revision, True)]
    assert waiting == 1


def test_a_report_that_means_nothing_is_given_up_and_the_others_count(sqlite_db, tmp_path):
    async def story():
        async with served(sqlite_db.open(), tmp_path) as site:
            remote = Remote(site.url, site.token(Scope.SPEAKER), fingerprint=site.fingerprint)
            follower = RemoteFollower(remote, tmp_path, ignored, Moments(lambda: 0.5, lambda: NOON))
            await follower.load()
            await follower.announce("a\nnode", frozenset())
            await follower.announce("n1", frozenset({CLAIM}))
            async with running(follower):
                await until(lambda: not (tmp_path / "reports.journal").exists())
            return site.origin.store.database.read(lambda tx: tx.execute("SELECT node FROM announcement").fetchall())

    assert asyncio.run(story()) == [("n1",)]


def test_sessions_that_changed_while_it_was_cut_off_are_rows_with_their_times_beside_a_report_that_means_nothing(
    sqlite_db, tmp_path
):
    async def story():
        minutes = iter(range(60))
        moments = Moments(lambda: 0.5, lambda: NOON + timedelta(minutes=next(minutes)))
        async with served(sqlite_db.open(), tmp_path) as site:
            remote = Remote(site.url, site.token(Scope.SPEAKER), fingerprint=site.fingerprint)
            follower = RemoteFollower(remote, tmp_path, ignored, moments)
            await follower.load()
            await follower.note_sessions("n1", frozenset({UP}))
            await follower.note_sessions("n1", frozenset({replace(UP, node="n2")}))
            await follower.note_sessions("n1", frozenset({DOWN}))
            async with running(follower):
                await until(lambda: not (tmp_path / "reports.journal").exists())
            return site.origin.store.sessions()

    down, up = asyncio.run(story())

    assert (up.state, up.since, up.until) == (UP, NOON, NOON + timedelta(minutes=2))
    assert (down.state, down.until) == (DOWN, None)


def test_the_roles_of_a_follower_are_told_until_it_ends(sqlite_db, tmp_path):
    speaker = Instance("speaker", "n1", "1.0", "e", 3, ("no CAP_NET_RAW",))

    async def story():
        async with served(sqlite_db.open(), tmp_path) as site:
            remote = Remote(site.url, site.token(Scope.SPEAKER, node="n1"), fingerprint=site.fingerprint)
            moments = Moments(lambda: 0.5, lambda: NOON)
            follower = RemoteFollower(remote, tmp_path, ignored, moments, lambda: (speaker,))
            await follower.load()
            async with running(follower):
                await until(lambda: site.host.fellows() and not follower.trouble)
                while_it_runs = site.host.fellows()
            await follower.close()
            return [(each.instance, each.gone) for each in while_it_runs], site.host.fellows()

    assert asyncio.run(story()) == ([(speaker, None)], ())


def test_a_token_for_one_node_tells_of_no_other(on_site):
    def act(site):
        token = site.token(Scope.SPEAKER, node="n1")
        told = Standing("n2", (Instance("speaker", "n2", "1.0"),))
        with closing(site.client(token_file=token)) as client, client.snapshot(None, 0, told) as lines:
            list(lines)
        return site.host.fellows()

    assert on_site(act) == ()


def versions_of(site, folder, *, is_heard=True):
    """What gives a follower's zones their serials; what it was given is kept in a file."""
    remote = Remote(site.url, site.token(Scope.NAMESERVER), fingerprint=site.fingerprint)
    return closing(AskedVersions(remote, KeptVersions(folder), lambda: is_heard))


def version(revision, content, old=None):
    """A version of the zone that everybody has, its content as a digit."""
    return ZoneVersion("service.", revision, revision, content * 32, old, "" if old is None else f"{old} to {revision}")


def test_followers_that_make_different_steps_have_one_history(on_site):
    def act(site):
        with versions_of(site, site.folder / "a") as one, versions_of(site, site.folder / "b") as other:
            told = [one.number_zones([version(*step)])[0].serial for step in ((10, "0"), (11, "1", 10), (12, "2", 11))]
            assert other.number_zones([version(10, "0")])[0].serial == told[0]
            skipped = other.number_zones([version(13, "2", 10)])[0].serial
            return told, skipped, [each.difference for each in other.zone_chain("service.", skipped)]

    assert on_site(act) == ([10, 11, 12], 12, ["", "10 to 11", "11 to 12"])


def test_a_follower_cut_off_has_the_serials_that_it_was_given(on_site):
    def act(site):
        with versions_of(site, site.folder / "a") as one, versions_of(site, site.folder / "b") as other:
            one.number_zones([version(12, "2")])
            other.number_zones([version(14, "2")])
        with versions_of(site, site.folder / "b", is_heard=False) as again:
            return [again.number_zones([version(*each)])[0].serial for each in ((15, "2"), (16, "3", 12))]

    assert on_site(act) == [12, 16]


def test_what_followers_numbered_alone_never_leads_them_back(on_site):
    def act(site):
        with versions_of(site, site.folder / "a", is_heard=False) as alone:
            alone.number_zones([version(20, "2")])
        with versions_of(site, site.folder / "b") as other, versions_of(site, site.folder / "a") as back:
            other.number_zones([version(12, "2")])
            return back.number_zones([replace(version(21, "2", 20), serial=21)])[0].serial

    assert on_site(act) == 21


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"origin": "elsewhere."}, "no zone of the configuration"),
        ({"revision": 1 << 40}, "not one of this database"),
        ({"serial": 1 << 32}, "serials are below"),
        ({"old_serial": -1}, "serials are below"),
        ({"digest": "0"}, "serials are below"),
        ({"difference": "\x00"}, "a difference has"),
        ({"difference": "x" * (LONGEST + 1)}, "a difference has"),
    ],
)
def test_a_version_that_cannot_be_is_refused(on_site, changed, why):
    def act(site):
        document = {"wanted": [asdict(replace(version(10, "0"), **changed))]}
        with closing(site.client(Scope.NAMESERVER)) as client, pytest.raises(Unreachable, match=why):
            client.told("POST", PATH, document, 5)

    on_site(act)


def test_a_serial_far_above_its_revision_is_brought_down(on_site):
    def act(site):
        with versions_of(site, site.folder / "a") as one:
            return one.number_zones([replace(version(10, "0"), serial=10 + (1 << 20))])[0].serial

    assert on_site(act) == 10


def test_a_database_that_was_begun_anew_leads_no_serial_back(on_site):
    def act(site):
        with versions_of(site, site.folder / "a") as one:
            return one.number_zones([replace(version(3, "1", 500_000), serial=500_001)])[0].serial

    assert on_site(act) == 500_001


@pytest.mark.parametrize("asked", [("POST", PATH, {"wanted": []}), ("GET", f"{PATH}?origin=service.&serial=1", None)])
def test_only_nameservers_have_versions_of_zones(on_site, asked):
    def act(site):
        with closing(site.client(Scope.SPEAKER)) as client, pytest.raises(Unreachable, match="for no nameserver"):
            client.told(*asked, 5)

    on_site(act)


async def ignored(_publication):
    pass
