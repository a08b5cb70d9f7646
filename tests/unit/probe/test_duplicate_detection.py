"""Asking before using: silence makes an address clean, one answer makes it taken (RFC 5227, RFC 4862)."""

import pytest

from suite.l2.arp import Claim
from suite.l2.probe import QUICK, RFC4862, RFC5227, Finding, Probes, Timing, Verdict

VIP = bytes([10, 0, 42, 0])
STRANGER, COLLEAGUE = bytes.fromhex("0200000000ff"), bytes.fromhex("020000001002")
FLEET = frozenset({COLLEAGUE})


def asked(timing: Timing = QUICK, chance: float = 0.0) -> Probes:
    probes = Probes()
    probes.ask(VIP, timing, [chance] * timing.count)
    probes.next_timer()
    return probes


def played(probes: Probes, until: float = 100.0) -> tuple[list[float], list[Finding]]:
    """Jump from timer to timer: the moments at which a probe was sent, and the findings."""
    sent: list[float] = []
    findings: list[Finding] = []
    now = 0.0
    while now <= until:
        sent += [round(now, 3)] * len(probes.advance(now))
        findings += probes.findings()
        timer = probes.next_timer()
        if timer is None:
            break
        now = max(now, timer)
    return sent, findings


@pytest.mark.parametrize(
    ("timing", "chance", "sent", "clean_at"),
    [
        pytest.param(QUICK, 0.0, [0.0, 0.1, 0.2], 0.45, id="quick"),
        pytest.param(RFC5227, 0.0, [0.0, 1.0, 2.0], 4.0, id="RFC 5227, shortest"),
        pytest.param(RFC5227, 0.5, [0.5, 2.0, 3.5], 5.5, id="RFC 5227, middle"),
        pytest.param(RFC4862, 0.5, [0.5], 1.5, id="RFC 4862"),
    ],
)
def test_silence_after_the_last_probe_makes_an_address_clean(
    timing: Timing, chance: float, sent: list[float], clean_at: float
) -> None:
    assert played(asked(timing, chance)) == (sent, [Finding(VIP, Verdict.CLEAN, pytest.approx(clean_at))])


@pytest.mark.parametrize("is_probe", [False, True], ids=["uses it", "probes for it too"])
def test_a_stranger_with_the_address_is_reported_with_its_mac(is_probe: bool) -> None:
    probes = asked()
    probes.advance(0.0)

    probes.observe(Claim(VIP, STRANGER, is_probe), 0.02, FLEET)

    assert list(probes.findings()) == [Finding(VIP, Verdict.TAKEN, 0.02, STRANGER)]


def test_one_of_our_own_nodes_with_the_address_is_no_stranger() -> None:
    probes = asked()
    probes.advance(0.0)

    probes.observe(Claim(VIP, COLLEAGUE), 0.02, FLEET)

    assert list(probes.findings()) == [Finding(VIP, Verdict.FLEET, 0.02, COLLEAGUE)]


def test_two_of_our_own_nodes_probing_at_once_prove_nothing() -> None:
    probes = asked()
    probes.advance(0.0)

    probes.observe(Claim(VIP, COLLEAGUE, is_probe=True), 0.02, FLEET)

    assert list(probes.findings()) == []


def test_claims_of_other_addresses_do_not_matter() -> None:
    probes = asked()
    probes.advance(0.0)

    probes.observe(Claim(bytes([10, 0, 42, 1]), STRANGER), 0.02)

    assert played(probes)[1][0].verdict is Verdict.CLEAN


def test_after_ten_taken_addresses_new_probes_are_a_minute_apart() -> None:
    probes = Probes()
    for number in range(10):
        address = bytes([10, 0, 42, number])
        probes.ask(address, QUICK, [0.0] * 3)
        probes.advance(0.0)
        probes.observe(Claim(address, STRANGER), 0.0)
    list(probes.findings())

    probes.ask(VIP, QUICK, [0.0] * 3)

    assert (probes.advance(59.9), probes.next_timer(), probes.advance(60.0)) == ([], 60.0, [VIP])


def test_more_addresses_than_fit_wait_for_their_turn() -> None:
    probes = Probes()
    for number in range(300):
        probes.ask(bytes([10, 0, number // 200, number % 200]), QUICK, [0.0] * 3)

    sent, findings = played(probes)

    assert (len(sent), len(findings), findings[-1].at) == (900, 300, pytest.approx(0.9))


def test_a_forgotten_question_gets_no_finding() -> None:
    probes = asked()
    probes.advance(0.0)

    probes.forget(VIP)

    assert played(probes) == ([], [])


def test_the_random_numbers_must_be_as_many_as_the_probes() -> None:
    with pytest.raises(ValueError, match="3 probes need 3 random numbers, not 1"):
        Probes().ask(VIP, QUICK, [0.5])
