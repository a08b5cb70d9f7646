"""Record data is shown as people write it, and never hidden when it is malformed."""

import pytest

from suite.dns import rrtype
from suite.dns.name import from_text
from suite.dns.presentation import rdata_text

HOST = from_text("host.example.")


@pytest.mark.parametrize(
    ("rtype", "rdata", "text"),
    [
        pytest.param(rrtype.A, b"\x0a\x00\x2a\x00", "10.0.42.0", id="A"),
        pytest.param(rrtype.AAAA, bytes(15) + b"\x01", "::1", id="AAAA"),
        pytest.param(rrtype.CNAME, HOST, "host.example.", id="CNAME"),
        pytest.param(rrtype.MX, b"\x00\x0a" + HOST, "10 host.example.", id="MX"),
        pytest.param(rrtype.SRV, b"\x00\x01\x00\x02\x1f\x90" + HOST, "1 2 8080 host.example.", id="SRV"),
        pytest.param(
            rrtype.SOA,
            HOST + HOST + b"".join(number.to_bytes(4) for number in (7, 60, 10, 600, 5)),
            "host.example. host.example. 7 60 10 600 5",
            id="SOA",
        ),
        pytest.param(rrtype.TXT, b'\x02hi\x03a"\x07', '"hi" "a\\"\\007"', id="TXT"),
        pytest.param(rrtype.TXT, b"\x01a\x00", '"a" ""', id="TXT-empty-string"),
        pytest.param(65280, b"\x01\x02", "\\# 2 0102", id="unknown-type"),
        pytest.param(rrtype.A, b"\x0a\x00", "\\# 2 0a00", id="A-too-short"),
        pytest.param(rrtype.NS, HOST + b"x", "\\# 15 04686f7374076578616d706c650078", id="octets-behind-a-name"),
        pytest.param(rrtype.NS, b"\x05ab", "\\# 3 056162", id="name-cut-short"),
        pytest.param(rrtype.MX, b"\x00", "\\# 1 00", id="MX-cut-short"),
        pytest.param(rrtype.TXT, b"\x05ab", "\\# 3 056162", id="string-cut-short"),
        pytest.param(rrtype.TXT, b"", "\\# 0", id="nothing"),
    ],
)
def test_data_is_shown_in_the_form_of_its_type_or_as_octets(rtype, rdata, text):
    assert rdata_text(rtype, rdata) == text


def test_a_compressed_name_is_read_against_its_packet():
    packet = HOST + b"\x03www\xc0\x00"

    assert rdata_text(rrtype.CNAME, packet, len(HOST), 6) == "www.host.example."
