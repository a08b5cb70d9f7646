"""``python -m apiserver`` (with ``tests`` on the path): a server of its own, until its standard input is closed.

It prints the path of a kubeconfig, so ``kubectl --kubeconfig`` and ``suite`` can be pointed at it.
"""

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from apiserver.app import Api
from apiserver.server import running


async def main() -> None:
    api = Api()
    api.install_metallb()
    with TemporaryDirectory() as directory:
        async with running(api) as server:
            sys.stdout.write(f"{server.kubeconfig(Path(directory))}\n")
            sys.stdout.flush()
            await asyncio.to_thread(sys.stdin.read)


asyncio.run(main())
