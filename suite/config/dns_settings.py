"""The settings of names: zones, how long answers are kept, hosts and records that no Service makes."""

import re
from ipaddress import ip_network

from suite.config.group import Field, Form, Group, Made
from suite.config.shape import FAULT, Fault, Flag, Listing, Number, Parsed, Reading, Seconds, Text
from suite.config.values import parse_listen, parse_name, parse_owner, parse_zone
from suite.model.address import Network, parse_address
from suite.model.configuration import DnsSettings, NameGrant, RateLimit
from suite.model.service import parse_ref

RECORD_TYPE = re.compile(r"[A-Z][A-Z0-9-]{0,15}", re.ASCII)
DEFAULTS = DnsSettings()


def _record_type(text: str) -> str:
    if not RECORD_TYPE.fullmatch(text.strip().upper()):
        raise ValueError(f"{text!r} is no record type; write A, TXT, SRV, ... or TYPE65280")
    return text.strip().upper()


def _grant(form: Form, _reading: Reading, _code: str) -> NameGrant | Fault:
    if not form["names"]:
        return FAULT
    return NameGrant(form["names"], form["namespaces"])


def _rate_limit(form: Form, _reading: Reading, _code: str) -> RateLimit:
    return RateLimit(**form.values)


def _network(text: str) -> Network:
    """A network, or an address as a network of one."""
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is no network; write 192.0.2.0/24") from None


def _transfer_entry(text: str) -> str:
    """A network, an address, or the name of a TSIG key behind ``key:``."""
    kind, _, key = text.strip().partition("key:")
    if not kind and key:
        return f"key:{parse_name(key)}"
    try:
        return str(ip_network(text.strip(), strict=False))
    except ValueError:
        raise ValueError(f"{text!r} is neither a network nor key:NAME") from None


NAME = Parsed(parse_name, "web.service")
OWNER = Parsed(parse_owner, "web.service")
ZONE = Parsed(parse_zone, "service")
TRANSFER = Parsed(_transfer_entry, "192.168.1.0/24")
ADDRESS = Parsed(parse_address, "10.0.42.7")
NETWORK = Parsed(_network, "192.0.2.0/24")
LISTEN = Parsed(parse_listen, "127.0.0.1:53")
REF = Parsed(parse_ref, "default/coffee")
TIME_TO_LIVE = Seconds(0, 0x7FFFFFFF, is_whole=True)

HOST = Group(
    (
        Field(
            "name",
            NAME,
            "the name; without a dot at the end it lies in the first zone, unless it ends in a zone.",
            "",
            missing="host.missing_name",
            code="host.bad_name",
        ),
        Field(
            "addresses",
            Listing(ADDRESS, may_be_single=True, twice="host.duplicate_address"),
            "Its addresses.",
            (),
            code="host.bad_address",
        ),
        Field(
            "service",
            REF,
            "Instead of addresses: the Service (namespace/name) whose address it follows.",
            None,
            code="host.bad_service",
        ),
        Field(
            "aliases", Listing(NAME, may_be_single=True), "Further names that lead to it.", (), code="host.bad_alias"
        ),
        Field("ttl", TIME_TO_LIVE, "How long its answers may be kept; the zone's without.", None, code="dns.bad_ttl"),
    )
)

RECORD = Group(
    (
        Field(
            "name",
            OWNER,
            "the name, relative like a host's.",
            "",
            missing="record.missing_name",
            code="record.bad_name",
        ),
        Field(
            "type",
            Parsed(_record_type, "TXT"),
            "the type: TXT, SRV, MX, TYPE65280, ...",
            "",
            missing="record.missing_type",
            code="record.bad_type",
        ),
        Field("value", Text(), "the value as in a zone file (RFC 1035 section 5).", "", missing="record.missing_value"),
        Field("ttl", TIME_TO_LIVE, "How long its answers may be kept; the zone's without.", None, code="dns.bad_ttl"),
    )
)

CLAIM = Made(
    Group(
        (
            Field(
                "names",
                Listing(Text(), may_be_single=True),
                "patterns of names (* for anything).",
                (),
                missing="claim.missing_names",
            ),
            Field(
                "namespaces", Listing(Text(), may_be_single=True), "Namespaces that may claim them (* for all).", ("*",)
            ),
        )
    ),
    _grant,
)

LIMITS = DEFAULTS.rate_limit
RATE_LIMIT = Made(
    Group(
        (
            Field(
                "rate", Number(0, 1_000_000), "Answers of one kind a second to one network; 0: no limit.", LIMITS.rate
            ),
            Field(
                "slip",
                Number(0, 100),
                "One in so many answers above that is sent truncated, so that a true client asks over TCP; 0: none.",
                LIMITS.slip,
            ),
            Field("ipv4_prefix", Number(8, 32), "Length in bits of what counts as one network.", LIMITS.ipv4_prefix),
            Field("ipv6_prefix", Number(16, 128), "The same for IPv6.", LIMITS.ipv6_prefix),
            Field(
                "exempt",
                Listing(NETWORK, may_be_single=True),
                "Networks that are never limited.",
                (),
                code="dns.bad_exempt",
            ),
            Field(
                "exempt_local",
                Flag(),
                "Spare private ranges and the networks of the server's own interfaces too.",
                LIMITS.exempt_local,
            ),
        ),
        shorthand="rate",
    ),
    _rate_limit,
)

DNS = Group(
    (
        Field(
            "zones",
            Listing(ZONE, may_be_single=True),
            "Zones we answer for; Services go into the first.",
            DEFAULTS.zones,
            code="dns.bad_zone",
        ),
        Field("ttl", TIME_TO_LIVE, "How long an answer may be kept.", DEFAULTS.ttl, code="dns.bad_ttl"),
        Field(
            "negative_ttl",
            TIME_TO_LIVE,
            "How long the answer that there is no such name may be kept.",
            DEFAULTS.negative_ttl,
            code="dns.bad_ttl",
        ),
        Field(
            "stale_limit",
            Seconds(),
            "How long to answer without contact to the controller.",
            DEFAULTS.stale_limit,
            code="dns.bad_stale_limit",
        ),
        Field(
            "listen",
            Listing(LISTEN, may_be_single=True, twice="dns.duplicate_listen"),
            "Where to answer.",
            (),
            code="dns.bad_listen",
        ),
        Field("workers", Number(1, 256), "Processes that answer.", DEFAULTS.workers),
        Field("hosts", Listing(HOST), "Names that no Service makes.", ()),
        Field("records", Listing(RECORD), "Records of any other type.", ()),
        Field("claims", Listing(CLAIM), "Which namespaces may ask for which names.", DEFAULTS.claims),
        Field("reverse", Flag(), "Answer for the reverse zones of the pools.", DEFAULTS.reverse),
        Field(
            "name_servers",
            Listing(NAME, may_be_single=True),
            "NS names; ns.<zone> without.",
            (),
            code="dns.bad_name_server",
        ),
        Field(
            "addresses",
            Listing(ADDRESS, may_be_single=True),
            "Where the network reaches this server.",
            (),
            code="dns.bad_address",
        ),
        Field("contact", Text(), "The mailbox in the SOA record.", DEFAULTS.contact),
        Field(
            "advertise_ra",
            Flag(),
            "Tell stub resolvers that recursion is available although it is not.",
            DEFAULTS.advertise_ra,
        ),
        Field("nsid", Text(longest=64), "What to answer to NSID (RFC 5001), up to 64 octets.", ""),
        Field(
            "transfer_acl",
            Listing(TRANSFER, may_be_single=True),
            "Networks and key:NAME that may transfer zones.",
            (),
            code="dns.bad_transfer_acl",
        ),
        Field(
            "notify",
            Listing(LISTEN, may_be_single=True),
            "Servers that are told of changes (RFC 1996).",
            (),
            code="dns.bad_notify",
        ),
        Field("tsig_keys_file", Text(), "A file with TSIG keys (RFC 8945).", ""),
        Field("query_log", Flag(), "Log every question.", DEFAULTS.query_log),
        Field("rate_limit", RATE_LIMIT, "How much one network may be sent over UDP.", DEFAULTS.rate_limit),
        Field(
            "cookie_secret_file",
            Text(),
            "A file with the secrets of DNS cookies (RFC 9018); they come from the database without.",
            "",
        ),
    )
)
