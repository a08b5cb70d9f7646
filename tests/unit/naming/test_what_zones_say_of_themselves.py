"""What a zone says at its own name: its mailbox, and where its name servers are."""

import pytest
from zone_worlds import snapshot_of

from suite.dns import name, rrtype
from suite.model.address import parse_address
from suite.nameserver.apex import apex_of

ZONES = ("service", "lab.home.arpa", "deep.service")


@pytest.mark.parametrize(
    ("contact", "mailbox"),
    [
        ("john.doe@example.com", r"john\.doe.example.com."),
        ("root@lab", "root.lab."),
        ("hostmaster.example.com", "hostmaster.example.com."),
        ("hostmaster", "hostmaster.service."),
        (f"{64 * 'x'}@example.com", "hostmaster.service."),
    ],
)
def test_all_before_the_at_sign_of_the_mailbox_is_one_label(contact: str, mailbox: str) -> None:
    soa = apex_of(b"\x07service\0", snapshot_of(contact=contact)).records[0].rdata

    assert name.to_text(name.read(soa, name.split_wire(soa, 0))[0]) == mailbox


@pytest.mark.parametrize(
    ("server", "zone"),
    [("ns1.lab.home.arpa.", "lab.home.arpa."), ("ns.deep.service.", "deep.service."), ("ns1.example.com.", None)],
)
def test_a_name_server_has_its_address_in_the_zone_of_ours_that_it_stands_in(server: str, zone: str | None) -> None:
    snapshot = snapshot_of(zones=ZONES, name_servers=(server,), addresses=(parse_address("192.0.2.53"),))
    found = {text: apex_of(name.from_text(f"{text}."), snapshot).records for text in ZONES}
    addresses = {
        f"{text}.": name.to_text(each.owner)
        for text, all_of in found.items()
        for each in all_of
        if each.rtype == rrtype.A
    }

    assert addresses == ({zone: server} if zone else {})
