"""MetalLB's custom resources (group metallb.io) to the same draft that our own file fills."""

from collections.abc import Callable
from dataclasses import replace

from suite.config.build import bgp_from, l2_from, peer_from, pool_from
from suite.config.document import Document
from suite.config.draft import Draft, Placed
from suite.config.group import Field, Form, Group
from suite.config.peer_settings import BFD_SPEC, PEER
from suite.config.pool_settings import BGP_ADVERTISEMENT, L2_ADVERTISEMENT, POOL
from suite.config.selectors import LABELS, labels_from
from suite.config.shape import FAULT, Listing, Reading, Text
from suite.config.tree import Cursor, ListNode, Scalar
from suite.config.values import CodedError, parse_community
from suite.model.peer import BfdProfile

PREFIX = "suite/"
ANNOTATED = ("excluded", "draining", "zone")
"""Settings of pools that MetalLB has not: on an IPAddressPool they are annotations, ``suite/excluded: 10.0.42.1, 10.0.42.9``."""
TOP = ("apiVersion", "kind", "metadata", "spec", "status")

COMMUNITY = Group(
    (
        Field(
            "communities",
            Listing(
                Group(
                    (
                        Field("name", Text(), "The alias.", ""),
                        Field("value", Text(), "The community: 64512:1 or large:64512:1:2.", ""),
                    )
                )
            ),
            "Aliases of communities.",
            (),
        ),
    )
)

SPECS: dict[str, Group] = {
    "IPAddressPool": POOL,
    "L2Advertisement": L2_ADVERTISEMENT,
    "BGPAdvertisement": BGP_ADVERTISEMENT,
    "BGPPeer": PEER,
    "BFDProfile": BFD_SPEC,
    "Community": COMMUNITY,
}
"""The shape of each kind's ``spec``."""


def read_resource(document: Document, reading: Reading, draft: Draft) -> None:
    """Add what a custom resource says to the draft."""
    for key, value in document.at.entries():
        if key not in TOP:
            reading.unknown(value, key, TOP)
    form = SPECS[document.kind].read(document.at.under("spec"), reading)
    if form is not FAULT:
        READERS[document.kind](document, form, reading, draft)


def _pool(document: Document, form: Form, reading: Reading, draft: Draft) -> None:
    written = document.at.under("metadata").child("labels")
    labels = LABELS.read(written, reading) if written is not None else ()
    if not document.name:
        reading.fault(document.at.under("metadata", "name"), "pool.missing_name", "the pool has no name")
    form = _annotated(document, form, reading)
    draft.pools.append(pool_from(form, reading, document.name, labels_from(() if labels is FAULT else labels)))


def _annotated(document: Document, form: Form, reading: Reading) -> Form:
    """The form with what the annotations of the pool say, read by the shapes of our own format."""
    found = {}
    for each in POOL.fields:
        at = document.at.under("metadata", "annotations").child(f"{PREFIX}{each.name}")
        if each.name in ANNOTATED and at is not None:
            value = each.shape.read(_unquoted(at, is_list=each.name == "excluded"), reading, each.code)
            found[each.name] = each.default if value is FAULT else value
    return replace(form, values=form.values | found, keys=form.keys | dict.fromkeys(found, "-"))


def _unquoted(at: Cursor, *, is_list: bool) -> Cursor:
    """An annotation is always text; here it may be a flag, or a list with commas."""
    text = at.node.text if isinstance(at.node, Scalar) else ""
    words = [Scalar(word.strip(), at.line) for word in text.split(",") if word.strip()]
    return replace(at, node=ListNode(tuple(words), at.line) if is_list else Scalar(text.strip(), at.line))


def _l2(document: Document, form: Form, _reading: Reading, draft: Draft) -> None:
    draft.l2.append(l2_from(form, document.name, form["ip_address_pools"]))


def _bgp(document: Document, form: Form, reading: Reading, draft: Draft) -> None:
    draft.bgp.append(bgp_from(form, reading, document.name, form["ip_address_pools"]))


def _peer(document: Document, form: Form, reading: Reading, draft: Draft) -> None:
    draft.peers.append(peer_from(form, reading, document.name, namespace=_namespace(document)))


def _namespace(document: Document) -> str:
    return document.at.text("metadata", "namespace") or "metallb-system"


def _profile(document: Document, form: Form, _reading: Reading, draft: Draft) -> None:
    draft.profiles.append(Placed(BfdProfile(document.name, **form.values), form.at, form))


def _community(_document: Document, form: Form, reading: Reading, draft: Draft) -> None:
    for each in form["communities"]:
        try:
            draft.communities.append(Placed((each["name"], parse_community(each["value"])), each.at))
        except CodedError as fault:
            reading.fault(each.place("value"), fault.code, str(fault))


READERS: dict[str, Callable[[Document, Form, Reading, Draft], None]] = {
    "IPAddressPool": _pool,
    "L2Advertisement": _l2,
    "BGPAdvertisement": _bgp,
    "BGPPeer": _peer,
    "BFDProfile": _profile,
    "Community": _community,
}
