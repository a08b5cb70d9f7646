"""A network that is cut without a word: how long PostgreSQL may be silent before its connection counts as lost."""

from suite.store.engine import SETTINGS


def test_an_idle_connection_and_one_with_octets_under_way_are_lost_within_twenty_seconds():
    probes = int(SETTINGS["keepalives_interval"]) * int(SETTINGS["keepalives_count"])
    idle, under_way = int(SETTINGS["keepalives_idle"]) + probes, int(SETTINGS.get("tcp_user_timeout", "0")) / 1000

    assert (0 < idle <= 20, 0 < under_way <= 20) == (True, True)
