"""Whatever arrives from a LAN: no crash, no answer that should not be, and the kernel's filter never hides a question."""

from hypothesis import given
from hypothesis import strategies as st

from suite.l2 import arp, ndp, packet_filter
from suite.l2.drop import Drop
from suite.l2.frames import templates

OURS = bytes.fromhex("020000001001")
addresses4 = st.binary(min_size=4, max_size=4)
addresses6 = st.binary(min_size=16, max_size=16)
macs = st.binary(min_size=6, max_size=6)
VIP4, VIP6 = bytes([10, 0, 42, 0]), bytes.fromhex("fd000042000000000000000000010002")
REPLIES4 = {VIP4: arp.prepare(templates().arp, VIP4, OURS)}
REPLIES6 = {VIP6: ndp.prepare(templates().advertisement, VIP6, OURS)}
VALID4 = arp.probe(templates().arp, VIP4, bytes.fromhex("020000000099"))
VALID6 = ndp.probe(templates().solicitation, VIP6, bytes.fromhex("020000000099"))


@st.composite
def spoiled(draw: st.DrawFn, valid: bytes) -> bytes:
    """A valid frame with a few bytes changed, cut or appended: much deeper than random bytes reach."""
    frame = bytearray(valid)
    for _ in range(draw(st.integers(0, 4))):
        frame[draw(st.integers(0, len(frame) - 1))] = draw(st.integers(0, 255))
    return (
        bytes(frame[: draw(st.integers(0, len(frame)))])
        if draw(st.booleans())
        else bytes(frame) + draw(st.binary(max_size=40))
    )


@given(st.one_of(st.binary(max_size=200), spoiled(VALID4)))
def test_any_arp_frame_is_answered_well_formed_or_dropped_for_a_reason(frame: bytes) -> None:
    outcome = arp.answer(frame, REPLIES4, OURS)

    assert isinstance(outcome, Drop) or (
        outcome[:6] == frame[22:28] and outcome[6:32] == REPLIES4[VIP4] and outcome[32:] == frame[22:32]
    )
    arp.claim(frame, OURS)


@given(st.one_of(st.binary(max_size=200), spoiled(VALID6)))
def test_any_ipv6_frame_is_answered_with_a_valid_advertisement_or_dropped_for_a_reason(frame: bytes) -> None:
    outcome = ndp.answer(frame, REPLIES6, OURS)

    assert isinstance(outcome, Drop) or (ndp.invalid(outcome) is None and outcome[62:78] == VIP6)
    ndp.claim(frame, OURS)


@given(st.sets(addresses4.filter(any), min_size=1, max_size=40), st.lists(addresses4, max_size=20), st.integers(1, 50))
def test_the_filter_passes_every_owned_address_and_without_merging_no_other(
    owned: set[bytes], others: list[bytes], most: int
) -> None:
    merged = packet_filter.arp(owned, most)
    exact = packet_filter.arp(owned)

    assert all(packet_filter.run(merged, VALID4[:38] + address) for address in owned)
    assert all(
        packet_filter.run(exact, VALID4[:28] + bytes(10) + address) is (address in owned)
        for address in others
        if any(address)
    )


@given(st.sets(addresses6, min_size=1, max_size=20), addresses6)
def test_the_filter_passes_every_solicitation_for_an_owned_address(owned: set[bytes], other: bytes) -> None:
    program = packet_filter.discovery(owned)
    endings = {address[12:] for address in owned}

    assert all(packet_filter.run(program, VALID6[:62] + address) for address in owned)
    assert packet_filter.run(program, VALID6[:62] + other) is (other[12:] in endings)


@given(addresses6, macs)
def test_the_checksum_of_every_probe_and_advertisement_is_right(address: bytes, mac: bytes) -> None:
    frames = (
        ndp.probe(templates().solicitation, address, mac),
        ndp.announcement(ndp.prepare(templates().advertisement, address, mac)),
    )

    assert [ndp.checksum(frame[14:56] + bytes(2) + frame[58:]) for frame in frames] == [
        frame[56:58] for frame in frames
    ]
