"""A stand-in for MetalLB's speaker at layer 2: answers ARP and Neighbor Discovery for some addresses with its interface's own MAC.

    python metallb_speaker.py eth0 10.0.42.7 fd00:42::7

MetalLB itself is not among Debian's packages. What it does to a LAN is this and a gratuitous reply when it begins; which node
answers for which address is for whoever starts it to say, by MetalLB's rule (`elected`).
"""

import socket
import struct
import sys
from hashlib import sha256
from ipaddress import ip_address
from select import select

from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, IPv6
from scapy.layers.l2 import Ether

ETH_P_ARP, ETH_P_IPV6 = 0x0806, 0x86DD
SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_MR_ALLMULTI = 263, 1, 2


def elected(address: str, nodes: list[str]) -> str:
    """The node that MetalLB's speakers agree on: the lowest SHA-256 of ``node#address``."""
    return min(nodes, key=lambda node: sha256(f"{node}#{address}".encode()).digest())


def arp_reply(frame: bytes, mac: bytes) -> bytes:
    """The answer to a request, as the kernel would give it."""
    asker, source, target = frame[6:12], frame[22:32], frame[38:42]
    return asker + mac + frame[12:20] + b"\x00\x02" + mac + target + source


def advertisement(frame: bytes, mac: bytes) -> bytes:
    """The answer to a solicitation."""
    asked, own = Ether(frame), mac.hex(":")
    target = asked[ICMPv6ND_NS].tgt
    answer = ICMPv6ND_NA(tgt=target, R=0, S=1, O=1) / ICMPv6NDOptDstLLAddr(lladdr=own)
    return bytes(Ether(src=own, dst=asked.src) / IPv6(src=target, dst=asked[IPv6].src, hlim=255) / answer)


def main(interface: str, *addresses: str) -> None:
    wanted = {ip_address(address).packed for address in addresses}
    with (
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as arp,
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as ndp,
    ):
        arp.bind((interface, ETH_P_ARP))
        ndp.bind((interface, ETH_P_IPV6))
        everything = struct.pack("iHH8s", socket.if_nametoindex(interface), PACKET_MR_ALLMULTI, 0, b"")
        ndp.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, everything)
        mac = arp.getsockname()[4]
        while True:
            for asked in select([arp, ndp], [], [])[0]:
                frame = asked.recv(2048)
                if asked is arp and frame[20:22] == b"\x00\x01" and frame[38:42] in wanted:
                    arp.send(arp_reply(frame, mac))
                if asked is ndp and frame[20] == 58 and frame[54:55] == b"\x87" and frame[62:78] in wanted:
                    ndp.send(advertisement(frame, mac))


if __name__ == "__main__":
    main(*sys.argv[1:])
