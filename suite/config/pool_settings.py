"""The settings of pools and of how the network is told of them, in both formats."""

from suite.config.group import Field, Form, Group, Made
from suite.config.selectors import LABELS, SELECTOR
from suite.config.shape import Choice, Fault, Flag, Listing, Number, Parsed, Reading, Text
from suite.config.values import parse_span, parse_zone
from suite.model.advertisement import PreferredNodes
from suite.model.pool import ServiceAllocation
from suite.model.selector import Selector

SPAN = Parsed(parse_span, "10.0.42.0/24")


def _allocation(form: Form, _reading: Reading, _code: str) -> ServiceAllocation | Fault:
    return ServiceAllocation(**form.values)


def _preferred(form: Form, _reading: Reading, _code: str) -> PreferredNodes | Fault:
    return PreferredNodes(form["weight"], form["preference"])


SERVICE_ALLOCATION = Made(
    Group(
        (
            Field("priority", Number(0, 0x7FFFFFFF), "Lower numbers are tried first; 0 last.", 0),
            Field(
                "namespaces",
                Listing(Text(), twice="pool.duplicate_namespace"),
                "Only Services of these namespaces.",
                (),
            ),
            Field(
                "namespace_selectors",
                Listing(SELECTOR, twice="pool.duplicate_namespace_selector"),
                "And Services of namespaces that one of these selects.",
                (),
                code="pool.bad_namespace_selector",
            ),
            Field(
                "service_selectors",
                Listing(SELECTOR, twice="pool.duplicate_service_selector"),
                "Only Services that one of these selects.",
                (),
                code="pool.bad_service_selector",
            ),
        )
    ),
    _allocation,
)

PREFERRED_NODES = Made(
    Group(
        (
            Field(
                "weight",
                Number(1, 100),
                "1 to 100; weights add up.",
                1,
                missing="l2adv.missing_weight",
                code="l2adv.bad_weight",
            ),
            Field("preference", SELECTOR, "The nodes that get the weight.", Selector(), code="l2adv.bad_preference"),
        )
    ),
    _preferred,
)

_WHERE = (
    Field("ip_address_pools", Listing(Text(), twice="adv.duplicate_pool_name"), "Names of pools.", (), key="-"),
    Field(
        "ip_address_pool_selectors",
        Listing(SELECTOR, twice="adv.duplicate_pool_selector"),
        "Pools by their labels; with neither names nor selectors, all pools.",
        (),
        key="-",
        code="adv.bad_pool_selector",
    ),
    Field(
        "node_selectors",
        Listing(SELECTOR, twice="adv.duplicate_node_selector"),
        "Only nodes that one of these selects announce; empty: all nodes.",
        (),
        code="adv.bad_node_selector",
    ),
    Field(
        "service_selectors",
        Listing(SELECTOR, twice="adv.duplicate_service_selector"),
        "Only Services that one of these selects are announced; empty: all.",
        (),
        code="adv.bad_service_selector",
    ),
)

L2_ADVERTISEMENT = Group(
    (
        *_WHERE,
        Field(
            "interfaces",
            Listing(Text()),
            "Only on these interfaces; empty: all.",
            (),
        ),
        Field(
            "preferred_node_selectors",
            Listing(PREFERRED_NODES),
            "Nodes that rather announce than others, by weight.",
            (),
        ),
    )
)

BGP_ADVERTISEMENT = Group(
    (
        Field("name", Text(), "Its name, for messages.", "", resource="-"),
        *_WHERE,
        Field(
            "aggregation_length",
            Number(1, 32),
            "Prefix length IPv4 addresses are announced with.",
            32,
            code="bgpadv.bad_aggregation_length",
        ),
        Field(
            "aggregation_length_v6",
            Number(1, 128),
            "Prefix length IPv6 addresses are announced with.",
            128,
            key="aggregation-length-v6",
            resource="aggregationLengthV6",
            code="bgpadv.bad_aggregation_length_v6",
        ),
        Field(
            "local_pref",
            Number(0, 0xFFFFFFFF),
            "LOCAL_PREF towards routers of our own AS; 0: none.",
            0,
            key="localpref",
        ),
        Field("communities", Listing(Text()), "Communities (64512:1, large:64512:1:2) or their aliases.", ()),
        Field(
            "peers", Listing(Text(), twice="bgpadv.duplicate_peer"), "Only to these peers, by name; empty: to all.", ()
        ),
    )
)

POOL = Group(
    (
        Field(
            "name", Text(), "the name Services and people call it by.", "", resource="-", missing="pool.missing_name"
        ),
        Field(
            "protocol",
            Choice(("layer2", "bgp", "none")),
            "how its addresses are announced: layer2 (ARP and NDP), bgp, or none (only by advertisement documents).",
            "none",
            resource="-",
            missing="pool.missing_protocol",
            code="pool.unknown_protocol",
        ),
        Field(
            "addresses",
            Listing(SPAN),
            "Networks, ranges (first-last) or single addresses, tried in this order, lowest first.",
            (),
            missing="pool.no_addresses",
            code="pool.bad_cidr",
        ),
        Field("auto_assign", Flag(), "Whether Services get addresses from it without naming it.", True),
        Field(
            "avoid_buggy",
            Flag(),
            "Never lease IPv4 addresses that end in .0 or .255.",
            False,
            "avoid-buggy-ips",
            "avoidBuggyIPs",
        ),
        Field("service_allocation", SERVICE_ALLOCATION, "For whom the pool is kept; without it, for everybody."),
        Field(
            "excluded",
            Listing(SPAN, may_be_single=True),
            "Addresses inside the pool that nobody gets.",
            (),
            resource="-",
            code="pool.bad_exclusion",
        ),
        Field("draining", Flag(), "No new leases; those that exist stay.", False, resource="-"),
        Field(
            "zone",
            Parsed(parse_zone, "lab.home.arpa"),
            "The DNS zone its Services are published in, where it is not the first one.",
            "",
            resource="-",
            code="pool.bad_zone",
        ),
        Field("labels", LABELS, "Labels, for ipAddressPoolSelectors.", (), resource="-"),
        Field(
            "bgp_advertisements",
            Listing(BGP_ADVERTISEMENT),
            "How its addresses are announced by BGP (protocol bgp); one with all defaults where there is none.",
            (),
            resource="-",
        ),
        Field(
            "l2_advertisements",
            Listing(L2_ADVERTISEMENT),
            "Where its addresses are announced (protocol layer2); everywhere where there is none.",
            (),
            resource="-",
        ),
    )
)
