"""What the whole program costs while nothing happens: a thousand Services with an address each, ten peers, SQLite.

    python tests/bench/l2/bench_idle.py             # as root

The node that is looked at runs `suite run`, first with all roles, then with the speaker alone, as a DaemonSet has it, behind a
controller on another machine. Ten more nodes run the process that sends the heartbeats. Neither has anything to do once the
addresses are announced, so what is spent is what idling costs: the main process, the time-critical one, and both together.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).parent)]

from bench_arp import cpu, resident
from fix_netns import Bridge, Namespace, eventually, network
from fix_speakers import KEY, Speaker

PEERS, ADDRESSES, IDLE_SECONDS = 10, 1000, 20.0
FLEET = {f"node{number:02}": f"10.0.10.{number + 1}" for number in range(PEERS + 1)}
NODE, FEED = "node00", "10.0.1.3:7473"
CONFIGURATION = f"""\
address-pools: [{{name: many, protocol: layer2, addresses: [10.0.64.0/18]}}]
l2: {{rejoin-delay: 1s, heartbeat-key-file: KEYS}}
dns: {{listen: []}}
nodes:
{"".join(f"- {{name: {name}, addresses: [{address}]}}{chr(10)}" for name, address in FLEET.items())}"""
SERVICE = """\
---
apiVersion: v1
kind: Service
metadata: {{name: service-{number}}}
spec: {{type: LoadBalancer, ports: [{{port: 8080}}]}}
"""


def prepared(folder: Path) -> tuple[str, ...]:
    """The words that lead a program to the Services."""
    (folder / "keys").write_bytes(KEY + b"\n")
    (folder / "manifests").mkdir()
    services = "".join(SERVICE.format(number=number) for number in range(ADDRESSES))
    (folder / "manifests" / "all.yaml").write_text(services, encoding="utf-8")
    text = CONFIGURATION.replace("KEYS", str(folder / "keys")) + f'web: {{feed-listen: "{FEED}"}}\n'
    (folder / "behind.yaml").write_text(text, encoding="utf-8")
    (folder / "alone.yaml").write_text(text.replace(f'web: {{feed-listen: "{FEED}"}}\n', ""), encoding="utf-8")
    return "--manifests", str(folder / "manifests")


def spawn(host: Namespace, folder: Path, name: str, *words: str) -> subprocess.Popen[str]:
    with (folder / f"{name}.log").open("a", encoding="utf-8") as log:
        command = (sys.executable, "-m", "suite", "run", "--state", str(folder / name))
        return host.spawn(*command, *words, stdout=log, env=dict(os.environ))


def announced(folder: Path, name: str) -> int:
    """How many addresses the node says that it announces."""
    return (folder / f"{name}.log").read_text(encoding="utf-8").count(" is announced on ")


def responder_of(program: subprocess.Popen[str]) -> int:
    """The time-critical process, one of the program's children."""
    children = Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text(encoding="ascii").split()
    commands = {int(pid): Path("/proc", pid, "cmdline").read_text(encoding="utf-8") for pid in children}
    return next(pid for pid, command in commands.items() if "suite.speaker.responder" in command)


def idle(label: str, program: subprocess.Popen[str], folder: Path, name: str) -> None:
    """Wait until all is announced and quiet, and look at both processes."""
    assert eventually(lambda: announced(folder, name) == ADDRESSES, within=60, every=0.5), (
        folder / f"{name}.log"
    ).read_text()
    time.sleep(6)  # the burst is over after 4.4 s
    pids = {"main process": program.pid, "responder": responder_of(program)}
    before = {title: cpu(pid) for title, pid in pids.items()}
    time.sleep(IDLE_SECONDS)
    shares = {title: (cpu(pid) - before[title]) / IDLE_SECONDS for title, pid in pids.items()}
    sizes = {title: resident(pid) for title, pid in pids.items()}
    for title in pids:
        print(f"{label}, {title}: {shares[title]:.2%} of a core, resident memory {sizes[title]:.1f} MB")
    print(f"{label}, together: {sum(shares.values()):.2%} of a core, {sum(sizes.values()):.1f} MB")


def follow(folder: Path, node: Namespace, control: Namespace, manifests: tuple[str, ...]) -> None:
    """The speaker alone, behind a controller elsewhere."""
    configured = ("--config", str(folder / "behind.yaml"), *manifests)
    controller = spawn(
        control, folder, "control", "--node", "control", *configured, "--role", "controller", "--role", "web"
    )
    authority = folder / "control" / "controller.pem"
    assert eventually(authority.exists, within=30, every=0.2), (folder / "control.log").read_text()
    where = ("--state", str(folder / "control"))
    for file, words in {
        "token": ("create", "--role", "speaker", "--node", NODE),
        "authority": ("authority",),
    }.items():
        said = control.must(sys.executable, "-m", "suite", "token", *words, *where, timeout=60)
        (folder / file).write_text(said, encoding="utf-8")
    trust = ("--token-file", str(folder / "token"), "--authority", str(folder / "authority"))
    speaker = spawn(
        node, folder, "follower", "--node", NODE, "--follow", f"https://{FEED}", *trust, "--role", "speaker"
    )
    idle("speaker alone, following", speaker, folder, "follower")
    for program in (speaker, controller):
        program.terminate()
        program.wait(20)


def main() -> None:
    with network() as lab, TemporaryDirectory() as place:
        folder = Path(place)
        manifests, lan = prepared(folder), lab.bridge("lan")
        control, node = host(lan, lab.namespace("control"), "10.0.1.3"), host(lan, lab.namespace(NODE), FLEET[NODE])
        peers = [
            Speaker(name, host(lan, lab.namespace(name), address), FLEET, key=sha256(KEY).digest())
            for name, address in FLEET.items()
            if name != NODE
        ]
        for peer in peers:
            peer.start()
            peer.adopt([])
        alone = spawn(node, folder, "alone", "--node", NODE, "--config", str(folder / "alone.yaml"), *manifests)
        idle("all roles", alone, folder, "alone")
        alone.terminate()
        alone.wait(20)
        follow(folder, node, control, manifests)
        for peer in peers:
            peer.close()


def host(lan: Bridge, machine: Namespace, address: str) -> Namespace:
    lan.plug(machine, addresses=[f"{address}/16"])
    return machine


if __name__ == "__main__":
    main()
