"""Names in other letters than ASCII: what to write instead (RFC 5891; RFC 6763 section 4.1.1 for names of services).

Nothing is converted in silence: which of the two somebody means cannot be told, and resolvers ask for the one or the other.
"""

from __future__ import annotations

from suite.dns.name import DomainNameError


def in_ascii(text: str) -> str:
    """Give a name back as it stands; DomainNameError with what to write instead when it is not ASCII."""
    if text.isascii():
        return text
    octets = "".join(character if character.isascii() else _escaped(character) for character in text)
    asked = _asked(text)
    meant = f"write {asked} (RFC 5891), or {octets} where these octets are meant" if asked else f"write {octets}"
    raise DomainNameError(f"{text} is not ASCII: {meant}")


def _asked(text: str) -> str:
    """What resolvers ask for when people type the name; empty where it cannot be said."""
    try:
        return text.encode("idna").decode()
    except UnicodeError:
        return ""


def _escaped(character: str) -> str:
    return "".join(f"\\{octet:03}" for octet in character.encode(errors="replace"))
