"""Which of several paths to one prefix a router marks best, and by which rule (RFC 4271 section 9.1.2.2).

Pure prediction for people who wonder: the nodes announce identical routes, so nearly every rule ties and the lowest
router identifier decides. The other paths are no dead ends: they take over when the best one goes, or share the
traffic where the router is told to use several paths of equal cost.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address

from suite.bgp.attribute import Origin
from suite.bgp.prefix import Address


class Rule(Enum):
    """The rules in the order in which routers apply them; the value is the sentence people read."""

    ONLY = "it is the only path"
    LOCAL_PREFERENCE = "highest local preference"
    PATH_LENGTH = "shortest AS path"
    ORIGIN = "lowest origin"
    MED = "lowest MED among paths of one neighboring AS"
    EXTERNAL = "external before internal"
    DISTANCE = "lowest cost to the next hop"
    OLDEST = "oldest of the external paths"
    IDENTIFIER = "lowest router identifier"
    ADDRESS = "lowest neighbor address"


@dataclass(frozen=True, slots=True)
class Path:
    """One path as the router sees it.

    `distance` is the IGP cost. `order` is when it first took part in the choice, the oldest lowest; paths that came
    before the router chose for the first time (at its own start) have the same order.
    """

    neighbor: Address
    identifier: IPv4Address
    internal: bool
    neighbor_as: int
    path_length: int
    local_pref: int = 100
    origin: Origin = Origin.IGP
    med: int = 0
    distance: int = 0
    order: int = 0


@dataclass(frozen=True, slots=True)
class Router:
    """How a router decides where implementations differ.

    FRR keeps the oldest of equal external paths unless `bgp bestpath compare-routerid` is set; BIRD does not unless
    `prefer older on` is. `multipath` is how many equal paths it uses at once (`maximum-paths`, `merge paths`).
    """

    keeps_oldest: bool
    multipath: int = 1


FRR = Router(keeps_oldest=True)
BIRD = Router(keeps_oldest=False)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The best path and the rule that decided; per other path the rule it lost by; `used` carry traffic together."""

    best: Path
    rule: Rule
    lost: tuple[tuple[Path, Rule], ...]
    used: tuple[Path, ...]


_Key = Callable[[Path], int]
_KEYS: tuple[tuple[Rule, _Key], ...] = (
    (Rule.LOCAL_PREFERENCE, lambda path: -path.local_pref),
    (Rule.PATH_LENGTH, lambda path: path.path_length),
    (Rule.ORIGIN, lambda path: path.origin),
    (Rule.MED, lambda path: path.med),
    (Rule.EXTERNAL, lambda path: path.internal),
    (Rule.DISTANCE, lambda path: path.distance),
    (Rule.OLDEST, lambda path: path.order),
    (Rule.IDENTIFIER, lambda path: int(path.identifier)),
    (Rule.ADDRESS, lambda path: int(path.neighbor)),
)
_BREAKS_EQUAL_COST = {Rule.OLDEST, Rule.IDENTIFIER, Rule.ADDRESS}


def choose(paths: Sequence[Path], router: Router) -> Verdict:
    """The verdict over one or more paths; ValueError without any.

    Rule by rule the paths that are not the best by it drop out. MED is compared among paths of one neighboring AS
    only, so a path may drop out there while one of another AS with a higher MED stays.
    """
    if not paths:
        raise ValueError("there is no path to choose")
    left, lost, decided = list(paths), [], Rule.ONLY
    equal: list[Path] = list(paths)
    for rule, key in _KEYS:
        if len(left) == 1:
            break
        if rule is Rule.OLDEST and not (router.keeps_oldest and not any(path.internal for path in left)):
            continue
        if rule not in _BREAKS_EQUAL_COST:
            equal = _stay(left, rule, key)
        stay = _stay(left, rule, key)
        lost += [(path, rule) for path in left if path not in stay]
        if len(stay) < len(left):
            decided = rule
        left = stay
    best = left[0]
    others = [path for path in equal if path != best] if len(equal) > 1 else []
    return Verdict(best, decided, tuple(lost), (best, *others)[: router.multipath])


def _stay(paths: list[Path], rule: Rule, key: _Key) -> list[Path]:
    """The paths that are best by one rule."""
    if rule is Rule.MED:
        least = {asn: min(p.med for p in paths if p.neighbor_as == asn) for asn in {p.neighbor_as for p in paths}}
        return [path for path in paths if path.med == least[path.neighbor_as]]
    lowest = min(map(key, paths))
    return [path for path in paths if key(path) == lowest]


def explain(verdict: Verdict) -> str:
    """The verdict in sentences: best and why, then each other path and what it is good for."""
    lines = [f"{verdict.best.neighbor} is best: {verdict.rule.value}"]
    for path, rule in verdict.lost:
        role = "carries traffic too (equal cost)" if path in verdict.used else "stands by"
        lines.append(f"{path.neighbor} {role}: it lost by the rule «{rule.value}»")
    return "\n".join(lines)
