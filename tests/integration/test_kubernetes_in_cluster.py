"""The start inside a cluster: the pod's token and the server's authority from files, over HTTPS, and a token that is renewed."""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from apiserver.app import Api
from apiserver.server import Running
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fix_cluster import Told, listening

from suite.cluster.cluster_source import ClusterSource
from suite.cluster.connection import Lost
from suite.cluster.kubernetes import KubernetesConnection, connect

HOST = "127.0.0.1"


def certificate(folder: Path, name: str) -> Path:
    """A server's certificate for the loopback, its own authority; the key stands behind it."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder(
            subject, subject, key.public_key(), 1, now - timedelta(hours=1), now + timedelta(days=1)
        )
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / f"{name}.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM) + plain)
    return folder / f"{name}.pem"


def account(folder: Path, token: str, authority: Path) -> Path:
    """What a kubelet mounts."""
    folder.mkdir(exist_ok=True)
    (folder / "token").write_text(token)
    (folder / "ca.crt").write_bytes(authority.with_suffix(".crt").read_bytes())
    return folder


def play(
    tmp_path: Path, api: Api, scenario: Callable[[KubernetesConnection, Path], Awaitable[None]], trusted: str = "it"
) -> None:
    served = certificate(tmp_path, "it")
    mounted = account(tmp_path / "account", "first", served if trusted == "it" else certificate(tmp_path, trusted))

    async def story() -> None:
        server = Running(api, HOST, served)
        await server.start()
        environment = {"KUBERNETES_SERVICE_HOST": HOST, "KUBERNETES_SERVICE_PORT": str(server.port)}
        connection = await connect(account=mounted, environment=environment)
        try:
            await scenario(connection, mounted)
        finally:
            await connection.close()
            await server.stop()

    asyncio.run(story())


def service(name: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}}


def test_a_pod_is_let_in_by_its_token_over_https(tmp_path):
    async def scenario(connection: KubernetesConnection, _: Path) -> None:
        assert (await connection.get("/api/v1/services"))["items"] == []

    play(tmp_path, Api(tokens={"first"}), scenario)


def test_a_server_with_another_authority_is_told_nothing(tmp_path):
    api = Api(tokens={"first"})

    async def scenario(connection: KubernetesConnection, _: Path) -> None:
        with pytest.raises(Lost, match="certificate verify failed"):
            await connection.get("/api/v1/services")

    play(tmp_path, api, scenario, trusted="other")

    assert api.calls == []


def test_a_token_that_the_kubelet_renewed_is_taken_when_the_old_one_ends(tmp_path):
    api = Api(tokens={"first"})
    api.put(service("coffee"))

    async def scenario(connection: KubernetesConnection, mounted: Path) -> None:
        async with listening(ClusterSource(connection)) as told:
            (mounted / "token").write_text("second")
            api.tokens = {"second"}
            api.cut_watches()
            api.put(service("tea"))
            await told.until(has("coffee", "tea"))

    play(tmp_path, api, scenario)


def has(*names: str) -> Callable[[Told], bool]:
    return lambda told: told.names == {f"default/{name}" for name in names}
