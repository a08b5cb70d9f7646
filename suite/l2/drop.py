"""Why a frame got no answer: one word for the counter, the metric and the log."""

from enum import StrEnum


class Drop(StrEnum):
    """A frame that is not answered, with the reason. The values are metric labels: they do not change."""

    TRUNCATED = "truncated"
    """Shorter than its protocol demands."""

    OVERSIZED = "oversized"
    """Longer than an Ethernet frame of its kind can be."""

    VLAN_TAGGED = "vlan_tagged"
    """Carries an 802.1Q or 802.1ad tag: it belongs to another LAN than this interface."""

    OTHER_PROTOCOL = "other_protocol"
    """Neither ARP nor a Neighbor Solicitation or Advertisement."""

    WRONG_HARDWARE = "wrong_hardware"
    """ARP about something else than Ethernet (RFC 826: "Do I have the hardware type in ar$hrd?")."""

    WRONG_FORMAT = "wrong_format"
    """Lengths, version, code or operation that its RFC does not know."""

    WRONG_DESTINATION = "wrong_destination"
    """The frame was sent to another machine, or to a group that does not belong to its target."""

    NOT_A_QUESTION = "not_a_question"
    """An ARP reply or Neighbor Advertisement: it states, it does not ask."""

    OWN_FRAME = "own_frame"
    """Sent by this very interface and looped back by the network."""

    BAD_SENDER = "bad_sender"
    """The sender's addresses cannot be answered: multicast, loopback or all zeroes."""

    CONFLICT = "conflict"
    """The sender uses an address that this node owns (RFC 5227 section 2.4)."""

    FOREIGN_ADDRESS = "foreign_address"
    """Asks for an address that this node does not own here."""

    WRONG_HOP_LIMIT = "wrong_hop_limit"
    """Hop limit below 255: it crossed a router (RFC 4861 section 7.1)."""

    BAD_CHECKSUM = "bad_checksum"
    """The ICMPv6 checksum does not match."""

    BAD_OPTION = "bad_option"
    """An option of length zero, beyond the end, or forbidden here (RFC 4861 section 7.1)."""
