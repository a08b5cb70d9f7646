"""A stand-in for MetalLB's speaker at layer 2: answers ARP requests for some addresses with its interface's own MAC.

    python metallb_speaker.py eth0 10.0.42.7 10.0.42.8

MetalLB itself is not among Debian's packages. What it does to a LAN is this and a gratuitous reply when it begins; which node
answers for which address is for whoever starts it to say, by MetalLB's rule (`elected`).
"""

import socket
import sys
from hashlib import sha256
from ipaddress import IPv4Address

ETH_P_ARP = 0x0806


def elected(address: str, nodes: list[str]) -> str:
    """The node that MetalLB's speakers agree on: the lowest SHA-256 of ``node#address``."""
    return min(nodes, key=lambda node: sha256(f"{node}#{address}".encode()).digest())


def reply(frame: bytes, mac: bytes) -> bytes:
    """The answer to a request, as the kernel would give it."""
    asker, source, target = frame[6:12], frame[22:32], frame[38:42]
    return asker + mac + frame[12:20] + b"\x00\x02" + mac + target + source


def main(interface: str, *addresses: str) -> None:
    wanted = {IPv4Address(address).packed for address in addresses}
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as lan:
        lan.bind((interface, ETH_P_ARP))
        mac = lan.getsockname()[4]
        while True:
            frame = lan.recv(128)
            if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\x00\x01" and frame[38:42] in wanted:
                lan.send(reply(frame, mac))


if __name__ == "__main__":
    main(*sys.argv[1:])
