"""The part of the API about layer 2."""

from fastapi import FastAPI, HTTPException

from suite.model.layer2 import Layer2
from suite.web.backend import Backend
from suite.web.documents import ErrorDocument


def add_layer2(app: FastAPI, backend: Backend) -> None:
    """``/v1/layer2``."""

    @app.get("/v1/layer2", tags=["state"], responses={404: {"model": ErrorDocument}})
    def layer2() -> Layer2:
        """Who owns which address and why, and the nodes, as this node's speaker sees them."""
        found = backend.layer2()
        if found is None:
            raise HTTPException(
                404, {"error": "no speaker announces by layer 2 here", "fix": "look at `suite status`, or ask a node"}
            )
        return found
