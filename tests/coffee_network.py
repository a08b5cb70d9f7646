"""The coffee story's LAN without any program on it: the one network of every story, test and bench of layer 2.

    10.0.0.0/16 and fd00:42::/64, one switch
      router    10.0.0.1    everybody's way out
      nodes     10.0.10.1   compute1, compute2, compute3
      client    10.0.1.3    asks, and believes what it is told
      stranger  10.0.7.7    none of ours; uses an address when a test lets it

A host's IPv6 address has the last two numbers of its IPv4 address: fd00:42::10:1.
"""

from __future__ import annotations

import socket
import time
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fix_netns import Bridge, Namespace, NetLab

    Address = IPv4Address | IPv6Address

NODES = {"compute1": "10.0.10.1", "compute2": "10.0.10.2", "compute3": "10.0.10.3"}
ROUTER, ROUTER_MAC = "10.0.0.1", "02:00:00:00:00:01"
CLIENT, CLIENT_MAC = "10.0.1.3", "02:00:00:0c:01:03"
STRANGER, STRANGER_MAC = "10.0.7.7", "02:00:00:00:00:ff"

BUFFER = 8 << 20
"""Bytes of frames that wait for a test that listens."""
EVERY_PROTOCOL = 3


def mac_of(node: str) -> str:
    return f"02:00:00:00:10:0{node[-1]}"


def six(address: str) -> str:
    """The IPv6 address of the host that has this IPv4 address."""
    *_, third, last = address.split(".")
    return str(ip_address(f"fd00:42::{third}:{last}"))


class CoffeeNetwork:
    """The machines and the switch between them."""

    def __init__(self, lab: NetLab, nodes: Mapping[str, str] = NODES) -> None:
        self.lab, self.addresses = lab, dict(nodes)
        self.switch: Bridge = lab.bridge("lan")
        self.router = self.machine("router", ROUTER, ROUTER_MAC)
        self.router.sysctl(ipv4__ip_forward=1, ipv6__conf__all__forwarding=1)
        self.client = self.machine("client", CLIENT, CLIENT_MAC)
        self.stranger = self.machine("stranger", STRANGER, STRANGER_MAC)
        self.nodes = {name: self.machine(name, address, mac_of(name)) for name, address in nodes.items()}

    def machine(self, name: str, address: str, mac: str) -> Namespace:
        """One more host on the LAN."""
        host = self.lab.namespace(name)
        self.plug(host, address, mac)
        return host

    def plug(self, host: Namespace, address: str, mac: str, interface: str = "eth0") -> None:
        """A cable to the switch, and the way out."""
        self.switch.plug(host, interface, addresses=[f"{address}/16", f"{six(address)}/64"], mac=mac)
        if address != ROUTER:
            host.ip("route", "add", "default", "via", ROUTER)
            host.ip("-6", "route", "add", "default", "via", six(ROUTER))

    def isolate_nodes(self, *, isolated: bool = True) -> None:
        """A partition: no node hears another one, everybody else hears all of them."""
        for node in self.nodes.values():
            self.switch.isolate(node, isolated=isolated)

    def take(self, *addresses: str) -> None:
        """The stranger uses these addresses, and tells nobody."""
        for address in addresses:
            six_only = ("nodad",) if ":" in address else ()
            self.stranger.ip("address", "add", f"{address}/{64 if six_only else 16}", "dev", "eth0", *six_only)

    def claim(self, address: Address | str, mac: str = STRANGER_MAC) -> None:
        """The stranger tells the LAN that it uses the address; the frames are another library's."""
        from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6NDOptDstLLAddr, IPv6
        from scapy.layers.l2 import ARP, Ether

        text = str(address)
        if ":" in text:
            advertisement = ICMPv6ND_NA(tgt=text, R=0, S=0, O=1) / ICMPv6NDOptDstLLAddr(lladdr=mac)
            frame = Ether(src=mac, dst="33:33:00:00:00:01") / IPv6(src=text, dst="ff02::1", hlim=255) / advertisement
        else:
            frame = Ether(src=mac, dst="ff:" * 5 + "ff") / ARP(op=1, hwsrc=mac, psrc=text, pdst=text)
        self.utter(bytes(frame))

    def utter(self, frame: bytes) -> None:
        """The stranger sends these very bytes."""
        with self.stranger.entered(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
            sender.bind(("eth0", 0))
            sender.send(frame)

    def told(self, address: str) -> str:
        """What arping or ndisc6 of the client prints about every answer, in lower case."""
        if ":" in address:
            return self.client.run("ndisc6", "-m", "-r1", "-w300", address, "eth0").stdout.lower()
        return self.client.run("arping", "-c1", "-w0.3", "-i", "eth0", address).stdout.lower()

    def told_first(self, address: str) -> str:
        """The same about the first answer, as soon as it is there."""
        if ":" in address:
            return self.client.run("ndisc6", "-1", "-r1", "-w500", address, "eth0").stdout.lower()
        return self.client.run("arping", "-c1", "-C1", "-w0.3", "-i", "eth0", address).stdout.lower()

    def cached(self, address: str) -> str:
        """What the client's kernel believes."""
        return self.client.ip("neighbour", "show", address)

    def believe(self, address: str, mac: str) -> None:
        """The client and the router have heard otherwise."""
        for host in (self.client, self.router):
            host.ip("neighbour", "replace", address, "lladdr", mac, "dev", "eth0", "nud", "stale")

    def is_believed(self, address: str, mac: str) -> bool:
        """Whether the client and the router both send there."""
        return all(mac in host.ip("neighbour", "show", address) for host in (self.client, self.router))


class Ear:
    """Every frame that reaches a machine, kept until a test asks, with the moment at which it was read."""

    def __init__(self, host: Namespace, interface: str = "eth0") -> None:
        with host.entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        self._socket.setblocking(False)
        self._socket.bind((interface, EVERY_PROTOCOL))
        self._frames: list[tuple[float, bytes]] = []
        self._since = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def announced(self, address: Address | str) -> list[str]:
        """The MACs of the announcements of an address that were heard, in their order.

        An ARP announcement is a request that names the address as sender and as target (RFC 5227 section 3; a reply that says the
        same follows ours, for machines that heed only replies); an unsolicited neighbor advertisement goes to all nodes
        without the solicited flag (RFC 4861 section 7.2.6).
        """
        return [mac for _, mac in self._announcements(address)]

    def answers(self, address: Address | str) -> list[str]:
        """The MACs that were given as answers to somebody's question about an address, in their order."""
        self._listen()
        packed = ip_address(str(address)).packed
        reads = replied if len(packed) == 4 else solicited
        return [mac for _, frame in self._frames if (mac := reads(frame, packed))]

    def silence(self, address: Address | str) -> float:
        """Seconds since the last announcement of an address, or since this ear listens."""
        return time.monotonic() - max((moment for moment, _ in self._announcements(address)), default=self._since)

    def forget(self) -> None:
        """What was heard so far does not count."""
        self._listen()
        self._frames.clear()

    def _announcements(self, address: Address | str) -> Iterator[tuple[float, str]]:
        self._listen()
        packed = ip_address(str(address)).packed
        reads = gratuitous if len(packed) == 4 else unsolicited
        return ((moment, mac) for moment, frame in self._frames if (mac := reads(frame, packed)))

    def _listen(self) -> None:
        try:
            while True:
                self._frames.append((time.monotonic(), self._socket.recv(2048)))
        except BlockingIOError:
            return


def gratuitous(frame: bytes, address: bytes) -> str:
    """The sender's MAC if this is an ARP announcement of the address; else nothing."""
    is_one = frame[12:14] == b"\x08\x06" and frame[20:22] == b"\x00\x01" and frame[28:32] == address == frame[38:42]
    return frame[22:28].hex(":") if is_one else ""


def replied(frame: bytes, address: bytes) -> str:
    """The sender's MAC if this is an ARP reply to one machine about the address; else nothing."""
    is_one = frame[12:14] == b"\x08\x06" and frame[20:22] == b"\x00\x02" and frame[28:32] == address != frame[38:42]
    return frame[22:28].hex(":") if is_one else ""


def unsolicited(frame: bytes, address: bytes) -> str:
    """The target's MAC if this is an unsolicited neighbor advertisement for the address; else nothing."""
    is_one = frame[12:14] == b"\x86\xdd" and frame[20:21] == b"\x3a" and frame[54:55] == b"\x88"
    if not is_one or frame[58] & 0x40 or frame[62:78] != address:
        return ""
    return frame[80:86].hex(":") if frame[78:79] == b"\x02" else frame[6:12].hex(":")


def solicited(frame: bytes, address: bytes) -> str:
    """The target's MAC if this is a neighbor advertisement for the address that somebody asked for; else nothing."""
    is_one = frame[12:14] == b"\x86\xdd" and frame[20:21] == b"\x3a" and frame[54:55] == b"\x88"
    return frame[80:86].hex(":") if is_one and frame[58] & 0x40 and frame[62:78] == address else ""
