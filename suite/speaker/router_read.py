"""What a router's configuration says of its BGP neighbors, read out of its text, whatever its vendor. Pure.

`read` finds out whose words they are. FRR's are lines; Vyatta's (EdgeOS, VyOS, USG) are one tree in three spellings:
`set` commands, braces (`show configuration`) and JSON; BIRD's are blocks; RouterOS's are commands with properties, which
an export shortens (`remote.address=.. .as=..`); OPNsense's are the script of `router_opnsense`, the JSON of its API, or
the file it makes for FRR. What is not understood is passed over: whoever compares sees a node missing, never a fault here.
"""

import contextlib
import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from suite.model.address import Address, Network

Path = tuple[str, ...]
INTERNAL = "internal"


class Unreadable(ValueError):  # noqa: N818 - an outcome told to a person
    """The text is not what it begins as."""


@dataclass(slots=True)
class Known:
    """What a router knows: its own AS numbers, and the neighbors with theirs (None where nothing is said)."""

    own: set[int] = field(default_factory=set)
    neighbors: dict[Address, int | None] = field(default_factory=dict)
    ranges: dict[Network, int | None] = field(default_factory=dict)
    interfaces: set[str] = field(default_factory=set)

    def expects(self, address: Address) -> tuple[bool, int | None]:
        """Whether a node with ``address`` is taken, and the AS number it is expected with, if one is said."""
        if address in self.neighbors:
            return True, self.neighbors[address]
        around = [network for network in self.ranges if address in network]
        if not around:
            return False, None
        return True, self.ranges[max(around, key=lambda network: network.prefixlen)]


def read(text: str) -> Known:
    """The neighbors in a router's configuration.

    Raises:
        Unreadable: it begins as JSON and is none.
    """
    if text.lstrip().startswith("{"):
        try:
            document = json.loads(text)
        except json.JSONDecodeError as error:
            raise Unreadable(f"the file is no valid JSON, line {error.lineno}: {error.msg}") from None
        return _of_tree([*_leaves(document)], document)
    if "add_neighbor" in text and "/api/quagga" in text:
        return _opnsense(_calls(text))
    if re.search(r"^\s*/?routing[ /]bgp", text, re.MULTILINE):
        return _routeros(text)
    if re.search(r"^\s*(?:protocol|template) bgp\b", text, re.MULTILINE):
        return _bird(text)
    if re.search(r"^\s*router bgp \d", text, re.MULTILINE):
        return _frr(text)
    lines = [_words(line) for line in text.splitlines() if line.lstrip().startswith("set ")]
    return _vyatta([line[1:] for line in lines] or [*_braces(text)])


def _words(line: str) -> Path:
    """The words of a line as a shell has them; none where a quotation does not end."""
    try:
        return tuple(shlex.split(line, comments=True))
    except ValueError:
        return ()


@dataclass(slots=True)
class _Ends:
    """What is said of neighbors, one statement at a time; a group's AS number counts for who is in it."""

    known: Known = field(default_factory=Known)
    members: dict[str, str] = field(default_factory=dict)
    """The group of each neighbor, by the word that names it."""
    numbers: dict[str, str] = field(default_factory=dict)
    """What is said of the AS number of each neighbor or group."""
    ranges: list[tuple[str, str]] = field(default_factory=list)

    def neighbor(self, name: str, said: Sequence[str]) -> None:
        """``said`` of one neighbor or group, in FRR's words and order (Vyatta's are the same)."""
        if "interface" in said[:1]:
            self.known.interfaces.add(name)
        match [word for word in said if word not in {"interface", "v6only"}]:
            case ["remote-as", number, *_]:
                self.numbers[name] = number
            case ["peer-group", group, *_]:
                self.members[name] = group
            case _:
                pass
        self.members.setdefault(name, "")

    def result(self) -> Known:
        """Everything together."""
        known = self.known
        for name, group in self.members.items():
            address = _address(name)
            if address is not None:
                known.neighbors[address] = self._number(name, group)
        for network, group in self.ranges:
            parsed = _network(network)
            if parsed is not None:
                known.ranges[parsed] = self._number(group)
        return known

    def _number(self, *names: str) -> int | None:
        """The first number said of one of the names; ``internal`` is the router's own, where it has one."""
        said = next((self.numbers[name] for name in names if name in self.numbers), "")
        if said == INTERNAL and len(self.known.own) == 1:
            return next(iter(self.known.own))
        return int(said) if said.isdecimal() else None


def _frr(text: str) -> Known:
    ends = _Ends()
    for line in text.splitlines():
        match line.split():
            case ["router", "bgp", number, *_] if number.isdecimal():
                ends.known.own.add(int(number))
            case ["neighbor", name, *said]:
                ends.neighbor(name, said)
            case ["bgp", "listen", "range", network, "peer-group", group, *_]:
                ends.ranges.append((network, group))
            case _:
                pass
    return ends.result()


def _vyatta(paths: Iterable[Path]) -> Known:
    """Vyatta's tree, each leaf with the words before it; older trees have the AS number behind `bgp`."""
    ends = _Ends()
    for path in paths:
        if path[:2] != ("protocols", "bgp"):
            continue
        rest = path[2:]
        if rest and rest[0].isdecimal():
            ends.known.own.add(int(rest[0]))
            rest = rest[1:]
        match rest:
            case ["system-as" | "local-as", number, *_] if number.isdecimal():
                ends.known.own.add(int(number))
            case ["neighbor" | "peer-group", name, *said]:
                ends.neighbor(name, said)
            case ["listen", "range", network, "peer-group", group, *_]:
                ends.ranges.append((network, group))
            case _:
                pass
    return ends.result()


def _braces(text: str) -> Iterator[Path]:
    """The leaves of a tree in braces, one setting a line, as EdgeOS and VyOS show it."""
    above: list[Path] = []
    for line in text.splitlines():
        words = tuple(line.replace('"', "").split())
        if words[-1:] == ("{",):
            above.append(words[:-1])
            yield tuple(word for each in above for word in each)
        elif words == ("}",):
            above = above[:-1]
        elif words:
            yield (*(word for each in above for word in each), *words)


def _leaves(document: object, path: Path = ()) -> Iterator[Path]:
    """The leaves of a document, each with the names above it."""
    if isinstance(document, Mapping) and document:
        for name, value in document.items():
            yield from _leaves(value, (*path, str(name)))
    elif isinstance(document, list):
        for value in document:
            yield from _leaves(value, path)
    else:
        yield (*path, str(document))


def _of_tree(leaves: list[Path], document: object) -> Known:
    """A gateway's JSON has protocols; what else is JSON comes from OPNsense's API."""
    if any(path[:1] == ("protocols",) for path in leaves):
        return _vyatta(leaves)
    return _opnsense([*_objects(document)])


def _objects(document: object) -> Iterator[Mapping[str, object]]:
    """Every object of a document, at whatever depth."""
    if isinstance(document, Mapping):
        yield document
        for value in document.values():
            yield from _objects(value)
    elif isinstance(document, list):
        for value in document:
            yield from _objects(value)


def _calls(text: str) -> list[Mapping[str, object]]:
    """The documents of a script's calls; lines that are no call of ours hold none."""
    found: list[Mapping[str, object]] = []
    for line in text.splitlines():
        match _words(line):
            case ("save", _, document):
                with contextlib.suppress(ValueError):
                    found += _objects(json.loads(document))
            case _:
                pass
    return found


def _opnsense(objects: Iterable[Mapping[str, object]]) -> Known:
    known = Known()
    for each in objects:
        own, address, number = (str(each.get(name, "")) for name in ("asnumber", "address", "remoteas"))
        if own.isdecimal():
            known.own.add(int(own))
        parsed = _address(address)
        if parsed is not None and str(each.get("enabled", "1")) == "1":
            known.neighbors[parsed] = int(number) if number.isdecimal() else None
    return known


_STATEMENT = re.compile(r"[^;{}]+|[{}]")


def _bird(text: str) -> Known:
    """BIRD's blocks; what a template says counts where a protocol says nothing itself."""
    known = Known()
    templates: dict[str, _Block] = {}
    for block in _blocks(re.sub(r"#[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)):
        above = templates.get(block.above, _Block())
        local, number = block.local or above.local, block.number or above.number
        if block.name:
            templates[block.name] = _Block(local=local, number=number)
        if local:
            known.own.add(int(local))
        said = local if number == INTERNAL else number
        expected = int(said) if said.isdecimal() else None
        address, network = _address(block.end), _network(block.end)
        if address is not None:
            known.neighbors[address] = expected
        elif network is not None:
            known.ranges[network] = expected
    return known


@dataclass(slots=True)
class _Block:
    """A `protocol bgp` or `template bgp` of BIRD."""

    name: str = ""
    """Of a template, by which others refer to it."""
    above: str = ""
    local: str = ""
    number: str = ""
    end: str = ""
    """The neighbor's address, or the range."""


def _blocks(text: str) -> Iterator[_Block]:
    block, depth = None, 0
    for statement in _STATEMENT.findall(text):
        words = statement.split()
        if statement in "{}":
            depth += 1 if statement == "{" else -1
            if depth == 0 and block is not None:
                yield block
                block = None
        elif depth == 0 and "bgp" in words[1:2]:
            names = [word for word in words[2:] if word != "from"]
            above = words[words.index("from") + 1] if "from" in words[:-1] else ""
            block = _Block(name=names[0] if words[0] == "template" and names else "", above=above)
        elif depth == 1 and block is not None and words:
            _note(block, words)


def _note(block: _Block, words: list[str]) -> None:
    """One statement of a block: `local [address] as N` or `neighbor [range] end [port N] [as N | internal]`."""
    number = words[words.index("as") + 1] if "as" in words[:-1] else INTERNAL if INTERNAL in words else ""
    if words[0] == "local":
        block.local = number
    elif words[0] == "neighbor":
        block.number = number or block.number
        ends = [word for word in words[1:] if word not in {"range", "as"}]
        block.end = ends[0] if ends else ""


_PROPERTY = re.compile(r'([\w-]*(?:\.[\w-]+)?)=("(?:[^"\\]|\\.)*"|\S*)')


def _routeros(text: str) -> Known:
    """Commands, or an export: a menu on a line of its own, continued lines, and names shortened to their last part."""
    known, menu = Known(), ""
    for line in re.sub(r"\\\r?\n\s*", "", text).splitlines():
        said = line.strip().lstrip("/").replace("/", " ")
        if line.strip().startswith("/"):
            menu = " ".join(word for word in said.split()[:3] if "=" not in word and word not in {"add", "set"})
        if not re.search(r"(?:^|\s)(?:add|set)\s", said) or "disabled=yes" in said:
            continue
        found = _properties(line)
        if menu.startswith("routing bgp") and found.get("as", "").isdecimal():
            known.own.add(int(found["as"]))
        if menu == "routing bgp connection":
            number = found.get("remote.as", "")
            _end(known, found.get("remote.address", ""), int(number) if number.isdecimal() else None)
    return known


def _end(known: Known, end: str, number: int | None) -> None:
    """A neighbor or a range, whichever it is."""
    address, network = _address(end), _network(end)
    if address is not None:
        known.neighbors[address] = number
    elif network is not None and network.prefixlen == network.max_prefixlen:
        known.neighbors[network.network_address] = number
    elif network is not None:
        known.ranges[network] = number


def _properties(line: str) -> dict[str, str]:
    """The properties of a command; ``.as`` behind ``remote.address`` is ``remote.as``."""
    found: dict[str, str] = {}
    group = ""
    for name, value in _PROPERTY.findall(line):
        group = name.partition(".")[0] or group
        full = f"{group}{name}" if name.startswith(".") else name
        found[full] = value.strip('"')
    return found


def _address(text: str) -> Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _network(text: str) -> Network | None:
    try:
        return ip_network(text, strict=False) if "/" in text else None
    except ValueError:
        return None
