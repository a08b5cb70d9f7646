"""A directory of manifests as a whole: which file an object belongs to, and when its absence is believed.

Pure: told what files there are and what stands in those that changed, it keeps the objects.

* Duplicates: the file that has an object keeps it; among files that appear together, the first by path.
* A file that is gone takes its objects along.  But where *no* manifest is left and there were several, or the
  directory itself is gone or another one, nothing is deleted: an unmounted disk and a volume that is not there yet
  look exactly like that.  The objects stay until a manifest is back.  Whoever means it says so with an empty file
  (``touch none.yaml``), or by :meth:`Directory.believe`.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType

from suite.cluster.convert import Key
from suite.cluster.inventory import Inventory
from suite.cluster.manifest_file import ManifestFile, read_manifest, repeated, stale
from suite.model.problem import Problem

MAX_PROBLEMS = 1000
"""Told of one directory."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file or directory that could not be read, and why."""

    message: str


class Directory:
    """The objects of one directory.

    Args:
        name: the directory as its user writes it, for problems.
        remembered: how many Services an earlier life knew from it; with two or more, an empty directory at the
            start is as suspicious as one that empties itself later.
    """

    def __init__(self, name: str, *, remembered: int = 0) -> None:
        self.inventory = Inventory()
        self._name = name
        self._remembered = remembered
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
        return self._doubt is None or bool(self._files)

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
        self._doubt, self._identity, self._believes_empty, self._remembered = None, identity, False, 0
        for path in [path for path in self._files if path not in paths]:
            if not path.startswith(tuple(self._closed)):
                self._replace(path, None)
        for path in sorted(changed):
            self._replace(path, self._read(path, changed[path]))
        return True

    def problems(self) -> tuple[Problem, ...]:
        """Everything that is wrong now."""
        return tuple(islice(self._all_problems(), MAX_PROBLEMS))

    def _is_suspicious(self, identity: object) -> bool:
        with_objects = sum(1 for file in self._files.values() if file.objects)
        is_other = self._identity not in {None, identity}
        return with_objects >= 2 or (with_objects == 1 and is_other) or self._remembered >= 2

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
            self.inventory.remove(key)
            return
        owner = self._owners.get(key)
        if owner not in claims:
            owner = self._owners[key] = min(claims)
        (self._contested.add if len(claims) > 1 else self._contested.discard)(key)
        self.inventory.put(key, self._files[owner].objects[key].value)

    def _all_problems(self) -> Iterator[Problem]:
        if self._doubt is not None:
            yield self._doubt
        for path, message in sorted(self._closed.items()):
            yield Problem("", message, "directory.closed", f"{self._name}/{path}")
        for path in sorted(self._files):
            yield from self._files[path].problems
        for key in sorted(self._contested):
            owner = self._owners[key]
            first = self._files[owner].objects[key]
            for path in sorted(self._claims[key] - {owner}):
                line = self._files[path].objects[key].line
                yield repeated(key, f"{self._name}/{path}", line, f"{self._name}/{owner}", first.line)
