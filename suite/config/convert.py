"""From the old ConfigMap to custom resources and back, for people who change from one to the other.

The conversion goes by the shapes: each setting knows its key in both formats.  What the other format cannot say is told,
never dropped in silence.  Check the documents (``loading.load``) before converting them: a conversion goes on where it can.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from suite.config.document import NATIVE, SKIPPED, Document
from suite.config.group import Group, Made
from suite.config.loading import load
from suite.config.peer_settings import BFD_PROFILE, BFD_SPEC, PEER
from suite.config.pool_settings import BGP_ADVERTISEMENT, L2_ADVERTISEMENT, POOL
from suite.config.resolve import selects
from suite.config.resources import ANNOTATED, COMMUNITY, PREFIX
from suite.config.settings import FILE
from suite.config.shape import Dialect, Flag, Listing, Number, Seconds, Shape, Words
from suite.config.tree import Cursor, Scalar
from suite.config.values import TRUE, duration_text, parse_duration, parse_whole
from suite.model.problem import Problem

NAMESPACE = "metallb-system"
KEPT_EMPTY = frozenset({"auto_assign", "echo_mode", "passive_mode"})
"""Flags that MetalLB's converter writes even when they are off; other empty values are left out."""
NOT_A_NAME = re.compile(r"[^a-z0-9.-]+")
HANDLED = frozenset({"address_pools", "peers", "bgp_communities", "bfd_profiles"})


@dataclass(frozen=True, slots=True)
class Converted:
    """The documents of the other format, and warnings about what it cannot say."""

    objects: list[dict[str, Any]] = field(default_factory=list)
    lost: tuple[Problem, ...] = ()


class Translation:
    """One conversion on its way: from which spelling to which, and what was lost."""

    def __init__(self, source: Dialect, target: Dialect) -> None:
        self.source, self.target = source, target
        self.lost: list[Problem] = []

    def lose(self, at: Cursor, why: str) -> None:
        """Note a setting that the other format cannot say."""
        self.lost.append(Problem(at.path, why, "convert.lost", at.source, at.key_line or at.line, is_warning=True))

    def leave_out(self, document: Document, what: str) -> None:
        """Note a document that is in the target's format and therefore in no result."""
        self.lose(document.at, f"{what} already; it is left out, so keep it beside the result")

    def group(self, group: Group, at: Cursor, skip: Iterable[str] = ()) -> dict[str, Any]:
        """The settings of a group under their other keys; ``skip`` names fields the caller sees to."""
        known = {each.spelled(self.source): each for each in group.fields if each.name not in skip}
        made: dict[str, Any] = {}
        for key, value in at.entries():
            each = known.get(key)
            if each is None or value.is_null:
                continue
            target = each.spelled(self.target)
            if target == "-":
                self.lose(value, f"the other format has no word for {key}")
                continue
            plain = self.value(each.shape, value)
            if plain or each.name in KEPT_EMPTY:
                made[target] = plain
        return made

    def value(self, shape: Shape, at: Cursor) -> Any:
        """A value in the types of JSON."""
        match shape:
            case Made():
                return self.group(shape.of, at)
            case Group():
                return self.group(shape, at)
            case Listing():
                return [self.value(shape.of, item) for item in at.items()] or ([] if at.path else None)
            case Words():
                return {key: self.value(shape.of, each) for key, each in at.entries()}
            case _:
                return leaf(shape, at.node.text) if isinstance(at.node, Scalar) else None


def leaf(shape: Shape, text: str) -> Any:
    """A scalar in the type its shape reads; a bad one stays text (it was told when the document was checked)."""
    try:
        match shape:
            case Flag():
                return text in TRUE
            case Number():
                return parse_whole(text)
            case Seconds():
                return duration_text(parse_duration(text))
    except ValueError:
        return text
    return text


def to_resources(documents: Iterable[Document], namespace: str = NAMESPACE) -> Converted:
    """The custom resources that say what our own documents say, in the order MetalLB's converter writes them.

    Pools keep their names (in the letters Kubernetes allows), peers become peer1, peer2, ..., advertisements
    bgpadvertisementN and l2advertisementN, aliases one Community named ``communities``.
    """
    made = Resources(namespace)
    for document in documents:
        if document.kind == NATIVE:
            made.add(document.at)
        elif document.kind != SKIPPED:
            made.translation.leave_out(document, f"{document.kind} {document.name} is a custom resource")
    return Converted(made.objects(), tuple(made.translation.lost))


class Resources:
    """Custom resources on their way, by kind."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.translation = Translation(Dialect.NATIVE, Dialect.RESOURCE)
        self.kinds: dict[str, list[dict[str, Any]]] = {
            kind: []
            for kind in ("BGPPeer", "IPAddressPool", "BGPAdvertisement", "L2Advertisement", "BFDProfile", "Community")
        }

    def objects(self) -> list[dict[str, Any]]:
        """All of them, in the order of the kinds."""
        return [each for made in self.kinds.values() for each in made]

    def add(self, at: Cursor) -> None:
        """What one document says."""
        for peer in at.under("peers").items():
            name = kubernetes_name(peer.text("name")) or f"peer{len(self.kinds['BGPPeer']) + 1}"
            self._put("BGPPeer", name, self.translation.group(PEER, peer, skip=("name",)))
        for pool in at.under("address-pools").items():
            self._pool(pool)
        for profile in at.under("bfd-profiles").items():
            spec = self.translation.group(BFD_SPEC, profile)
            self._put("BFDProfile", kubernetes_name(profile.text("name")), spec)
        aliases = sorted((key, _text(each)) for key, each in at.under("bgp-communities").entries())
        if aliases:
            pairs = [{"name": name, "value": value} for name, value in aliases]
            self._put("Community", "communities", {"communities": pairs})
        handled = {each.spelled(Dialect.NATIVE) for each in FILE.fields if each.name in HANDLED}
        for key, value in at.entries():
            if key not in handled:
                self.translation.lose(value, f"custom resources have no word for {key}; keep it in a file of our own")

    def _pool(self, at: Cursor) -> None:
        name = kubernetes_name(at.text("name"))
        apart = ("name", "protocol", "bgp_advertisements", "l2_advertisements", "labels", *ANNOTATED)
        spec = self.translation.group(POOL, at, skip=apart)
        labels = {key: _text(each) for key, each in at.under("labels").entries()}
        self._put("IPAddressPool", name, spec, labels, _annotations(at))
        protocol = at.text("protocol")
        for kind, word, key, group in (
            ("BGPAdvertisement", "bgp", "bgp-advertisements", BGP_ADVERTISEMENT),
            ("L2Advertisement", "layer2", "l2-advertisements", L2_ADVERTISEMENT),
        ):
            if protocol == word:
                written = at.child(key)
                specs = (
                    [self.translation.group(group, each, skip=("name",)) for each in written.items()] if written else []
                )
                for each in specs or [{}]:
                    number = len(self.kinds[kind]) + 1
                    self._put(kind, f"{kind.lower()}{number}", {"ipAddressPools": [name]} | each)

    def _put(
        self,
        kind: str,
        name: str,
        spec: dict[str, Any],
        labels: dict[str, str] | None = None,
        annotations: dict[str, str] | None = None,
    ) -> None:
        version = "metallb.io/v1beta2" if kind == "BGPPeer" else "metallb.io/v1beta1"
        metadata: dict[str, Any] = {"name": name, "namespace": self.namespace} | ({"labels": labels} if labels else {})
        metadata |= {"annotations": annotations} if annotations else {}
        self.kinds[kind].append({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec})


def _annotations(at: Cursor) -> dict[str, str]:
    """What only our own format can say of a pool, as the annotations that say it on a custom resource."""
    made = {name: [_text(each) for each in at.under(name).items()] or [_text(at.under(name))] for name in ANNOTATED}
    return {f"{PREFIX}{name}": ", ".join(texts) for name, texts in made.items() if any(texts)}


def kubernetes_name(text: str) -> str:
    """The name in letters Kubernetes allows (RFC 1123): small, ``-`` for what is neither letter, digit, dot nor ``-``."""
    return NOT_A_NAME.sub("-", text.lower()).strip("-.")


def _text(at: Cursor) -> str:
    return at.node.text if isinstance(at.node, Scalar) else ""


def to_native(documents: Iterable[Document]) -> Converted:
    """One document of our own format that says what custom resources say.

    An advertisement is written into every pool it selects; a pool that is announced in both ways cannot be said in
    this format and is told.
    """
    documents = tuple(documents)
    translation = Translation(Dialect.RESOURCE, Dialect.NATIVE)
    for document in _of(documents, NATIVE):
        if any(document.at.entries()):
            translation.leave_out(document, "this is our own format")
    made = (
        ("peers", [_named(each, translation, PEER) for each in _of(documents, "BGPPeer")]),
        ("address-pools", _pools(documents, translation)),
        ("bgp-communities", _aliases(documents, translation)),
        ("bfd-profiles", [_named(each, translation, BFD_PROFILE) for each in _of(documents, "BFDProfile")]),
    )
    native = {key: value for key, value in made if value}
    return Converted([native] if native else [], tuple(translation.lost))


def _of(documents: Iterable[Document], kind: str) -> list[Document]:
    return [document for document in documents if document.kind == kind]


def _spec(document: Document) -> Cursor:
    return document.at.under("spec")


def _named(document: Document, translation: Translation, group: Group) -> dict[str, Any]:
    return {"name": document.name} | translation.group(group, _spec(document))


def _aliases(documents: Iterable[Document], translation: Translation) -> dict[str, str]:
    specs = (translation.group(COMMUNITY, _spec(document)) for document in _of(documents, "Community"))
    return {pair.get("name", ""): pair.get("value", "") for spec in specs for pair in spec.get("communities", ())}


def _pools(documents: tuple[Document, ...], translation: Translation) -> list[dict[str, Any]]:
    draft = load(documents, strict=False).draft
    l2 = list(zip(draft.l2, _of(documents, "L2Advertisement"), strict=False))
    bgp = list(zip(draft.bgp, _of(documents, "BGPAdvertisement"), strict=False))
    made = []
    for placed, document in zip(draft.pools, _of(documents, "IPAddressPool"), strict=False):
        ways2 = [each for way, each in l2 if selects(way.value, placed.value)]
        ways3 = [each for way, each in bgp if selects(way.value, placed.value)]
        if ways2 and ways3:
            translation.lose(
                document.at, f"pool {document.name} is announced by layer 2 and by BGP; here it can say only BGP"
            )
        pool: dict[str, Any] = {"name": document.name, "protocol": "bgp" if ways3 else "layer2" if ways2 else "none"}
        pool |= translation.group(POOL, _spec(document))
        pool |= {"labels": dict(placed.value.labels)} if placed.value.labels else {}
        pool |= {"excluded": [str(span) for span in placed.value.excluded]} if placed.value.excluded else {}
        pool |= {"draining": True} if placed.value.draining else {}
        pool |= {"zone": placed.value.zone} if placed.value.zone else {}
        made.append(pool | _ways(ways3, ways2, translation))
    return made


def _ways(bgp: list[Document], l2: list[Document], translation: Translation) -> dict[str, Any]:
    """The advertisements of one pool; left out where the default says the same."""
    skip = ("ip_address_pools", "ip_address_pool_selectors")
    group, key = (BGP_ADVERTISEMENT, "bgp-advertisements") if bgp else (L2_ADVERTISEMENT, "l2-advertisements")
    specs = [translation.group(group, _spec(each), skip=skip) for each in bgp or l2]
    return {key: specs} if any(specs) else {}
