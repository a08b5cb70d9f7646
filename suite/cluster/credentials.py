"""A cluster's word on who asks: tokens of ServiceAccounts are reviewed, and the suite's certificate is made known.

The audience is the suite's own, so a token that was made for another service counts for nothing here, and ours for
nothing there.
"""

import asyncio
import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from suite.cluster.connection import ApiError

if TYPE_CHECKING:
    from suite.cluster.kubernetes import KubernetesConnection

AUDIENCE = "suite"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
KEY = "authority.pem"
"""Of the ConfigMap that holds the certificate."""
PREFIX = "system:serviceaccount:"
NODE = "authentication.kubernetes.io/node-name"
"""Where newer servers say on which node the pod of a token is."""


@dataclass(frozen=True, slots=True)
class ServiceAccountToken:
    """What a review found."""

    account: str
    """namespace/name."""
    expires: float
    """Unix time."""
    node: str = ""


class Credentials:
    """A connection that is made when it is first needed."""

    def __init__(self, kubeconfig: str = "") -> None:
        self._kubeconfig = kubeconfig
        self._connection: KubernetesConnection | None = None
        self._connecting = asyncio.Lock()

    async def close(self) -> None:
        """Give the connection up."""
        if self._connection is not None:
            await self._connection.close()

    async def review(self, token: str) -> ServiceAccountToken | None:
        """Whose token it is; None when the cluster does not know it, or it is for somebody else.

        Raises:
            ApiError: the server refuses to say.
            Lost: it does not answer.
        """
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [AUDIENCE]},
        }
        answer = await (await self._connected()).create(REVIEWS, body)
        return read_review(answer, token)

    async def publish(self, place: str, certificate: str) -> None:
        """Make ConfigMap ``place`` (namespace/name) say which certificate the suite's is; nothing is sent when it does.

        Raises:
            ApiError: the server refuses.
            Lost: it does not answer.
        """
        connection = await self._connected()
        namespace, _, name = place.rpartition("/")
        path = f"/api/v1/namespaces/{namespace or 'default'}/configmaps"
        content = {KEY: certificate}
        try:
            found = await connection.get(f"{path}/{name}")
        except ApiError as error:
            if error.status != 404:
                raise
            metadata = {"name": name, "labels": {"app.kubernetes.io/managed-by": "suite"}}
            await connection.create(
                path, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": content}
            )
            return
        if (found.get("data") or {}).get(KEY) != certificate:
            await connection.patch(f"{path}/{name}", {"data": content})

    async def _connected(self) -> "KubernetesConnection":
        from suite.cluster.kubernetes import connect  # a quarter of a second and 30 MB that few processes need

        async with self._connecting:
            if self._connection is None:
                self._connection = await connect(self._kubeconfig, instance="feed")
            return self._connection


def read_review(answer: dict[str, Any], token: str) -> ServiceAccountToken | None:
    """What a TokenReview says of a token; the audience is checked again, because old servers ignore that field."""
    status = answer.get("status") or {}
    user = status.get("user") or {}
    name = user.get("username") or ""
    if not status.get("authenticated") or AUDIENCE not in (status.get("audiences") or ()):
        return None
    if not name.startswith(PREFIX):
        return None
    namespace, _, account = name.removeprefix(PREFIX).partition(":")
    nodes = (user.get("extra") or {}).get(NODE) or [""]
    return ServiceAccountToken(f"{namespace}/{account}", _end_of(token), nodes[0])


def _end_of(token: str) -> float:
    """When a token (RFC 7519) ends, as it says itself; it was just found good.  Unix time, 0 where it does not say."""
    try:
        body = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return float(claims["exp"])
    except (IndexError, KeyError, ValueError, TypeError, binascii.Error):
        return 0.0
