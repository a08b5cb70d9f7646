"""Every DNS vector against the pure core: octets in, octets out."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "dns"))
import script

from suite.dns.settings import Context
from suite.dns.wire import respond

ZONES = {state: script.zones(state) for state in ("ready", "unready", "stale")}
CLIENT = b"\x7f\0\0\1"


@pytest.mark.parametrize(("transport", "case"), script.pairs(*script.FILES), ids=str)
def test_the_pure_core_answers(transport, case):
    now = int(time.time())
    sent = case.sent(now)

    reply = respond(ZONES[case.state], sent, Context(script.SETTINGS, CLIENT, now, tcp=transport == "tcp"))

    script.judge(case, sent, reply, transport)
