"""Which router is the peer on a link, and whose advertisements count (RFC 4861 section 6.1.2)."""

from ipaddress import IPv6Address

import pytest

from suite.bgp.advert import SILENCE, RouterOnLink, advertisement, is_advertisement

FIRST, SECOND = IPv6Address("fe80::1%eth0"), IPv6Address("fe80::2%eth0")
GLOBAL = IPv6Address("2001:db8::1")


def test_ours_makes_nobody_a_default_router_and_gives_no_prefix() -> None:
    assert advertisement().hex() == "86000000000000000000000000000000"


@pytest.mark.parametrize(
    ("octets", "source", "hop_limit", "counts"),
    [
        (advertisement(), FIRST, 255, True),
        (advertisement(), FIRST, 254, False),
        (advertisement(), GLOBAL, 255, False),
        (advertisement()[:15], FIRST, 255, False),
        (b"\x87" + advertisement()[1:], FIRST, 255, False),
        (b"\x86\x01" + advertisement()[2:], FIRST, 255, False),
        (b"", FIRST, 255, False),
    ],
    ids=[
        "valid",
        "from beyond the link",
        "no link-local source",
        "too short",
        "a solicitation",
        "another code",
        "empty",
    ],
)
def test_only_a_neighbor_s_whole_advertisement_counts(
    octets: bytes, source: IPv6Address, hop_limit: int, counts: bool
) -> None:
    assert is_advertisement(octets, source, hop_limit) is counts


def test_the_first_router_heard_is_the_peer() -> None:
    known = RouterOnLink()

    assert known.hear(FIRST, 10.0)
    assert known.address == FIRST


def test_a_router_that_goes_on_speaking_is_no_news() -> None:
    known = RouterOnLink()
    known.hear(FIRST, 10.0)

    assert not known.hear(FIRST, 20.0)


def test_a_second_router_waits_while_the_first_one_speaks() -> None:
    known = RouterOnLink()
    known.hear(FIRST, 10.0)

    assert not known.hear(SECOND, 10.0 + SILENCE - 1)
    assert known.address == FIRST


def test_a_second_router_takes_over_from_a_silent_one() -> None:
    known = RouterOnLink()
    known.hear(FIRST, 10.0)

    assert known.hear(SECOND, 10.0 + SILENCE)
    assert known.address == SECOND
