"""kubectl applies every form to our API server: in the order of the page, and once more without a change."""

import asyncio
import json
import os
import shutil
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest
from apiserver.app import Api
from apiserver.resources import DEPLOYMENT
from apiserver.server import Running, running
from deploy_files import DEPLOY, VARIANTS, Objects, objects
from kustomization import build

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl; Debian's package is kubernetes-client"),
]
CONFIG = objects((DEPLOY / "manifests/config.yaml").read_text(encoding="utf-8"))


async def apply(server: Running, folder: Path, wanted: Objects) -> tuple[int, list[str], str]:
    """Exit code, what became of each object, and the errors."""
    listing = {"apiVersion": "v1", "kind": "List", "items": list(wanted.values())}
    process = await asyncio.create_subprocess_exec(
        *("kubectl", f"--kubeconfig={server.kubeconfig(folder)}", f"--cache-dir={folder}/cache"),
        *("apply", "--validate=false", "-f", "-"),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        env={**os.environ, "HOME": str(folder)},
    )
    out, errors = await process.communicate(json.dumps(listing).encode())
    return process.returncode or 0, [line.split()[-1] for line in out.decode().splitlines()], errors.decode()


def fresh() -> Api:
    """A cluster where nothing of ours or of MetalLB's is."""
    api = Api()
    api.resources += DEPLOYMENT
    api.delete("namespaces", "metallb-system", "")
    return api


def said(api: Api) -> Objects:
    """What every object says, but for how often it was written and what kubectl notes for itself."""
    own = {"resourceVersion", "managedFields", "generation", "annotations"}
    found = [body for each in api.resources for _, body in api.objects.find(each, "", lambda _: True)]
    return {
        (body["kind"], body["metadata"]["name"]): {
            **body, "metadata": {key: value for key, value in body["metadata"].items() if key not in own}
        }
        for body in found
    }  # fmt: skip


@pytest.mark.parametrize("name", VARIANTS)
def test_the_manifests_are_applied_in_the_order_of_the_page_and_again_without_a_change(name: str, tmp_path: Path):
    wanted = build(*VARIANTS[name].folders)

    async def story() -> None:
        async with running(fresh()) as server:
            assert (await apply(server, tmp_path, CONFIG))[:2] == (0, ["created"] * 2)
            assert (await apply(server, tmp_path, wanted))[:2] == (0, ["created"] * len(wanted))
            before = said(server.api)
            assert (await apply(server, tmp_path, CONFIG | wanted))[0] == 0
            assert said(server.api) == before

    asyncio.run(story())


def test_without_the_namespace_of_the_configuration_kubectl_says_which_is_missing(tmp_path: Path):
    async def story() -> tuple[int, list[str], str]:
        async with running(fresh()) as server:
            return await apply(server, tmp_path, build(*VARIANTS["sqlite"].folders))

    code, created, errors = asyncio.run(story())

    assert (code, len(created)) == (1, len(build(*VARIANTS["sqlite"].folders)) - 2)
    assert errors.count('"metallb-system" not found') == 2


def test_an_update_is_applied_and_taken_back(tmp_path: Path):
    before, after = build(*VARIANTS["sqlite"].folders), build(*VARIANTS["sqlite and BGP"].folders)

    async def story() -> None:
        async with running(fresh()) as server:
            states = []
            for wanted in (CONFIG, before, after, before):
                assert (await apply(server, tmp_path, wanted))[0] == 0
                states.append(said(server.api))
            assert {key for key, body in states[2].items() if body != states[1][key]} == {
                ("Deployment", "suite-controller"),
                ("DaemonSet", "suite-speaker"),
            }
            assert states[3] == states[1]

    asyncio.run(story())
