"""A directory of manifests as a whole: which file an object belongs to, and when its absence is believed.

Pure: told what files there are and what stands in those that changed, it keeps the objects.

* Duplicates: the file that has an object keeps it; among files that appear together, the first by path.
* A file that is gone takes its objects along.  But where *no* manifest is left and there were several, or the
  directory itself is gone or another one, nothing is deleted: an unmounted disk and a volume that is not there yet
  look exactly like that.  The objects stay until a manifest is back.  Whoever means it says so with an empty file
  (``touch none.yaml``), or by :meth:`Directory.believe`.
* All of this holds across a restart: objects that the database remembers stay until every file has been read whole.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType

from suite.cluster.convert import Key
from suite.cluster.inventory import Inventory
from suite.cluster.manifest_file import ManifestFile, read_manifest, repeated, stale
from suite.model.node import Namespace, Node
from suite.model.problem import Problem
from suite.model.service import Service
from suite.model.snapshot import Snapshot

MAX_PROBLEMS = 1000
"""Told of one directory."""


Remembered = Service | Node | Namespace


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file or directory that could not be read, and why."""

    message: str


class Directory:
    """The objects of one directory.

    Args:
        name: the directory as its user writes it, for problems.
        remembered: what an earlier life knew from it (:func:`remembered`).
    """

    def __init__(self, name: str, *, remembered: Iterable[Remembered] = ()) -> None:
        self.inventory = Inventory()
        self._name = name
        self._ghosts: dict[Key, Remembered] = {_key_of(value): value for value in remembered}
        for key, value in self._ghosts.items():
            self.inventory.put(key, value)
        self._files: dict[str, ManifestFile] = {}
        self._claims: dict[Key, set[str]] = {}
        self._owners: dict[Key, str] = {}
        self._contested: set[Key] = set()
        self._closed: dict[str, str] = {}
        self._identity: object = None
        self._believes_empty = False
        self._doubt: Problem | None = None

    @property
    def is_known(self) -> bool:
        """Whether what the inventory holds is a complete picture."""
        return self._doubt is None or bool(self._files) or bool(self._ghosts)

    def believe(self) -> None:
        """An operator confirms that the directory is meant to be empty; holds for the next listing."""
        self._believes_empty = True

    def absent(self, message: str) -> None:
        """The directory itself cannot be read; everything stays."""
        self._doubt = Problem("", f"{message}{self._stay()}", "directory.absent", self._name)

    def update(
        self,
        paths: AbstractSet[str],
        changed: Mapping[str, str | Unreadable],
        identity: object,
        closed: Mapping[str, str] = MappingProxyType({}),
    ) -> bool:
        """These ``paths`` are there now, those in ``changed`` with new content; False where that is not believed.

        ``identity`` tells one directory from another of the same name (device and inode).  ``closed`` names
        directories below (``shop/``) that cannot be looked into, and why: what was known of them stays.
        """
        self._closed = dict(closed)
        if not paths and not self._believes_empty and self._is_suspicious(identity):
            message = "every manifest vanished at once; an empty file (none.yaml) there says that it is meant"
            self._doubt = Problem("", f"{message}{self._stay()}", "directory.emptied", self._name)
            return False
        self._doubt, self._identity, self._believes_empty = None, identity, False
        for path in [path for path in self._files if path not in paths]:
            if not path.startswith(tuple(self._closed)):
                self._replace(path, None)
        for path in sorted(changed):
            self._replace(path, self._read(path, changed[path]))
        self._lay_ghosts(paths)
        return True

    def problems(self) -> tuple[Problem, ...]:
        """Everything that is wrong now."""
        return tuple(islice(self._all_problems(), MAX_PROBLEMS))

    def _is_suspicious(self, identity: object) -> bool:
        with_objects = sum(1 for file in self._files.values() if file.objects)
        is_other = self._identity not in {None, identity}
        return with_objects >= 2 or (with_objects == 1 and is_other) or len(self._ghosts) >= 2

    def _stay(self) -> str:
        return f"; its {len(self.inventory)} objects stay as they were" if len(self.inventory) else ""

    def _read(self, path: str, content: str | Unreadable) -> ManifestFile:
        before = self._files.get(path) or ManifestFile()
        source = f"{self._name}/{path}"
        if isinstance(content, Unreadable):
            return stale(before, source, content.message)
        return read_manifest(content, source, before)

    def _replace(self, path: str, file: ManifestFile | None) -> None:
        before = self._files.pop(path, None) or ManifestFile()
        if file is not None:
            self._files[path] = file
        after = file or ManifestFile()
        for key in before.objects.keys() - after.objects.keys():
            self._claims[key].discard(path)
        for key in after.objects:
            self._claims.setdefault(key, set()).add(path)
        for key in before.objects.keys() | after.objects.keys():
            self._settle(key)

    def _settle(self, key: Key) -> None:
        """Give ``key`` to one of the files that have it."""
        claims = self._claims[key]
        if not claims:
            del self._claims[key]
            self._owners.pop(key, None)
            self._contested.discard(key)
            if key in self._ghosts:
                self.inventory.put(key, self._ghosts[key])
            else:
                self.inventory.remove(key)
            return
        owner = self._owners.get(key)
        if owner not in claims:
            owner = self._owners[key] = min(claims)
        (self._contested.add if len(claims) > 1 else self._contested.discard)(key)
        self.inventory.put(key, self._files[owner].objects[key].value)

    def _lay_ghosts(self, paths: AbstractSet[str]) -> None:
        """Once every file is read whole, what is remembered and stands in none of them is gone indeed."""
        if self._closed or paths - self._files.keys() or any(file.is_broken for file in self._files.values()):
            return
        ghosts, self._ghosts = self._ghosts, {}
        for key in ghosts.keys() - self._claims.keys():
            self.inventory.remove(key)

    def _unseen(self) -> list[Key]:
        return sorted(self._ghosts.keys() - self._claims.keys())

    def _all_problems(self) -> Iterator[Problem]:
        if self._doubt is not None:
            yield self._doubt
        for path, message in sorted(self._closed.items()):
            yield Problem("", message, "directory.closed", f"{self._name}/{path}")
        unseen = self._unseen() if self._doubt is None else []
        if unseen:
            names = ", ".join(str(key) for key in unseen[:5]) + (", ..." if len(unseen) > 5 else "")
            message = f"until every file can be read, these stay as they were before the restart: {names}"
            yield Problem("", message, "directory.remembered", self._name)
        for path in sorted(self._files):
            yield from self._files[path].problems
        for key in sorted(self._contested):
            owner = self._owners[key]
            first = self._files[owner].objects[key]
            for path in sorted(self._claims[key] - {owner}):
                line = self._files[path].objects[key].line
                yield repeated(key, f"{self._name}/{path}", line, f"{self._name}/{owner}", first.line)


def remembered(snapshot: Snapshot) -> Iterator[Remembered]:
    """What the database knows of an earlier life's manifests."""
    yield from snapshot.services.values()
    yield from snapshot.nodes.values()
    yield from snapshot.namespaces.values()


def _key_of(value: Remembered) -> Key:
    if isinstance(value, Service):
        return Key("Service", value.ref.namespace, value.ref.name)
    return Key("Node" if isinstance(value, Node) else "Namespace", "", value.name)
