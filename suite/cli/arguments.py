"""Arguments that are more than text: read once, refused with the reason and an example."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from suite.model.address import Address, Range
    from suite.model.configuration import Listen
    from suite.model.service import ServiceRef

Value = TypeVar("Value")

DNS_PORT = 53


def read_address(text: str) -> "Address":
    """An IPv4 or IPv6 address."""
    from suite.model.address import parse_address

    return _read(parse_address, text, "10.0.42.7 or 2001:db8::7")


def read_range(text: str) -> "Range":
    """An address, a network, or two addresses with a dash between."""
    from suite.model.address import parse_range

    return _read(parse_range, text, "10.0.42.7, 10.0.42.0/28 or 10.0.42.10-10.0.42.20")


def read_ref(text: str) -> "ServiceRef":
    """NAMESPACE/NAME of a Service; a bare name lies in ``default``."""
    from suite.model.service import parse_ref

    return _read(parse_ref, text, "default/coffee")


def read_listen(text: str, port: int = DNS_PORT) -> "Listen":
    """``127.0.0.1``, ``127.0.0.1:1053``, ``::1`` or ``[::1]:1053``."""
    return _read(lambda written: _listen(written, port), text, "127.0.0.1:1053 or [::1]:1053")


def _listen(text: str, port: int) -> "Listen":
    from suite.model.address import parse_address
    from suite.model.configuration import Listen

    host, colon, number = text.rpartition(":")
    if text.endswith("]") or not colon or (":" in host and not host.endswith("]")):
        host, number = text, str(port)
    if not (number.isascii() and number.isdigit() and 0 < int(number) < 65536):
        raise ValueError(f"{number!r} is no port")
    return Listen(parse_address(host.removeprefix("[").removesuffix("]")), int(number))


def _read(parse: Callable[[str], Value], text: str, example: str) -> Value:
    try:
        return parse(text)
    except ValueError as error:
        raise click.UsageError(f"{error} (write {example})") from None
