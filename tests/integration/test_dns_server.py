"""Every DNS vector against a running server: UDP and TCP, IPv4 and IPv6; dnspython judges all, dig all that it can send."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from dns_running import running
from fix_netns import require_tools

sys.path.insert(0, str(Path(__file__).parents[1] / "vectors" / "dns"))
import dig
import script
import streams
from served_zones import versions, zones

from suite.dns.feed import ReplaceZone

by_dig, not_by_dig = dig.rows(script.pairs(*script.FILES))
copies, not_copied = dig.copies(streams.scripts())


@pytest.fixture(scope="module")
def servers():
    """One server for each state of the zones; the one that most cases are about has processes, as in earnest."""
    with (
        running(zones(), script.SETTINGS, processes=True) as ready,
        running(zones("unready"), script.SETTINGS, processes=False) as unready,
        running(zones("stale"), script.SETTINGS, processes=False) as stale,
        running(zones(), script.ADVERTISING, processes=False) as advertising,
    ):
        for revision, zone in enumerate(versions(), 2):
            ready.publish(ReplaceZone(zone), revision=revision)
        yield {"ready": ready, "unready": unready, "stale": stale, "advertising": advertising}


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(("transport", "case"), script.pairs(*script.FILES), ids=str)
def test_the_running_server_answers(servers, transport, case, version):
    is_silent = case.raw is not None and case.raw[0] == "SILENCE"

    server, sent = servers[case.state], case.sent(int(time.time()))
    ask = server.udp if transport == "udp" else server.tcp
    reply = ask(sent, version, expect=not is_silent)
    if reply is not None and case.raw is None and transport == "udp":
        again = ask(sent, version)  # a second time from the answers made ready by the first
        assert again is not None
        script.judge(case, sent, again, transport)

    script.judge(case, sent, reply, transport)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("case", streams.scripts(), ids=str)
def test_the_running_server_holds_a_conversation(servers, case, version):
    with servers["ready"].connect(version) as sock:
        streams.play(case, streams.Plugged(sock))


@pytest.fixture(scope="module", params=[4, 6])
def printed(servers, request):
    """The version of IP, and what dig prints of every row: one process of dig asks one server everything, but for keys."""
    require_tools("dig")
    found = {}
    for state, server in servers.items():
        asked = [(transport, case) for transport, case in by_dig if case.state == state]
        answers = dig.dig(server.address(request.param)[1], request.param, asked)
        found |= {(transport, str(case)): each for (transport, case), each in zip(asked, answers, strict=True)}
    return request.param, found


@pytest.mark.parametrize(("transport", "case"), by_dig, ids=str)
def test_dig_prints_what_the_row_says(printed, transport, case):
    version, found = printed

    dig.judge(case, found[transport, str(case)], transport, version)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("case", copies, ids=str)
def test_dig_copies_what_the_script_says(servers, case, version):
    require_tools("dig")

    dig.judge_copy(case, dig.copy(servers["ready"].address(version)[1], version, case))


def test_no_two_rows_have_one_title():
    rows = [(transport, str(case)) for transport, case in script.pairs(*script.FILES)]

    assert len(set(rows)) == len(rows)


def test_dig_judges_every_row_but_those_it_cannot_send():
    """A row that leaves dig's hands is written down here, with what dig cannot do."""
    assert not_by_dig == {
        "a clock that is off": {
            "a clock that is behind by more than the fudge is BADTIME, signed, with our time (RFC 8945 5.2.3)",
            "a clock that is ahead by more than the fudge is BADTIME",
            "a clock within the fudge is good",
        },
        "a transfer over UDP": {
            "AXFR over UDP is refused (RFC 5936 4.2)",
            "IXFR over UDP gives the SOA, which sends the client to TCP (RFC 1995 2)",
            "a transfer over UDP is refused, signed or not",
        },
        "an ID changed behind the signature": {"the original ID counts where a forwarder changed it"},
        "an rcode in a query": {"AA, TC, RA and an rcode of the query do not leak"},
        "octets that are no message": {
            "a TSIG cut short",
            "a TSIG that is not the last record (RFC 8945 5.1)",
            "a name of 256 octets",
            "a pointer forward",
            "a pointer into the header",
            "a pointer to itself",
            "a question cut short",
            "a question without class",
            "a record longer than the packet",
            "an OPT whose owner is not the root",
            "an option that runs over its record",
            "label type 01",
            "label type 10",
            "more records announced than there are",
            "octets behind the message are passed over",
            "two OPT records (RFC 6891 6.1.1)",
            "two TSIG records",
            "two pointers that chase each other",
            "two questions (RFC 9619)",
        },
        "what must not be answered": {"a reply is never answered", "less than a header", "one octet"},
    }


def test_dig_copies_by_every_script_but_those_it_cannot_play():
    assert not_copied == {
        "IXFR without a serial": {"IXFR without a serial is the whole zone"},
        "more than one question, waited for": {
            "a connection serves question after question",
            "a half-close without a question closes",
            "a half-closed client still gets its answers",
            "a length of zero closes",
            "a message shorter than a header closes",
            "a question behind a transfer does not wait for its end (RFC 7766 6.2.1.1)",
            "a question in single octets is answered (RFC 7766 8)",
            "a reply is not answered, and the connection goes on",
            "half a question is no question",
            "twenty questions in one segment are answered (RFC 7766 6.2.1.1)",
            "what came before it is still answered",
        },
        "two transfers at once": {"two transfers at once"},
    }
