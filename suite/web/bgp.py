"""The part of the API about BGP sessions."""

from fastapi import FastAPI

from suite.model.peering import Peering
from suite.web.backend import Backend


def add_bgp(app: FastAPI, backend: Backend) -> None:
    """``/v1/bgp/peers``."""

    @app.get("/v1/bgp/peers", tags=["state"])
    def peers(peer: str = "") -> list[Peering]:
        """The BGP sessions of this node, with their history and the last routes they sent."""
        return [each for each in backend.peerings() if not peer or each.peer == peer]
