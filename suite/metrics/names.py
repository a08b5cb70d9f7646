"""Every metric there is: name, kind, help and labels, declared here and nowhere else.

Names that begin with ``metallb_`` are MetalLB's, with its labels and meaning, so that dashboards and alerts made for it go on
working; the names that begin with ``suite_`` say what MetalLB has no word for.  Gauges may end in ``_total`` because
MetalLB's do.
"""

from suite.metrics.registry import SECONDS, Kind, Metric, Registry


def _counter(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, Kind.COUNTER, text, labels)


def _gauge(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, Kind.GAUGE, text, labels)


def _duration(name: str, text: str, *labels: str, buckets: tuple[float, ...] = SECONDS) -> Metric:
    return Metric(name, Kind.HISTOGRAM, text, labels, buckets)


# Addresses, by pool.
ADDRESSES = _gauge("metallb_allocator_addresses_total", "Addresses that Services may lease, by pool", "pool")
ADDRESSES_V4 = _gauge("metallb_allocator_ipv4_addresses_total", "IPv4 addresses that Services may lease", "pool")
ADDRESSES_V6 = _gauge("metallb_allocator_ipv6_addresses_total", "IPv6 addresses that Services may lease", "pool")
IN_USE = _gauge(
    "metallb_allocator_addresses_in_use_total", "Addresses that Services have; a shared one counts once", "pool"
)
IN_USE_V4 = _gauge("metallb_allocator_ipv4_addresses_in_use_total", "IPv4 addresses that Services have", "pool")
IN_USE_V6 = _gauge("metallb_allocator_ipv6_addresses_in_use_total", "IPv6 addresses that Services have", "pool")
POOL_ADDRESSES = _gauge(
    "suite_pool_addresses", "Addresses by state: free, bound, held, cooling, declined, reserved", "pool", "state"
)
REFUSALS = _gauge("suite_refusals", "Services whose wish is refused now, by reason", "reason")
SERVICES = _gauge("suite_services", "Services of type LoadBalancer")

# The configuration.
CONFIG_LOADED = _gauge("metallb_k8s_client_config_loaded_bool", "1 once a configuration was accepted")
CONFIG_STALE = _gauge(
    "metallb_k8s_client_config_stale_bool", "1 while a newer configuration is kept out because it is bad"
)
UPDATES = _counter("metallb_k8s_client_updates_total", "Changes of Kubernetes objects that were processed")
UPDATE_ERRORS = _counter("metallb_k8s_client_update_errors_total", "Changes of Kubernetes objects that failed")
CONFIG_PROBLEMS = _gauge("suite_config_problems", "Problems in the newest configuration and manifests", "severity")

# The controller and the database.
TURNS = _counter("suite_controller_turns_total", "Turns of the controller, by outcome", "outcome")
TURN_SECONDS = _duration("suite_controller_turn_seconds", "Length of a turn from reading to commit")
COMMIT_SECONDS = _duration("suite_store_commit_seconds", "Length of one commit")
CONFLICTS = _counter("suite_store_conflicts_total", "Commits that lost to another writer and were planned again")
DATABASE_UP = _gauge("suite_store_up", "1 while the database answers")
IS_LEADER = _gauge("suite_controller_leader", "1 while this instance leads")
WITHHELD = _gauge("suite_releases_withheld", "1 while releases wait for an operator")
REVISION = _gauge("suite_revision", "Revision of the snapshot that a role acts on", "role")
HEAD = _gauge(
    "suite_audit_head", "1, with the newest event's hash as label: an anchor outside the database", "epoch", "hash"
)

# Announcements.
ANNOUNCED = _gauge(
    "metallb_speaker_announced", "1 for each address that this node announces", "service", "protocol", "node", "ip"
)
L2_REQUESTS = _counter("metallb_layer2_requests_received", "ARP and NDP requests for an address we own", "ip")
L2_RESPONSES = _counter("metallb_layer2_responses_sent", "ARP and NDP replies sent", "ip")
L2_GRATUITOUS = _counter("metallb_layer2_gratuitous_sent", "Unasked announcements sent", "ip")
L2_DROPS = _counter("suite_layer2_dropped_total", "Frames that were not answered, by reason", "reason")
L2_CONFLICTS = _counter("suite_layer2_conflicts_total", "Another machine answered for an address", "ip")
L2_CONTESTS = _counter("suite_layer2_contests_total", "Two nodes that hear each other claimed an address", "ip")
SPEAKERS_ALIVE = _gauge("suite_speakers_alive", "Speakers this node hears, itself included")
SPEAKER_DEATHS = _counter(
    "suite_speaker_deaths_total",
    "Speakers that fell silent for the dead interval without a goodbye, as this node heard",
    "node",
)
HEARTBEAT_FAULTS = _counter(
    "suite_heartbeat_faults_total",
    "Heartbeats that were not believed, by reason: forged, replayed, stale, ...",
    "reason",
)
TAKEOVERS = _counter("suite_speaker_takeovers_total", "Addresses that this node took over")
BGP_SESSION_UP = _gauge("metallb_bgp_session_up", "1 while the session is established", "peer")
BGP_UPDATES = _counter("metallb_bgp_updates_total", "UPDATE messages sent", "peer")
BGP_ANNOUNCED = _gauge(
    "metallb_bgp_announced_prefixes_total", "Prefixes the peer has of us; 0 while the session is down", "peer"
)
BGP_PENDING = _gauge("metallb_bgp_pending_prefixes_total", "Prefixes that wait to be announced", "peer")
BGP_OPENS_SENT = _counter("metallb_bgp_opens_sent", "OPEN messages sent", "peer")
BGP_OPENS_RECEIVED = _counter("metallb_bgp_opens_received", "OPEN messages received", "peer")
BGP_NOTIFICATIONS_SENT = _counter("metallb_bgp_notifications_sent", "NOTIFICATION messages sent", "peer")
BGP_UPDATES_RECEIVED = _counter("metallb_bgp_updates_total_received", "UPDATE messages received", "peer")
BGP_KEEPALIVES_SENT = _counter("metallb_bgp_keepalives_sent", "KEEPALIVE messages sent", "peer")
BGP_KEEPALIVES_RECEIVED = _counter("metallb_bgp_keepalives_received", "KEEPALIVE messages received", "peer")
BGP_ROUTE_REFRESH_SENT = _counter("metallb_bgp_route_refresh_sent", "ROUTE-REFRESH messages sent", "peer")
BGP_SENT = _counter("metallb_bgp_total_sent", "BGP messages sent", "peer")
BGP_RECEIVED = _counter("metallb_bgp_total_received", "BGP messages received", "peer")
BFD_SESSION_UP = _gauge("metallb_bfd_session_up", "1 while the BFD session is up", "peer")
BFD_INPUT = _counter("metallb_bfd_control_packet_input", "BFD control packets received", "peer")
BFD_OUTPUT = _counter("metallb_bfd_control_packet_output", "BFD control packets sent", "peer")
BFD_ECHO_INPUT = _counter(
    "metallb_bfd_echo_packet_input", "BFD echo packets received: always 0, the echo function is not used", "peer"
)
BFD_ECHO_OUTPUT = _counter(
    "metallb_bfd_echo_packet_output", "BFD echo packets sent: always 0, the echo function is not used", "peer"
)
BFD_UP_EVENTS = _counter("metallb_bfd_session_up_events", "BFD sessions that came up", "peer")
BFD_DOWN_EVENTS = _counter("metallb_bfd_session_down_events", "BFD sessions that went down", "peer")
BFD_NOTIFICATIONS = _counter(
    "metallb_bfd_zebra_notifications",
    "How often BGP was told that a BFD session came up or went down; there is no zebra between",
    "peer",
)
OWN_BGP_UP = _gauge("suite_bgp_session_up", "1 while the session is established", "peer")
OWN_BGP_PREFIXES = _gauge(
    "suite_bgp_prefixes",
    "Prefixes of a peer: wanted by the plan, announced (the peer has them), pending (waiting to be sent)",
    "peer",
    "state",
)
OWN_BGP_MESSAGES = _counter(
    "suite_bgp_messages_total", "BGP messages, by kind and direction", "peer", "message", "direction"
)
OWN_BGP_ENDED = _counter("suite_bgp_sessions_ended_total", "Established sessions that ended", "peer")
OWN_BGP_FAULTS = _counter(
    "suite_bgp_update_faults_total", "Faults in received UPDATEs that end no session (RFC 7606)", "peer"
)
OWN_BGP_RECEIVED_PREFIXES = _counter(
    "suite_bgp_received_prefixes_total", "Prefixes the peer announced to us; they are dropped", "peer"
)
OWN_BFD_UP = _gauge("suite_bfd_session_up", "1 while the BFD session is up", "peer")
OWN_BFD_DETECTION = _gauge(
    "suite_bfd_detection_seconds",
    "Silence after which the path is dead, as agreed with the peer; 0 while unknown",
    "peer",
)
OWN_BFD_PACKETS = _counter(
    "suite_bfd_packets_total", "BFD control packets: sent, received, dropped as not meant for us", "peer", "direction"
)
OWN_BFD_CHANGES = _counter("suite_bfd_changes_total", "BFD sessions that came up or went down", "peer", "state")

# Names.
DNS_QUERIES = _counter(
    "suite_dns_queries_total",
    "Questions answered, by transport, type (rare types are one) and response code; transfers by what was sent: IXFR or AXFR",
    "transport",
    "type",
    "rcode",
)
DNS_DROPPED = _counter(
    "suite_dns_dropped_total",
    "Replies held back by the rate limit, by what became of them: slipped or dropped",
    "reason",
)
DNS_SERIAL = _gauge("suite_dns_serial", "SOA serial by zone", "zone")
DNS_RECORDS = _gauge("suite_dns_records", "Records by zone", "zone")
DNS_REFUSED_NAMES = _gauge(
    "suite_dns_refused_names",
    "Wishes of Services, static hosts and records for names that they do not get, by reason",
    "reason",
)
DNS_STALE_SECONDS = _gauge("suite_dns_stale_seconds", "How long ago the database was last heard of")

# The process.
BUILD = _gauge("suite_build_info", "1, with the version as label", "version", "python")

METRICS = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
"""All of them, in the order written."""


def new_registry() -> Registry:
    """A registry that knows every declared metric."""
    return Registry(METRICS)


PROCESS = new_registry()
"""The registry of this process, for layers that nobody hands another one."""
