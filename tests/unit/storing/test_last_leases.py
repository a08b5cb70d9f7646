"""The small file of last leases: it outlives the database, so nothing a Service is called may keep it from being written."""

from ipaddress import ip_address
from pathlib import Path

from suite.model.service import ServiceRef
from suite.store.keepsake import keep, recall


def test_what_was_kept_is_recalled(tmp_path: Path):
    keep(tmp_path / "kept", ["10.0.42.0 default/coffee", "2001:db8::1 default/coffee"])

    assert recall(tmp_path / "kept") == {
        ServiceRef("default", "coffee"): (ip_address("10.0.42.0"), ip_address("2001:db8::1"))
    }


def test_a_name_beyond_ascii_is_passed_over_and_the_rest_is_kept(tmp_path: Path):
    keep(tmp_path / "kept", ["10.0.42.0 default/caf\u00e9", "10.0.42.1 default/\ud800", "10.0.42.2 default/tea"])

    assert recall(tmp_path / "kept") == {ServiceRef("default", "tea"): (ip_address("10.0.42.2"),)}
