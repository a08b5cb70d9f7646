"""What the LAN's forwarder makes of a leased name, judged from its answers.  Pure; ``forwarder_probes`` asks.

A forwarder can lose our good answers in five ways, and each looks the same to whoever types a name into a browser:

  it does not forward the zone at all           the zone's SOA does not come from us
  it validates, and the root proves us away     with "checking disabled" the SOA comes
  rebind protection takes the address out       the SOA comes, the address does not
  it remembers that the name did not exist      NXDOMAIN under our own SOA
  a built-in reverse zone answers               NXDOMAIN for the PTR, under somebody else's SOA or none
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from suite.cli.finding import Finding, Severity
from suite.cli.forwarder_lines import Cure, Place, Product, line_for
from suite.model.configuration import Listen

PAGE = "docs/forwarders.md has the lines"
_BOGUS = frozenset({1, 2, 5, 6, 7, 8, 9, 10, 11, 12})
"""Extended errors of validators (RFC 8914 section 4)."""

_REBINDING = {
    (Product.BIND, "SERVFAIL"): ": rebind protection (deny-answer-addresses)",
    (Product.KNOT_RESOLVER, "REFUSED"): ": rebind protection (module rebinding)",
}
"""Those that refuse the whole answer where others take the address out."""

_NOTHING_BUILT_IN = frozenset({Product.DNSDIST, Product.SMARTDNS, Product.DNSCACHE})
"""Those without zones of their own, whose denials come from elsewhere."""


@dataclass(frozen=True, slots=True)
class Said:
    """One answer of a forwarder; the defaults are silence."""

    rcode: str = ""
    """Empty where nobody answered in time."""
    data: tuple[str, ...] = ()
    """The data of the asked type in the answer section."""
    denied_by: str = ""
    """The owner of the SOA record in the authority section."""
    lasts: int = 0
    """How long a denial may be kept: that record's TTL."""
    is_authentic: bool = False
    """Whether it claims to have validated the answer (AD)."""
    errors: tuple[int, ...] = ()
    """Codes of extended errors."""


SILENCE = Said()


@dataclass(frozen=True, slots=True)
class Subject:
    """A name that leads to a leased address, as the database has it; names end in a dot."""

    name: str
    zone: str
    rtype: str
    addresses: tuple[str, ...]
    server: Listen
    """Where the network reaches this suite."""
    reverse_name: str = ""
    """Empty where no reverse zone is served."""
    reverse_zone: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """What one forwarder said."""

    place: Listen
    product: Product = Product.UNKNOWN
    soa: Said = SILENCE
    soa_unchecked: Said = SILENCE
    """The same asked with "checking disabled" (CD), which turns validation off for one question."""
    address: Said = SILENCE
    pointer: Said = SILENCE
    pointer_unchecked: Said = SILENCE


@dataclass(frozen=True, slots=True)
class NameFacts:
    """What forwarders were asked for, and what they said."""

    subject: Subject | None = None
    """None where nothing has a name yet, or the suite itself does not answer."""
    forwarders: tuple[Heard, ...] = ()


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that is wrong with a forwarder, and the line that mends it."""

    text: str
    fix: str
    """Several lines where it takes several."""


def check_forwarders(facts: NameFacts) -> Iterable[Finding]:
    """The LAN's forwarders lead to the Services."""
    if facts.subject is None:
        return
    for heard in facts.forwarders:
        remarks = judge(heard, facts.subject)
        yield from (Finding("forwarder", Severity.WARNING, remark.text, remark.fix) for remark in remarks)
        if not remarks:
            name = facts.subject.name.rstrip(".")
            yield Finding(
                "forwarder", Severity.OK, f"{heard.place} ({heard.product.value}) leads {name} to its address"
            )


def judge(heard: Heard, subject: Subject) -> list[Remark]:
    """Everything that is wrong; nothing where the name is found by every way."""
    if not _comes_from_us(heard.soa):
        return [_not_forwarded(heard, subject)]
    return [*_about_address(heard, subject), *_about_pointer(heard, subject)]


def _comes_from_us(soa: Said) -> bool:
    return soa.rcode == "NOERROR" and bool(soa.data)


def _not_forwarded(heard: Heard, subject: Subject) -> Remark:
    """The zone itself does not come through."""
    zone, soa = subject.zone.rstrip("."), heard.soa
    if all(not said.rcode for said in (soa, heard.soa_unchecked, heard.address, heard.pointer)):
        fix = f"does it forward to {subject.server}, and may it reach that? {_line(heard, subject, Cure.FORWARD)}"
        return Remark(f"{heard.place} does not answer for zone {zone}", fix)
    is_bogus = soa.rcode == "SERVFAIL" and bool(_BOGUS & {*soa.errors})
    if _comes_from_us(heard.soa_unchecked) or is_bogus or (soa.rcode == "NXDOMAIN" and soa.is_authentic):
        text = f"{heard.place} validates, and the signed root proves that zone {zone} does not exist"
        return Remark(f"{text} ({soa.rcode or 'no answer'})", _line(heard, subject, Cure.INSECURE))
    text = f"{heard.place} does not forward zone {zone} to {subject.server} ({soa.rcode or 'no answer'})"
    return Remark(text, _line(heard, subject, Cure.FORWARD))


def _about_address(heard: Heard, subject: Subject) -> Iterable[Remark]:
    said, name = heard.address, subject.name.rstrip(".")
    if set(subject.addresses) <= set(said.data):
        return
    if said.rcode == "NXDOMAIN":
        text = f"{heard.place} remembers that {name} does not exist, for every type; it exists now"
        wait = f"in {said.lasts} s it asks again by itself; at once: " if said.lasts else ""
        yield Remark(text, wait + _line(heard, subject, Cure.FLUSH))
    elif said.rcode == "NOERROR" and not said.data:
        text = f"{heard.place} takes the address out of the answer for {name}: rebind protection"
        yield Remark(text, _line(heard, subject, Cure.REBIND))
    elif said.rcode == "NOERROR":
        text = f"{heard.place} leads {name} to {', '.join(said.data)}, not to {', '.join(subject.addresses)}"
        yield Remark(f"{text}: a cached answer, or a record of its own", _line(heard, subject, Cure.FLUSH))
    else:
        text = f"{heard.place} answers {said.rcode or 'nothing'} for {name}, although zone {subject.zone} comes through"
        text += _REBINDING.get((heard.product, said.rcode), "")
        yield Remark(text, _line(heard, subject, Cure.REBIND))


def _about_pointer(heard: Heard, subject: Subject) -> Iterable[Remark]:
    said = heard.pointer
    if not subject.reverse_name or subject.name in said.data:
        return
    if _comes_from_us(heard.pointer_unchecked):
        text = f"{heard.place} validates the reverse zone {subject.reverse_zone} away ({said.rcode or 'no answer'})"
        yield Remark(text, _line(heard, replace(subject, zone=subject.reverse_zone), Cure.INSECURE))
        return
    if said.rcode == "NXDOMAIN" and said.denied_by == subject.reverse_zone:
        text = f"{heard.place} remembers that {subject.addresses[0]} has no name; it has one now"
        yield Remark(text, f"in {said.lasts} s it asks again by itself")
        return
    if said.rcode == "NXDOMAIN" and heard.product not in _NOTHING_BUILT_IN:
        text = (
            f"{heard.place} answers for {subject.addresses[0]} itself, with an empty built-in reverse zone (RFC 6303)"
        )
    else:
        text = f"{heard.place} does not forward the reverse zone {subject.reverse_zone} ({said.rcode or 'no answer'})"
    yield Remark(text, _line(heard, subject, Cure.REVERSE))


def _line(heard: Heard, subject: Subject, cure: Cure) -> str:
    """What to add to this forwarder, or where to look when nobody knows what it is."""
    place = Place(subject.zone.rstrip("."), subject.server, subject.reverse_zone.rstrip("."))
    line = line_for(heard.product, cure, place)
    if line:
        return f"{heard.product.value}: {line}"
    if heard.product is Product.UNKNOWN:
        return f"{PAGE} ({cure.value}); --forwarder-kind says what it is"
    return f"{PAGE} for {heard.product.value}"
