"""Containers as processes: what a kubelet makes of a pod's description, without an image and without a cluster.

Each pod is a process with its own network namespace (or its node's), with a root file system that holds what the image's recipe
puts there and nothing of the checkout (or, where `SUITE_IMAGE` names a folder, the one of a built image), read-only where the description says so, with the volumes it mounts where it mounts them,
as the user and with the capabilities that it names, and with the arguments and the environment that it names.  Two things are
not acted out: the runtime's seccomp filter, and limits of memory and CPU.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from deploy_files import Object
from project_files import ROOT, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fix_netns import Namespace

FROM_THE_MACHINE = ("bin", "lib", "lib32", "lib64", "sbin", "usr")
ETC = ("group", "ld.so.cache", "nsswitch.conf", "passwd", "services")
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where the kubelet mounts the token for the API server."""


@dataclass(frozen=True)
class Image:
    """What every container starts from."""

    folder: Path
    reached: Mapping[str, Path]
    """What is seen of the machine beside the image, by its place in the container."""

    built: Path | None = None
    """The root file system of an image that was built by the recipe, where there is one."""

    @classmethod
    def made(cls, folder: Path, reached: Mapping[str, Path]) -> Image:
        """The program, copied as the recipe copies it; nothing where there is a built image."""
        if built := os.environ.get("SUITE_IMAGE"):
            return cls(folder, reached, Path(built))
        for source in re.findall(r"^COPY (suite|migrations) ", text("deploy/Containerfile"), re.MULTILINE):
            shutil.copytree(ROOT / source, folder / source, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "deploy/suite", folder / "entry")
        (folder / "entry").chmod(0o755)
        return cls(folder, reached)

    @property
    def environment(self) -> dict[str, str]:
        """What the recipe sets."""
        return dict(re.findall(r"^ENV (\w+)=(.+)$", text("deploy/Containerfile"), re.MULTILINE))

    @property
    def entry(self) -> str:
        return "/opt/suite/entry" if self.built is None else "/usr/local/bin/suite"

    def mounts(self) -> Mapping[str, Path]:
        """By place in the container; the packages are those of this checkout's environment."""
        if self.built is not None:
            return self.reached
        found = {"/opt/venv": Path(sys.prefix), "/opt/suite": self.folder, **self.reached}
        base = Path(sys.base_prefix)
        return found if base.is_relative_to("/usr") else {**found, str(base): base}


@dataclass
class Pod:
    """One container on a node; ``volumes`` are folders of the machine by the name of the volume."""

    name: str
    node: str
    host: Namespace
    template: Object
    folder: Path
    volumes: Mapping[str, Path] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    hosts: Mapping[str, str] = field(default_factory=dict)
    """Names that the cluster's DNS would know."""
    process: subprocess.Popen[str] | None = None
    _entry: str = ""
    _image_environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def spec(self) -> Object:
        return dict(self.template["spec"])

    @property
    def container(self) -> Object:
        [only] = self.spec["containers"]
        return dict(only)

    @property
    def context(self) -> Object:
        """The security context of the container over that of the pod."""
        return {**self.spec.get("securityContext", {}), **self.container["securityContext"]}

    def start(self, image: Image) -> None:
        """Start the container; its log is ``log`` in the folder."""
        self._entry, self._image_environment = image.entry, image.environment
        root = self._root(image)
        mounts = ["mount --make-rprivate /", *self._below(image, root)]
        mounts += [f"mount --rbind /{each} {root}/{each}" for each in ("dev", "proc", "sys")]
        mounts += [_bind(source, root / place[1:], read_only=True) for place, source in image.mounts().items()]
        if self.context["readOnlyRootFilesystem"]:
            mounts.append(f"mount -o remount,bind,ro {root}")
        mounts += [_bind(source, root / place[1:], read_only=fixed) for place, source, fixed in self._mounted()]
        inside = [
            "/usr/sbin/chroot",
            str(root),
            "/usr/bin/setpriv",
            *self._rights(),
            self._entry,
            *self.container["args"],
        ]
        script = " && ".join([*mounts, f"cd / && exec {shlex.join(inside)}"])
        with (self.folder / "log").open("w") as log:
            self.process = self.host.spawn(
                *("unshare", "--mount", "sh", "-c", script),
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**image.environment, **self._env()},
            )

    def log(self) -> str:
        return f"--- {self.name}\n{(self.folder / 'log').read_text(encoding='utf-8')}"

    def end(self) -> None:
        """As the kubelet ends a pod."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)

    def privileges(self) -> set[tuple[int, int]]:
        """User and effective capabilities of every process of the container."""
        return {_privileges(pid) for pid in _family(self.process.pid)} if self.process else set()

    def asked(self, probe: str) -> int:
        """The status that the kubelet's question gets; 0 for none."""
        get = self.container[probe]["httpGet"]
        ports = {each["name"]: each["containerPort"] for each in self.container["ports"]}
        host, port = get.get("host", "127.0.0.1"), ports.get(get["port"], get["port"])
        url = f"http://{host}:{port}{get['path']}"
        asking = ("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "2", url)
        return int(self.host.run(*asking).stdout or 0)

    def suite(self, *arguments: str) -> str:
        """`kubectl exec POD -- suite ARGUMENTS`: in the container's mounts, as its user."""
        assert self.process is not None
        said = [f"{name}={value}" for name, value in {**self._image_environment, **self._env()}.items()]
        inside = ["setpriv", *self._rights(), "env", "-i", "--chdir=/", *said, self._entry, *arguments]
        enter = ("nsenter", f"--target={self.process.pid}", "--mount", "--root", "--wd", *inside)
        return self.host.run(*enter).stdout

    def _root(self, image: Image) -> Path:
        """The folder that becomes the root, with every place that something is mounted at."""
        root = self.folder / "root"
        places = ("etc", "dev", "proc", "sys", *image.mounts(), *(each for each, *_ in self._mounted()))
        for place in places:
            (root / place.lstrip("/")).mkdir(parents=True, exist_ok=True)
        lines = [f"{address} {name}" for name, address in {"localhost": "127.0.0.1", **self.hosts}.items()]
        (root / "etc/hosts").write_text("\n".join(lines) + "\n", encoding="ascii")
        if image.built is None:
            for name in filter(lambda name: Path("/etc", name).exists(), ETC):
                shutil.copy(Path("/etc", name), root / "etc" / name)
        return root

    def _below(self, image: Image, root: Path) -> list[str]:
        """The commands that give the root its programs and libraries: the built image's, else the machine's."""
        if image.built is not None:
            upper, work = root.rename(self.folder / "upper"), self.folder / "work"
            for each in (work, root):
                each.mkdir()
            return [f"mount -t overlay none -o lowerdir={image.built},upperdir={upper},workdir={work} {root}"]
        commands = [f"mount --bind {root} {root}"]
        for source in (Path("/", each) for each in FROM_THE_MACHINE):
            if source.is_symlink():
                (root / source.name).symlink_to(source.readlink())
            elif source.is_dir():
                (root / source.name).mkdir()
                commands.append(_bind(source, root / source.name, read_only=True))
        return commands

    def _mounted(self) -> list[tuple[str, Path, bool]]:
        """Place, source, and whether it is read-only."""
        found = [
            (each["mountPath"], self.volumes[each["name"]], each.get("readOnly", False))
            for each in self.container["volumeMounts"]
        ]
        return [*found, (ACCOUNT, self.volumes[ACCOUNT], True)] if ACCOUNT in self.volumes else found

    def _rights(self) -> list[str]:
        context = self.context
        assert not context["privileged"]
        assert context["capabilities"]["drop"] == ["ALL"]
        added = context["capabilities"].get("add", [])
        groups = f"--groups={context['fsGroup']}" if "fsGroup" in context else "--clear-groups"
        bounding = ",".join(["-all", *(f"+{each.lower()}" for each in added)])
        rights = [f"--reuid={context['runAsUser']}", f"--regid={context['runAsGroup']}", groups]
        return [*rights, "--inh-caps=-all", f"--bounding-set={bounding}"] + (
            [] if context["allowPrivilegeEscalation"] else ["--no-new-privs"]
        )

    def _env(self) -> dict[str, str]:
        known = {"spec.nodeName": self.node}
        said = {
            each["name"]: each.get("value") or known[each["valueFrom"]["fieldRef"]["fieldPath"]]
            for each in self.container["env"]
        }
        return {"PATH": os.defpath, **said, **self.environment}


def filled(folder: Path, files: Mapping[str, str], owner: tuple[int, int], mode: int) -> Path:
    """A volume of files, as the kubelet hands it to a pod."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    for name, content in files.items():
        path = folder / name
        path.write_text(content, encoding="utf-8")
        os.chown(path, *owner)
        path.chmod(mode)
    return folder


def empty(folder: Path, group: int, mode: int) -> Path:
    """A volume to write to."""
    folder.mkdir(parents=True, exist_ok=True)
    os.chown(folder, 0, group)
    folder.chmod(mode)
    return folder


def _bind(source: Path, target: Path, *, read_only: bool) -> str:
    remount = f" && mount -o remount,bind,ro {target}" if read_only else ""
    return f"mkdir -p {target} && mount --bind {source} {target}{remount}"


def _family(pid: int) -> list[int]:
    """A process and all that it has started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(each for child in children for each in _family(int(child)))]


def _privileges(pid: int) -> tuple[int, int]:
    lines = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    return int(lines["Uid"].split()[1]), int(lines["CapEff"], 16)
