"""Overhearing what neighbours say to each other on an interface, for people; nothing is answered."""

import socket
from collections.abc import Callable, Iterator
from errno import ENODEV

ETH_P_ALL = 3
LONGEST_FRAME = 65536


def listen(interface: str, time_left: Callable[[], float | None]) -> Iterator[bytes]:
    """Frames of ARP and of IPv6 neighbour discovery, both directions, while there is time; None is for ever.

    Raises:
        OSError: there is no such interface, it went away, or this process lacks CAP_NET_RAW.
    """
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as listener:
        try:
            listener.bind((interface, ETH_P_ALL))
        except UnicodeEncodeError:
            raise OSError(ENODEV, "No such device") from None
        while (left := time_left()) is None or left > 0:
            listener.settimeout(left)
            try:
                frame = listener.recv(LONGEST_FRAME)
            except TimeoutError:
                return
            if is_neighbourly(frame):
                yield frame


def is_neighbourly(frame: bytes) -> bool:
    """ARP, or ICMPv6 types 135 and 136 (RFC 4861) behind an IPv6 header without extensions."""
    if frame[12:14] == b"\x08\x06":
        return True
    return frame[12:14] == b"\x86\xdd" and frame[20:21] == b"\x3a" and frame[54:55] in {b"\x87", b"\x88"}
