"""The reverse name of any address is the one the address itself gives (RFC 1035 section 3.5, RFC 3596 section 2.5)."""

from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st

from suite.dns.name import from_text
from suite.nameserver.reverse import ReverseZone


@given(st.ip_addresses())
def test_any_address_has_the_reverse_name_that_it_should(address: object) -> None:
    whole = ReverseZone(ip_network("0.0.0.0/0" if address.version == 4 else "::/0"), b"")

    assert whole.owner(address) == from_text(address.reverse_pointer + ".")
