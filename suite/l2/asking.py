"""Asking a LAN again and again who has some addresses, for people who want to know how long nobody answered (RFC 826)."""

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Address

ETH_P_ARP = 0x0806
REQUEST, REPLY = b"\x00\x01", b"\x00\x02"
HEADER = b"\x00\x01\x08\x00\x06\x04"
"""Ethernet, IPv4, six and four octets."""
BROADCAST = b"\xff" * 6


def ask(
    interface: str, source: IPv4Address, addresses: Sequence[IPv4Address], every: float, is_over: Callable[[], bool]
) -> Iterator[tuple[float, IPv4Address]]:
    """Each answer with its time (seconds of the monotonic clock), until ``is_over``.

    ``source`` is this machine's address there; each of ``addresses`` is asked for every ``every`` seconds.

    Raises:
        OSError: there is no such interface, or this process lacks CAP_NET_RAW.
    """
    wanted = {address.packed: address for address in addresses}
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as asker:
        asker.bind((interface, ETH_P_ARP))
        mac = asker.getsockname()[4]
        next_round = time.monotonic()
        while not is_over():
            left = next_round - time.monotonic()
            if left <= 0:
                for packed in wanted:
                    asker.send(request(mac, source.packed, packed))
                next_round += every
                continue
            asker.settimeout(left)
            try:
                frame = asker.recv(128)
            except TimeoutError:
                continue
            address = wanted.get(frame[28:32])
            if address is not None and frame[20:22] == REPLY:
                yield time.monotonic(), address


def request(mac: bytes, source: bytes, target: bytes) -> bytes:
    """A frame that asks everybody who has ``target``."""
    return BROADCAST + mac + b"\x08\x06" + HEADER + REQUEST + mac + source + bytes(6) + target
