"""Whoever stands for election: one winner, and nobody moves without need."""

from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st

from suite.speaker.election import Candidate, elect, rank

addresses = st.one_of(
    st.builds(IPv4Address, st.integers(0, 2**32 - 1)), st.builds(IPv6Address, st.integers(0, 2**128 - 1))
)
names = st.sets(st.text("abcdef-0123456789", min_size=1, max_size=12), min_size=1, max_size=20)


@given(addresses, names)
def test_the_loss_of_a_node_moves_only_its_own_addresses(address: IPv4Address | IPv6Address, nodes: set[str]) -> None:
    order = rank(address, nodes)

    assert all(rank(address, nodes - {lost}) == tuple(name for name in order if name != lost) for lost in nodes)


@given(addresses, names, st.text("xyz", min_size=1, max_size=5))
def test_a_new_node_takes_an_address_for_itself_or_leaves_it_where_it_is(
    address: IPv4Address | IPv6Address, nodes: set[str], newcomer: str
) -> None:
    assert elect(address, map(Candidate, nodes | {newcomer})).winner in {rank(address, nodes)[0], newcomer}


@given(names.filter(lambda nodes: len(nodes) >= 3))
def test_two_hundred_addresses_leave_no_node_idle(nodes: set[str]) -> None:
    three = sorted(nodes)[:3]
    owners = [rank(IPv4Address(0x0A002A00 + number), three)[0] for number in range(200)]

    # 200 addresses over 3 nodes: a share below 30 has a probability of 1 in 10^9.
    assert min(owners.count(node) for node in three) >= 30
