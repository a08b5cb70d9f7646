"""A disk that can stand still: a file system of its own in a file, which the kernel freezes (fsfreeze of util-linux).

    with small_disk() as disk:
        (disk.place / "anything").write_text("...")
        with disk.frozen(5):                     # whoever writes there waits until it is over
            ...

A process of its own thaws it, so that nothing hangs for longer even if the test is killed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE = 1 << 30
"""Bytes; the file is sparse."""
PREFIX = "suite-disk-"
PLACE = Path("/var/tmp")


@dataclass(frozen=True, slots=True)
class Disk:
    """A folder, and whether it is on a disk of its own."""

    place: Path
    can_freeze: bool

    @contextlib.contextmanager
    def frozen(self, seconds: float) -> Iterator[None]:
        """Every write waits for so long; the block goes on meanwhile and ends when the disk is well again."""
        script = f"fsfreeze -f {self.place} && echo frozen && sleep {seconds}; fsfreeze -u {self.place}"
        with subprocess.Popen(
            ["sh", "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True
        ) as freezer:
            assert freezer.stdout is not None
            if freezer.stdout.readline() != "frozen\n":
                raise RuntimeError(f"{self.place} cannot be frozen")
            yield
            freezer.wait()


@contextlib.contextmanager
def small_disk() -> Iterator[Disk]:
    """A fresh disk; an ordinary folder where this machine has no loop devices to mount one from."""
    remove_leftovers()
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=PLACE))
    folder.chmod(0o755)
    image, place = folder / "image", folder / "disk"
    place.mkdir()
    try:
        yield Disk(place, can_freeze=_mount(image, place))
    finally:
        _remove(folder)


def remove_leftovers() -> None:
    """What test runs that were killed left behind: the process in the folder's name no longer lives."""
    for folder in PLACE.glob(f"{PREFIX}[0-9]*-*"):
        if not Path("/proc", folder.name.removeprefix(PREFIX).split("-")[0]).exists():
            _remove(folder)


def _mount(image: Path, place: Path) -> bool:
    with image.open("wb") as file:
        file.truncate(SIZE)
    commands = (["mkfs.ext4", "-q", str(image)], ["mount", "-o", "loop", str(image), str(place)])
    try:
        for command in commands:
            subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _remove(folder: Path) -> None:
    subprocess.run(["umount", "-l", str(folder / "disk")], check=False, capture_output=True)
    shutil.rmtree(folder, ignore_errors=True)
