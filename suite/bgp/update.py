"""UPDATE: prefixes that came and went, and what is said about them (RFC 4271 section 4.3, RFC 4760, RFC 7606)."""

import struct
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address

from suite.bgp.attribute import AttributeType, PathAttributes, encode_attribute, encode_attributes
from suite.bgp.attribute_decode import DecodedAttributes, Fault, Treatment, decode_attributes
from suite.bgp.notification import Code, ProtocolError, UpdateError, fault
from suite.bgp.prefix import IPV4, IPV6, Address, Family, NlriError, Prefix, split_nlri

NO_ATTRIBUTES = PathAttributes()


@dataclass(frozen=True, slots=True)
class Dialect:
    """What both sides of a session agreed on, as far as it changes how messages read.

    `four_octet`: AS numbers have four octets (RFC 6793). `internal`: an iBGP session. `extended_next_hop`: IPv4
    prefixes may have IPv6 next hops (RFC 8950). `families` are the ones both announced.
    """

    four_octet: bool = True
    internal: bool = False
    families: frozenset[Family] = frozenset({IPV4})
    extended_next_hop: bool = False


@dataclass(frozen=True, slots=True)
class Reach:
    """MP_REACH_NLRI: prefixes of one family with one or, for IPv6 with a link-local, two next hops."""

    family: Family
    next_hops: tuple[Address, ...]
    prefixes: tuple[Prefix, ...]


@dataclass(frozen=True, slots=True)
class Unreach:
    """MP_UNREACH_NLRI: prefixes of one family that are gone; none at all is the family's End-of-RIB."""

    family: Family
    prefixes: tuple[Prefix, ...]


@dataclass(frozen=True, slots=True)
class Update:
    """One UPDATE message.

    `faults` is what RFC 7606 forgives. Routes treated as withdrawn already stand under `withdrawn`, of either family.
    """

    withdrawn: tuple[Prefix, ...] = ()
    attributes: PathAttributes = NO_ATTRIBUTES
    prefixes: tuple[Prefix, ...] = ()
    reach: Reach | None = None
    unreach: Unreach | None = None
    faults: tuple[Fault, ...] = ()

    @property
    def treatment(self) -> Treatment:
        """The strongest treatment any fault called for (RFC 7606 section 3 h)."""
        return max((f.treatment for f in self.faults), default=Treatment.NORMAL)

    @property
    def end_of_rib(self) -> Family | None:
        """The family this message ends the initial routes of (RFC 4724 section 2), if it is such a mark."""
        if self == Update():
            return IPV4
        if self.unreach is not None and self == Update(unreach=Unreach(self.unreach.family, ())):
            return self.unreach.family
        return None


def end_of_rib(family: Family) -> Update:
    """The mark that ends the initial routes of a family."""
    return Update() if family == IPV4 else Update(unreach=Unreach(family, ()))


def encode_update(update: Update, *, four_octet: bool) -> bytes:
    """The body; the multiprotocol attributes come first, so that a receiver finds prefixes early (RFC 7606 5.1)."""
    multiprotocol = b""
    if update.reach is not None:
        multiprotocol += encode_attribute(AttributeType.MP_REACH_NLRI, encode_reach(update.reach))
    if update.unreach is not None:
        value = struct.pack("!HB", *update.unreach.family) + _join(update.unreach.prefixes)
        multiprotocol += encode_attribute(AttributeType.MP_UNREACH_NLRI, value)
    attributes = multiprotocol + encode_attributes(update.attributes, four_octet=four_octet)
    return pack_update(_join(update.withdrawn), attributes, _join(update.prefixes))


def pack_update(withdrawn: bytes, attributes: bytes, nlri: bytes) -> bytes:
    """The body from its three encoded fields."""
    return len(withdrawn).to_bytes(2) + withdrawn + len(attributes).to_bytes(2) + attributes + nlri


def encode_reach(reach: Reach) -> bytes:
    """The value of MP_REACH_NLRI (RFC 4760 section 3)."""
    next_hop = b"".join(address.packed for address in reach.next_hops)
    return struct.pack("!HBB", *reach.family, len(next_hop)) + next_hop + b"\0" + _join(reach.prefixes)


def _join(prefixes: tuple[Prefix, ...]) -> bytes:
    return b"".join(prefix.nlri for prefix in prefixes)


def decode_update(body: bytes, dialect: Dialect) -> Update:
    """The message of a body; ProtocolError for the faults RFC 7606 still resets the session for."""
    withdrawn_field, attribute_field, nlri_field = _fields(body)
    decoded = decode_attributes(attribute_field, four_octet=dialect.four_octet, internal=dialect.internal)
    update = Update(
        withdrawn=_classic(withdrawn_field),
        attributes=decoded.attributes,
        prefixes=_classic(nlri_field),
        reach=_reach(decoded, dialect),
        unreach=_unreach(decoded, dialect),
        faults=tuple(decoded.faults),
    )
    return _treated(_with_missing(update))


def _fields(body: bytes) -> tuple[bytes, bytes, bytes]:
    """The three fields of the body (RFC 7606 section 3 b: lengths that do not fit reset the session)."""
    first = 2 + int.from_bytes(body[:2])
    second = first + 2 + int.from_bytes(body[first : first + 2])
    if first + 2 > len(body) or second > len(body):
        raise fault(Code.UPDATE, UpdateError.MALFORMED_ATTRIBUTE_LIST, "a length runs over the end of the message")
    return body[2:first], body[first + 2 : second], body[second:]


def _classic(octets: bytes) -> tuple[Prefix, ...]:
    try:
        return split_nlri(octets, IPV4)
    except NlriError as error:  # RFC 7606 section 5.3
        raise fault(Code.UPDATE, UpdateError.INVALID_NETWORK, str(error)) from error


def _reach(decoded: DecodedAttributes, dialect: Dialect) -> Reach | None:
    """MP_REACH_NLRI; families nobody agreed on are ignored with their prefixes (RFC 4760 section 6)."""
    value = decoded.reach
    if value is None:
        return None
    if len(value) < 5 or len(value) < 5 + value[3]:
        raise _malformed(AttributeType.MP_REACH_NLRI, "its next hop runs over the end")
    family = Family(int.from_bytes(value[:2]), value[2])
    if not _is_agreed(family, dialect, decoded, AttributeType.MP_REACH_NLRI):
        return None
    stop = 4 + value[3]
    next_hops = _next_hops(value[4:stop], family, dialect)
    return Reach(family, next_hops, _multiprotocol(value[stop + 1 :], family))


def _unreach(decoded: DecodedAttributes, dialect: Dialect) -> Unreach | None:
    value = decoded.unreach
    if value is None:
        return None
    if len(value) < 3:
        raise _malformed(AttributeType.MP_UNREACH_NLRI, f"{len(value)} octets")
    family = Family(int.from_bytes(value[:2]), value[2])
    if not _is_agreed(family, dialect, decoded, AttributeType.MP_UNREACH_NLRI):
        return None
    return Unreach(family, _multiprotocol(value[3:], family))


def _is_agreed(family: Family, dialect: Dialect, decoded: DecodedAttributes, kind: AttributeType) -> bool:
    if family in dialect.families:
        return True
    decoded.faults.append(Fault(Treatment.ATTRIBUTE_DISCARD, kind, f"family {family} was not agreed on"))
    return False


def _next_hops(octets: bytes, family: Family, dialect: Dialect) -> tuple[Address, ...]:
    """RFC 4760, RFC 2545 section 3 (16 or 32 octets), RFC 8950 section 3 (the same for IPv4 prefixes)."""
    if family == IPV4 and len(octets) == 4:
        return (IPv4Address(octets),)
    if len(octets) in {16, 32} and (family == IPV6 or dialect.extended_next_hop):
        return tuple(IPv6Address(octets[at : at + 16]) for at in range(0, len(octets), 16))
    raise _malformed(AttributeType.MP_REACH_NLRI, f"a next hop of {len(octets)} octets for {family}")


def _multiprotocol(octets: bytes, family: Family) -> tuple[Prefix, ...]:
    try:
        return split_nlri(octets, family)
    except NlriError as error:
        raise _malformed(AttributeType.MP_REACH_NLRI, str(error)) from error


def _malformed(kind: AttributeType, reason: str) -> ProtocolError:
    """RFC 7606 sections 5.3 and 7.11: prefixes that cannot be read reset the session."""
    return fault(Code.UPDATE, UpdateError.OPTIONAL_ATTRIBUTE, f"{kind.name}: {reason}")


def _with_missing(update: Update) -> Update:
    """Faults for mandatory attributes that are absent though there are routes (RFC 7606 section 3 d)."""
    if not update.prefixes and update.reach is None:
        return update
    noted = {f.kind for f in update.faults}
    absent = [AttributeType.ORIGIN] * (update.attributes.origin is None)
    absent += [AttributeType.AS_PATH] * (update.attributes.as_path is None)
    absent += [AttributeType.NEXT_HOP] * (update.attributes.next_hop is None and bool(update.prefixes))
    new = [Fault(Treatment.TREAT_AS_WITHDRAW, kind, "missing") for kind in absent if kind not in noted]
    return replace(update, faults=(*update.faults, *new)) if new else update


def _treated(update: Update) -> Update:
    """The message as it counts: with treat-as-withdraw, announced prefixes become withdrawn ones."""
    if update.treatment is not Treatment.TREAT_AS_WITHDRAW:
        return update
    gone = update.withdrawn + update.prefixes + (update.reach.prefixes if update.reach else ())
    return Update(withdrawn=gone, unreach=update.unreach, faults=update.faults)
