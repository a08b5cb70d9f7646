"""The connection to a cluster's API server: the official client's asyncio half, raw JSON in and out.

The one module of this package with sockets.  Typed models are not used: they refuse servers older or newer than
themselves, and a list of Services costs ten times as much.  What is read and written over the connection stands in
``reflector`` (list and watch), ``cluster_source`` and ``writer``.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import yaml
from kubernetes.aio import config as kube_config
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config.incluster_config import InClusterConfigLoader

from suite.cluster.connection import ApiError, Lost

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a kubelet puts a pod's token, which it renews, and the certificate of the server's authority."""
CONNECT_TIMEOUT = 10.0
REQUEST_TIMEOUT = 30.0
WATCH_SILENCE = 100.0
"""Seconds: a server that was asked for bookmarks sends one about every minute, so silence means a dead connection."""
MAX_EVENT = 16 * 1024 * 1024
"""Octets of one watch event; etcd stores 1.5 MiB at most."""
POOL_SIZE = 64
UNAUTHORIZED = 401

_MISREAD = (kube_config.ConfigException, yaml.YAMLError, OSError, TypeError, ValueError, LookupError, AttributeError)
"""What the official loader raises at a file that makes no sense, certificates included."""
_FAILURES = (aiohttp.ClientError, TimeoutError, OSError, kube_config.ConfigException)


class KubernetesConnection:
    """Requests to one API server; see :class:`suite.cluster.connection.Connection`."""

    def __init__(self, client: Any, renew: Callable[[], None] = lambda: None) -> None:
        """``renew`` is called when the server does not know our token: the next request is to come with a newer one."""
        self._client = client
        self._renew = renew

    async def close(self) -> None:
        await self._client.close()

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        return await self._request("GET", path, query)

    async def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return await self._request("POST", path, body=body)

    async def patch(self, path: str, body: Mapping[str, Any], *, strategic: bool = False) -> dict[str, Any]:
        kind = "application/strategic-merge-patch+json" if strategic else "application/merge-patch+json"
        return await self._request("PATCH", path, body=body, content_type=kind)

    async def delete(self, path: str) -> dict[str, Any]:
        return await self._request("DELETE", path, body={"propagationPolicy": "Background"})

    async def watch(self, path: str, query: Mapping[str, str]) -> AsyncIterator[dict[str, Any]]:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT, sock_read=WATCH_SILENCE)
        response = await self._send("GET", path, {**query, "watch": "true"}, None, "application/json", timeout)
        try:
            if response.status != 200:
                raise _error(response, await response.read())
            async for line in _lines(response.content):
                yield _object(line)
        except _FAILURES as error:
            raise Lost(_said(error)) from error
        finally:
            response.close()

    async def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT, sock_connect=CONNECT_TIMEOUT)
        response = await self._send(method, path, query or {}, body, content_type, timeout)
        try:
            octets = await response.read()
        except _FAILURES as error:
            raise Lost(_said(error)) from error
        finally:
            response.release()
        if not 200 <= response.status < 300:
            raise _error(response, octets)
        return _object(octets)

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Mapping[str, Any] | None,
        content_type: str,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's own
    ) -> aiohttp.ClientResponse:
        target = quote(path, safe="/:.-_~") + ("?" + urlencode(query) if query else "")
        try:
            serialized = await self._client.param_serialize(
                method,
                target,
                header_params={"Content-Type": content_type, "Accept": "application/json"},
                body=body,
                auth_settings=["BearerToken"],
            )
            answer = await self._client.call_api(*serialized, _request_timeout=timeout)
        except _FAILURES as error:
            raise Lost(_said(error)) from error
        response: aiohttp.ClientResponse = answer.response
        if response.status == UNAUTHORIZED:
            self._renew()
        return response


async def connect(
    kubeconfig: str = "",
    *,
    context: str = "",
    instance: str = "",
    account: Path = ACCOUNT,
    environment: Mapping[str, str] = os.environ,
) -> KubernetesConnection:
    """A connection: by the pod's ServiceAccount inside a cluster, else by ``kubeconfig`` (default: KUBECONFIG, ~/.kube).

    In a cluster the token is read again every minute, and at once when the server does not know it any more.

    Raises:
        Lost: there is no configuration to be found, or it makes no sense.
    """
    configuration = Configuration()
    configuration.connection_pool_maxsize = POOL_SIZE
    loader = InClusterConfigLoader(account / "token", account / "ca.crt", environ=environment)

    def renew() -> None:
        loader.token_expires_at = datetime.min  # noqa: DTZ901 - the loader's own kind of time

    try:
        if not kubeconfig and is_in_cluster(account, environment):
            loader.load_and_set(configuration)
        else:
            await kube_config.load_kube_config(kubeconfig or None, context or None, configuration)
        client = ApiClient(configuration)
    except _MISREAD as error:
        raise Lost(f"no way to a cluster: {kubeconfig or 'the kubeconfig'}: {_said(error)}") from error
    client.user_agent = f"suite/{instance or 'controller'}"
    return KubernetesConnection(client, renew)


def is_in_cluster(account: Path = ACCOUNT, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this process runs in a pod with a ServiceAccount."""
    return (account / "token").exists() and bool(environment.get("KUBERNETES_SERVICE_HOST"))


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines of any length up to :data:`MAX_EVENT`; aiohttp's own reader stops at a tenth of that."""
    rest = b""
    async for piece in content.iter_any():
        *lines, rest = (rest + piece).split(b"\n")
        if len(rest) > MAX_EVENT:
            raise Lost(f"a watch event of more than {MAX_EVENT // 1024 // 1024} MiB")
        for line in lines:
            if line.strip():
                yield line


def _object(octets: bytes) -> dict[str, Any]:
    try:
        value = json.loads(octets)
    except (ValueError, RecursionError) as error:
        raise Lost("the answer is no JSON") from error
    if not isinstance(value, dict):
        raise Lost("the answer is no object")
    return value


def _error(response: aiohttp.ClientResponse, octets: bytes) -> ApiError:
    try:
        status = json.loads(octets)
        reason, message = str(status.get("reason", "")), str(status.get("message", ""))
    except (ValueError, AttributeError, RecursionError):
        reason, message = "", octets[:200].decode(errors="replace")
    after = response.headers.get("Retry-After", "")
    return ApiError(
        response.status,
        reason or str(response.reason or ""),
        message or f"HTTP {response.status}",
        retry_after=float(after) if after.isascii() and after.isdigit() and len(after) < 6 else 0.0,
    )


def _said(error: BaseException) -> str:
    if isinstance(error, asyncio.TimeoutError):
        return "no answer in time"
    return " ".join(str(error).split())[:300] or type(error).__name__
