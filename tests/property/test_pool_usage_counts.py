"""Counting a pool by runs of addresses comes to what counting every address comes to."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from rpds import HashTrieMap

from suite.ipam.usage import pool_usage
from suite.model.address import Range, address_of, is_buggy
from suite.model.configuration import Configuration
from suite.model.lease import Lease, LeaseState, Reservation
from suite.model.pool import Pool
from suite.model.service import ServiceRef
from suite.model.snapshot import Snapshot

FIRST = 0x0A002A00 - 40
"""Forty before 10.0.42.0, so that runs cross an address that old equipment drops."""
COFFEE = ServiceRef("default", "coffee")
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def address(at):
    return address_of(4, FIRST + at)


SPANS = st.lists(
    st.builds(lambda at, size: Range(address(at), address(at + size)), st.integers(0, 70), st.integers(0, 30)),
    max_size=4,
)


@st.composite
def pools(draw):
    """A pool, the addresses that are leased in it, and reservations anywhere."""
    pool = Pool(
        "p",
        tuple(draw(SPANS)) or (Range(address(0), address(9)),),
        excluded=tuple(draw(SPANS)),
        avoid_buggy=draw(st.booleans()),
    )
    inside = [at for at in range(110) if address(at) in pool]
    leased = draw(st.dictionaries(st.sampled_from(inside), st.sampled_from(LeaseState), max_size=8)) if inside else {}
    kept = [Reservation(span.first, last=None if span.size == 1 else span.last) for span in draw(SPANS)]
    return pool, leased, kept


@given(pools())
def test_runs_count_what_single_addresses_count(drawn):
    pool, leased, kept = drawn
    leases = {address(at): (Lease(address(at), COFFEE, "p", state, "g", NOW),) for at, state in leased.items()}
    reserved = {number for each in kept for number in range(int(each.address), int(each.last or each.address) + 1)}
    everything = {FIRST + at for at in range(110) if address(at) in pool}

    [found] = pool_usage(
        Snapshot(configuration=Configuration((pool,), reservations=tuple(kept)), leases=HashTrieMap(leases))
    )

    assert found.total == len(everything)
    assert found.reserved == len((everything & reserved) - {FIRST + at for at in leased})
    assert found.bound == sum(state is LeaseState.BOUND for state in leased.values())
    assert found.free == len(everything - reserved - {FIRST + at for at in leased})


@given(st.integers(0, 700), st.integers(0, 700))
def test_buggy_addresses_are_counted_without_walking(at, size):
    pool = Pool("p", (Range(address(at), address(at + size)),), avoid_buggy=True)

    [found] = pool_usage(Snapshot(configuration=Configuration((pool,))))

    assert found.total == sum(not is_buggy(address(at + step)) for step in range(size + 1))
