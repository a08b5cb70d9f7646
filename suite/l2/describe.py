"""Any frame of a LAN in words for people: `suite l2 watch`, conflict reports. Scapy reads what is beyond ARP and NDP. Pure."""

from dataclasses import dataclass

from suite.l2.hardware import to_text


@dataclass(frozen=True, slots=True)
class Description:
    """One frame: who speaks, and what it says."""

    source: str
    destination: str
    text: str


def describe(frame: bytes) -> Description:
    """Who has what, who announces what, or scapy's summary of anything else; never fails."""
    from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, IPv6
    from scapy.layers.l2 import ARP, Ether

    if len(frame) < 14:
        return Description("", "", f"{len(frame)} bytes, too short for Ethernet")
    packet = Ether(frame)
    ends = to_text(frame[6:12]), to_text(frame[:6])
    if ARP in packet:
        return Description(*ends, _arp(packet[ARP]))
    if ICMPv6ND_NS in packet:
        asker = packet[IPv6].src
        target = packet[ICMPv6ND_NS].tgt
        return Description(*ends, f"probe for {target}" if asker == "::" else f"{asker} asks who has {target}")
    if ICMPv6ND_NA in packet:
        advertisement = packet[ICMPv6ND_NA]
        solicited = "answers" if advertisement.S else "announces"
        return Description(*ends, f"{ends[0]} {solicited}: {advertisement.tgt} is here")
    return Description(*ends, packet.summary())


def _arp(packet: object) -> str:
    sender, target, mac = packet.psrc, packet.pdst, packet.hwsrc  # type: ignore[attr-defined]
    if sender == target:
        return f"{mac} announces: {sender} is here"
    if packet.op == 2:  # type: ignore[attr-defined]
        return f"{mac} answers: {sender} is here"
    return f"probe for {target}" if sender == "0.0.0.0" else f"{sender} asks who has {target}"  # noqa: S104
