"""A controller's turns in processes that are killed at a chosen place (integration/test_killed_anywhere.py).

    python tests/killed_writer.py <orders >answers

Each order is a line of JSON: the database's URL, the names of all Services that are wanted, and when to die: at the n-th
bytecode instruction from the start ("begin") or of the commit ("commit"), or so many seconds after the commit began, which
also falls into what SQLite and libpq do in C ("after").  Without one of them nobody dies, and all instructions are counted
unless they are "uncounted", which is faster.
Each runs in a process of its own, forked from this one, which has done it all once, so that only first times are missing.
The answer is what that process told before it died.
"""

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import FrameType
from typing import Any

from suite.cluster.source import Batch
from suite.controller.plan import Planner
from suite.model.address import parse_range
from suite.model.configuration import Configuration
from suite.model.pool import Pool
from suite.model.service import Port, Service, ServiceRef, ServiceType
from suite.store import open_store
from suite.store.engine import open_database

CONFIGURATION = Configuration((Pool("pool", (parse_range("10.0.42.0/24"),)),), digest="1", hold_time=3600)


class Count:
    """Counts every bytecode instruction, and dies at one of them."""

    def __init__(self, fatal: int | None) -> None:
        self.done = 0
        self.fatal = fatal

    def __call__(self, frame: FrameType, _event: str, _argument: Any) -> "Count":
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        self.done += 1
        if self.done == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return self


def turn(order: dict[str, Any], tell: Callable[[dict[str, float]], object]) -> None:
    """One turn over all that is wanted, in a process that has just started."""
    count = Count(order.get("begin"))
    sys.settrace(count if not {"commit", "after", "uncounted"} & order.keys() else None)
    with open_store(order["url"]) as store:
        snapshot = store.read()
        changes = Planner(snapshot).turn(listing(order["wanted"]), datetime.now(UTC), CONFIGURATION)
        before = count.done
        if "commit" in order:
            count.fatal = order["commit"]
            sys.settrace(count)
        tell({"begin": before})
        began = time.perf_counter()
        store.commit(changes, snapshot, now=datetime.now(UTC))
        done = {"commit": count.done - before, "after": time.perf_counter() - began}
        sys.settrace(None)
        tell(done)


def listing(names: list[str]) -> Batch:
    services = (
        Service(ServiceRef("default", name), f"uid-{name}", ServiceType.LOAD_BALANCER, ports=(Port(80),))
        for name in names
    )
    return Batch(services=tuple(services), is_full=True)


def answer(order: dict[str, Any]) -> dict[str, Any]:
    """What a process of its own came to."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        turn(order, lambda said: os.write(writing, json.dumps(said).encode() + b"\n"))
        os._exit(0)
    os.close(writing)
    told: dict[str, Any] = {}
    with os.fdopen(reading) as telling:
        for line in telling:
            told |= json.loads(line)
            if "after" in order and "commit" not in told:
                time.sleep(order["after"])
                os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    return {**told, "was killed": os.WIFSIGNALED(status), "status": status}


if __name__ == "__main__":
    open_database("postgresql://nobody@/nothing").close()  # connects to nothing, and has its driver imported
    with tempfile.TemporaryDirectory() as folder:
        turn({"url": f"sqlite:///{folder}/suite.db", "wanted": [], "uncounted": 1}, lambda _: None)
    for each in sys.stdin:
        sys.stdout.write(json.dumps(answer(json.loads(each))) + "\n")
        sys.stdout.flush()
