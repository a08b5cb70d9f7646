"""One cable between a router and a node, for tests of BGP and BFD: the fixture `bgplab`.

    def test_something(bgplab):
        bird = bgplab.bird(bird_bgp())
        with bgplab.announcing(peer_config()):
            assert bird.has("10.10.10.10/32")

What stands at its ends is in `routers`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from fix_netns import NetLab
    from routers import BgpLab


@pytest.fixture
def bgplab(netlab: NetLab, tmp_path: Path) -> BgpLab:
    """A lab whose router runs nothing yet."""
    from routers import BgpLab

    return BgpLab(netlab, tmp_path)
