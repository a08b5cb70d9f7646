"""Which changed settings wait for a start."""

from dataclasses import replace
from ipaddress import ip_address

from suite.config.restart import wait_for_restart
from suite.model.configuration import Configuration, Listen

STARTED = Configuration()
MOVED = replace(STARTED, dns=replace(STARTED.dns, listen=(Listen(ip_address("10.0.0.1"), 53),)), roles=("web",))


def test_what_a_running_program_takes_up_waits_for_nothing():
    assert wait_for_restart(STARTED, replace(STARTED, hold_time=5, digest="other")) == ()


def test_what_only_a_start_reads_is_named_as_in_the_file():
    assert wait_for_restart(STARTED, MOVED) == ("roles", "dns.listen")
