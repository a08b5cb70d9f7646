"""Ethernet addresses: six bytes inside, colon-separated text outside."""

BROADCAST = b"\xff" * 6
NOBODY = bytes(6)

Mac = bytes
"""Six bytes."""


def to_text(mac: Mac) -> str:
    """`02:00:00:00:00:01`, the spelling of `ip link`."""
    return mac.hex(":")


def from_text(text: str) -> Mac:
    """Read what `to_text` writes; ValueError for anything but six bytes."""
    mac = bytes.fromhex(text.replace(":", "").replace("-", ""))
    if len(mac) != 6:
        raise ValueError(f"{text!r} is no Ethernet address: it has {len(mac)} bytes instead of 6")
    return mac


def is_unicast(mac: Mac) -> bool:
    """Whether a machine can have it: no group bit, not all zeroes."""
    return not mac[0] & 1 and mac != NOBODY
