"""The zone of a time is found by its name, by TZ, or by this machine's setting; what is no zone is told."""

import pytest

from suite.cli.clock import find_zone
from suite.cli.fault import Fault


@pytest.mark.parametrize(
    "name",
    ["Europe/Berlin", ":Europe/Berlin", "/usr/share/zoneinfo/Europe/Berlin", ":/usr/share/zoneinfo/Europe/Berlin"],
)
def test_a_zone_is_found_as_tz_writes_it(name):
    assert str(find_zone(name)) == "Europe/Berlin"


def test_without_a_name_it_is_this_machine_s():
    assert find_zone("") is not None


@pytest.mark.parametrize("name", ["Europe/Atlantis", "CET-1CEST", "../../etc/passwd", "/etc/passwd", "Europe"])
def test_what_is_no_zone_is_wrong_usage(name):
    with pytest.raises(Fault, match="is no time zone this machine knows") as caught:
        find_zone(name)

    assert caught.value.exit_code == 2
