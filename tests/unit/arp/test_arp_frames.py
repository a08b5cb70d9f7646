"""The frames we send are the frames that scapy would build."""

from scapy.layers.l2 import ARP, Ether

from suite.l2 import arp
from suite.l2.frames import Templates, templates

OURS = "02:00:00:00:10:01"
MAC = bytes.fromhex("020000001001")
VIP = bytes([10, 0, 42, 0])
NOBODY = "00:00:00:00:00:00"
EVERYBODY = "ff:ff:ff:ff:ff:ff"


def test_an_announcement_is_a_pair_of_request_and_reply() -> None:
    request, reply = arp.announcements(templates().arp, VIP, MAC)

    frame = Ether(dst=EVERYBODY, src=OURS)
    assert request == bytes(frame / ARP(op=1, hwsrc=OURS, psrc="10.0.42.0", hwdst=NOBODY, pdst="10.0.42.0"))
    assert reply == bytes(frame / ARP(op=2, hwsrc=OURS, psrc="10.0.42.0", hwdst=EVERYBODY, pdst="10.0.42.0"))


def test_a_probe_claims_nothing() -> None:
    question = arp.probe(templates().arp, VIP, MAC)

    frame = Ether(dst=EVERYBODY, src=OURS)
    assert question == bytes(frame / ARP(op=1, hwsrc=OURS, psrc="0.0.0.0", hwdst=NOBODY, pdst="10.0.42.0"))


def test_templates_survive_the_way_to_another_process() -> None:
    assert Templates.from_text(templates().to_text()) == templates()
