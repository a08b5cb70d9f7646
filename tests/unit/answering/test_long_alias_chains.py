"""How far aliases are followed for one question."""

from itertools import pairwise

import pytest

from suite.dns import rrtype
from suite.dns.answer import ask
from suite.dns.catalogue import Zones
from suite.dns.name import from_text
from suite.dns.rdata import parse_rdata
from suite.dns.rrset import RRset
from suite.dns.zone import Zone

ORIGIN = from_text("service.")


def chain(length: int) -> Zones:
    """A zone in which so many aliases lead from `n0` to an address."""
    names = [from_text(f"n{number}.service.") for number in range(length + 1)]
    soa = RRset(ORIGIN, rrtype.SOA, 30, (parse_rdata(rrtype.SOA, "ns.service. host.service. 1 2 3 4 5"),))
    aliases = [RRset(here, rrtype.CNAME, 30, (there,)) for here, there in pairwise(names)]
    return Zones.of([Zone.build(ORIGIN, [soa, *aliases, RRset(names[-1], rrtype.A, 30, (b"\x0a\0\0\1",))])])


@pytest.mark.parametrize(("length", "aliases", "addresses"), [(15, 15, 1), (16, 16, 1), (17, 17, 0), (18, 17, 0)])
def test_sixteen_aliases_lead_to_the_address_and_longer_chains_end_without_it(length, aliases, addresses):
    answer = ask(chain(length), from_text("n0.service."), rrtype.A)

    types = [rrset.rtype for rrset in answer.answer]
    assert (answer.rcode, types) == (rrtype.NOERROR, [rrtype.CNAME] * aliases + [rrtype.A] * addresses)
