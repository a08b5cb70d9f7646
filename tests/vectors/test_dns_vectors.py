"""Every DNS vector against the pure core: octets in, octets out."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "dns"))
import script
import streams
from served_zones import versions, zones

from suite.dns.fastpath import Compiled
from suite.dns.feed import ReplaceZone, SetState
from suite.dns.settings import Context
from suite.dns.wire import respond

ZONES = {state: zones(state) for state in ("ready", "unready", "stale", "advertising")}
CLIENT = b"\x7f\0\0\1"


@pytest.mark.parametrize(("transport", "case"), script.pairs(*script.FILES), ids=str)
def test_the_pure_core_answers(transport, case):
    now = int(time.time())
    sent = case.sent(now)

    reply = respond(ZONES[case.state], sent, Context(case.settings, CLIENT, now, tcp=transport == "tcp"))

    script.judge(case, sent, reply, transport)


@pytest.fixture(scope="module")
def compiled():
    """The answers of a worker for TCP, with a zone that has a history."""
    made = Compiled(zones(), script.SETTINGS, lambda: int(time.time()), "tcp")
    for zone in versions():
        made.apply([ReplaceZone(zone), SetState(ready=True, stale=False)])
    return made


@pytest.mark.parametrize("case", streams.scripts(), ids=str)
def test_the_pure_core_holds_a_conversation(compiled, case):
    streams.play(case, streams.Unplugged(compiled, CLIENT))
