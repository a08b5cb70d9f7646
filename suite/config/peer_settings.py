"""The settings of BGP neighbours and BFD profiles, in both formats."""

from ipaddress import IPv4Address

from suite.config.group import Field, Form, Group, Made
from suite.config.selectors import SELECTOR
from suite.config.shape import FAULT, Choice, Fault, Flag, Listing, Number, Parsed, Reading, Seconds, Text
from suite.model.address import parse_address
from suite.model.peer import RESTART_TIME, SecretRef

ASN = Number(0, 0xFFFFFFFF)
INTERVAL = Number(10, 60000)
OUT_OF_RANGE = "bfd.value_out_of_range"


def _router_id(text: str) -> str:
    """A BGP identifier is four octets (RFC 4271 section 4.2), written as an IPv4 address."""
    try:
        return str(IPv4Address(text.strip()))
    except ValueError as fault:
        raise ValueError(f"{text!r} is no router id; write it like an IPv4 address, 10.0.0.1") from fault


def _secret(form: Form, _reading: Reading, _code: str) -> SecretRef | Fault:
    return SecretRef(form["name"], form["namespace"]) if form["name"] else FAULT


SECRET = Made(
    Group(
        (
            Field("name", Text(), "the Secret's name.", "", missing="peer.secret_missing_name"),
            Field("namespace", Text(), "The Secret's namespace.", ""),
        )
    ),
    _secret,
)

PEER = Group(
    (
        Field(
            "name", Text(), "Its name; peer1, peer2, ... in the order written where there is none.", "", resource="-"
        ),
        Field(
            "address",
            Parsed(parse_address, "192.168.1.1"),
            "Its address.",
            None,
            "peer-address",
            "peerAddress",
            code="peer.bad_address",
        ),
        Field("interface", Text(), "The interface of an unnumbered session, instead of an address.", ""),
        Field("asn", ASN, "Its AS number.", 0, "peer-asn", "peerASN"),
        Field(
            "dynamic_asn",
            Choice(("internal", "external")),
            "Any AS number, instead of one: internal (ours) or external (any other).",
            "",
            resource="dynamicASN",
            code="peer.bad_dynamic_asn",
        ),
        Field("my_asn", ASN, "our AS number towards it.", 0, resource="myASN", missing="peer.missing_local_asn"),
        Field("local_asn", ASN, "An AS number shown to this peer instead of ours.", 0, resource="localASN"),
        Field("port", Number(1, 65535), "Its TCP port.", 179, "peer-port", "peerPort", code="peer.bad_port"),
        Field(
            "source_address",
            Parsed(parse_address, "192.168.1.2"),
            "Our address of the session.",
            None,
            code="peer.bad_source_address",
        ),
        Field(
            "hold_time",
            Seconds(),
            "Silence after which the session is dead; 0 for never; 90s where our own file does not say.",
            None,
            code="peer.bad_hold_time_text",
        ),
        Field(
            "keepalive_time",
            Seconds(),
            "How often to say that we are alive; a third of the hold time where it is not set.",
            None,
            code="peer.bad_keepalive_time_text",
        ),
        Field(
            "connect_time",
            Seconds(1, 65535, is_whole=True),
            "Pause between attempts to connect.",
            None,
            code="peer.bad_connect_time",
        ),
        Field(
            "router_id",
            Parsed(_router_id, "10.0.0.1"),
            "Our BGP identifier.",
            "",
            resource="routerID",
            code="peer.bad_router_id",
        ),
        Field(
            "node_selectors",
            Listing(SELECTOR),
            "Only these nodes peer with it; empty: all.",
            (),
            code="peer.bad_node_selector",
        ),
        Field("password", Text(is_secret=True), "TCP-MD5 password (RFC 2385); better in a file or Secret.", ""),
        Field("password_file", Text(), "A file that holds the password.", "", resource="-"),
        Field("password_secret", SECRET, "A Secret (kubernetes.io/basic-auth, key password) that holds the password."),
        Field("bfd_profile", Text(), "The BFD profile of the session; none without.", ""),
        Field(
            "graceful_restart",
            Flag(),
            "Keep routes while we restart (RFC 4724).",
            False,
            resource="enableGracefulRestart",
        ),
        Field(
            "graceful_restart_time",
            Seconds(1, 4095, is_whole=True),
            "How long the peer keeps them at most; longer than a restart takes.",
            RESTART_TIME,
            resource="-",
        ),
        Field(
            "ebgp_multihop",
            Flag(),
            "The peer of another AS is more than one hop away.",
            False,
            "ebgp-multihop",
            "ebgpMultiHop",
        ),
        Field(
            "ttl_security",
            Number(0, 254),
            "At most so many hops away, 1 for the same link: packets from further are not heard (RFC 5082); 0: no check.",
            0,
            resource="-",
        ),
        Field("vrf", Text(), "The VRF of the host the session runs in.", ""),
        Field("dual_stack_address_family", Flag(), "Both families over this one session.", False),
        Field("disable_mp", Flag(), "Deprecated; no effect.", False, resource="disableMP"),
        Field("passive", Flag(), "Wait for the peer to connect.", False, resource="-"),
    )
)

_BFD_FIELDS = (
    Field(
        "receive_interval",
        INTERVAL,
        "Slowest packets we accept, in milliseconds (10 to 60000).",
        None,
        code=OUT_OF_RANGE,
    ),
    Field(
        "transmit_interval",
        INTERVAL,
        "Fastest packets we send, in milliseconds (10 to 60000).",
        None,
        code=OUT_OF_RANGE,
    ),
    Field(
        "detect_multiplier", Number(2, 255), "Packets lost until the peer is dead (2 to 255).", None, code=OUT_OF_RANGE
    ),
    Field(
        "echo_interval",
        INTERVAL,
        "For echo mode, in milliseconds (10 to 60000); without effect.",
        None,
        code=OUT_OF_RANGE,
    ),
    Field(
        "echo_mode",
        Flag(),
        "MetalLB's echo mode (IPv4 only); without effect: sessions are watched by control packets.",
        False,
    ),
    Field("passive_mode", Flag(), "Wait for the peer's first packet.", False),
    Field("minimum_ttl", Number(1, 254), "Least TTL of packets over several hops (1 to 254).", None, code=OUT_OF_RANGE),
)
BFD_SPEC = Group(_BFD_FIELDS)
BFD_PROFILE = Group((Field("name", Text(), "what peers call it by.", "", missing="bfd.missing_name"), *_BFD_FIELDS))
