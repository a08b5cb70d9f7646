"""Every DNS vector against a running server: UDP and TCP, IPv4 and IPv6."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from dns_running import running

sys.path.insert(0, str(Path(__file__).parents[1] / "vectors" / "dns"))
import script
import streams
from served_zones import versions, zones

from suite.dns.feed import ReplaceZone


@pytest.fixture(scope="module")
def servers():
    """One server for each state of the zones; the one that most cases are about has processes, as in earnest."""
    with (
        running(zones(), script.SETTINGS, processes=True) as ready,
        running(zones("unready"), script.SETTINGS, processes=False) as unready,
        running(zones("stale"), script.SETTINGS, processes=False) as stale,
        running(zones(), script.ADVERTISING, processes=False) as advertising,
    ):
        for revision, zone in enumerate(versions(), 2):
            ready.publish(ReplaceZone(zone), revision=revision)
        yield {"ready": ready, "unready": unready, "stale": stale, "advertising": advertising}


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(("transport", "case"), script.pairs(*script.FILES), ids=str)
def test_the_running_server_answers(servers, transport, case, version):
    is_silent = case.raw is not None and case.raw[0] == "SILENCE"

    server, sent = servers[case.state], case.sent(int(time.time()))
    ask = server.udp if transport == "udp" else server.tcp
    reply = ask(sent, version, expect=not is_silent)
    if reply is not None and case.raw is None and transport == "udp":
        again = ask(sent, version)  # a second time from the answers made ready by the first
        assert again is not None
        script.judge(case, sent, again, transport)

    script.judge(case, sent, reply, transport)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("case", streams.scripts(), ids=str)
def test_the_running_server_holds_a_conversation(servers, case, version):
    with servers["ready"].connect(version) as sock:
        streams.play(case, streams.Plugged(sock))
