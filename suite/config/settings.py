"""The whole file: every key an operator may write at the top, in the order the reference shows them."""

from suite.config.dns_settings import ADDRESS, DNS, LISTEN, REF
from suite.config.group import Field, Form, Group, Made
from suite.config.peer_settings import BFD_PROFILE, PEER
from suite.config.pool_settings import POOL, SPAN
from suite.config.selectors import LABELS
from suite.config.shape import Choice, Fault, Flag, Listing, Number, Reading, Seconds, Text, Words
from suite.model.configuration import (
    COOLING_TIME,
    HOLD_TIME,
    Configuration,
    DatabaseSettings,
    KubernetesSettings,
    L2Settings,
    WebSettings,
)

L2_DEFAULTS = L2Settings()
KUBERNETES_DEFAULTS = KubernetesSettings()


def _l2(form: Form, reading: Reading, _code: str) -> L2Settings | Fault:
    if form["heartbeat_dead"] < 2 * form["heartbeat_interval"]:
        message = "heartbeat-dead must be at least twice heartbeat-interval, or one lost packet moves every address"
        return reading.fault(form.place("heartbeat_dead"), "l2.dead_too_short", message)
    return L2Settings(**form.values)


def _kubernetes(form: Form, _reading: Reading, _code: str) -> KubernetesSettings | Fault:
    return KubernetesSettings(**form.values)


def _web(form: Form, _reading: Reading, _code: str) -> WebSettings | Fault:
    return WebSettings(**form.values)


def _database(form: Form, reading: Reading, _code: str) -> DatabaseSettings | Fault:
    authority = form["url"].partition("://")[2].partition("/")[0]
    if ":" in authority.rpartition("@")[0]:
        message = "the URL holds a password; put it into a file and name that with password-file"
        return reading.fault(form.place("url"), "database.password_in_url", message)
    return DatabaseSettings(**form.values)


RESERVATION = Group(
    (
        Field(
            "address",
            SPAN,
            "the address; or a network or range that nobody gets.",
            None,
            missing="reservation.missing_address",
            code="reservation.bad_address",
        ),
        Field(
            "name",
            REF,
            "The Service (namespace/name) it is kept for, existing or not; nobody without.",
            None,
            code="reservation.bad_name",
        ),
        Field("note", Text(), "Why.", ""),
    )
)

NODE = Group(
    (
        Field("name", Text(), "the node's name.", "", missing="node.missing_name"),
        Field("labels", LABELS, "Labels, for node selectors.", ()),
        Field("addresses", Listing(ADDRESS, may_be_single=True), "Its addresses.", (), code="node.bad_address"),
    )
)

L2 = Made(
    Group(
        (
            Field(
                "heartbeat_interval",
                Seconds(0.01, 60),
                "How often speakers greet each other.",
                L2_DEFAULTS.heartbeat_interval,
            ),
            Field(
                "heartbeat_dead", Seconds(0.02, 600), "Silence after which a node is dead.", L2_DEFAULTS.heartbeat_dead
            ),
            Field("heartbeat_port", Number(1, 65535), "UDP port of heartbeats.", L2_DEFAULTS.heartbeat_port),
            Field("heartbeat_key_file", Text(), "A file with one or two keys that authenticate heartbeats.", ""),
            Field(
                "rejoin_delay",
                Seconds(0, 3600),
                "How long a node that came back waits before it takes addresses.",
                L2_DEFAULTS.rejoin_delay,
            ),
            Field(
                "refresh_interval",
                Seconds(0, 86400),
                "How often announcements are repeated; 0: never.",
                L2_DEFAULTS.refresh_interval,
            ),
            Field(
                "probe",
                Choice(("quick", "rfc", "off")),
                "Ask whether anybody has the address before it is announced.",
                L2_DEFAULTS.probe,
            ),
            Field("answer_ping", Flag(), "Answer echo requests to the addresses.", L2_DEFAULTS.answer_ping),
            Field("bind_address", Flag(), "Put the addresses on the interface.", L2_DEFAULTS.bind_address),
            Field(
                "any_subnet",
                Flag(),
                "Nodes without a link on the address's subnet may announce it too.",
                L2_DEFAULTS.any_subnet,
            ),
            Field("watch_dhcp", Flag(), "Warn when DHCP gives out an address of a pool.", L2_DEFAULTS.watch_dhcp),
        )
    ),
    _l2,
)

KUBERNETES = Made(
    Group(
        (
            Field(
                "namespace",
                Text(),
                "Where MetalLB's ConfigMap, custom resources, Secrets and speakers are.",
                KUBERNETES_DEFAULTS.namespace,
            ),
            Field("config_map", Text(), "The name of that ConfigMap.", KUBERNETES_DEFAULTS.config_map),
            Field(
                "hostnames",
                Listing(Choice(("ingress", "gateway"))),
                "Whose host names lead to the Services that serve them: ingress, gateway.",
                KUBERNETES_DEFAULTS.hostnames,
            ),
            Field(
                "secrets", Flag(), "Read the Secrets that peers' password-secret names.", KUBERNETES_DEFAULTS.secrets
            ),
            Field(
                "stand_by_for",
                Choice(("nobody", "metallb")),
                "metallb: announce nothing while one of its speakers runs.",
                KUBERNETES_DEFAULTS.stand_by_for,
            ),
            Field(
                "guard_lease",
                REF,
                "A Lease (namespace/name) that keeps a second controller with another database from writing.",
                None,
            ),
        )
    ),
    _kubernetes,
)

WEB = Made(
    Group(
        (
            Field(
                "listen",
                LISTEN,
                "Where the API and the metrics are; only a local socket without.",
                None,
                code="web.bad_listen",
            ),
            Field(
                "feed_listen",
                LISTEN,
                "Where machines without a database follow this one: HTTPS, for whoever has a token; nowhere without.",
                None,
                code="web.bad_listen",
            ),
            Field(
                "service_accounts",
                Words(Listing(Choice(("speaker", "nameserver", "web", "read", "write")), may_be_single=True)),
                "ServiceAccounts of the cluster (namespace/name) whose tokens for the audience `suite` count, and for what.",
                (),
            ),
            Field(
                "authority_config_map",
                Text(),
                "The ConfigMap (namespace/name) in which the cluster is told the certificate of this suite's authority.",
                "",
            ),
        )
    ),
    _web,
)

DATABASE = Made(
    Group(
        (
            Field("url", Text(), "A SQLAlchemy URL: sqlite:///PATH or postgresql+psycopg://USER@HOST/NAME.", ""),
            Field("password_file", Text(), "A file that holds the password.", ""),
            Field("seal_key_file", Text(), "A file with the key that seals the audit log (HMAC-SHA256).", ""),
        ),
        shorthand="url",
    ),
    _database,
)

FILE = Group(
    (
        Field("address_pools", Listing(POOL), "Where addresses come from.", ()),
        Field("peers", Listing(PEER), "BGP neighbours.", ()),
        Field("bgp_communities", Words(Text()), "Aliases of communities.", ()),
        Field("bfd_profiles", Listing(BFD_PROFILE), "Timers of BFD sessions (RFC 5880).", ()),
        Field("reservations", Listing(RESERVATION), "Addresses kept for a name, or for nobody.", ()),
        Field(
            "hold_time",
            Seconds(),
            "How long the address of a Service that is gone waits for the same name.",
            HOLD_TIME,
            code="hold_time.bad",
        ),
        Field(
            "cooling_time",
            Seconds(),
            "How long nobody gets an address after that.",
            COOLING_TIME,
            code="cooling_time.bad",
        ),
        Field("load_balancer_class", Text(), "Only Services of this class; without, Services that name none.", ""),
        Field("dns", DNS, "Names."),
        Field("l2", L2, "Layer 2: liveness of nodes, announcements.", L2_DEFAULTS),
        Field("nodes", Listing(NODE), "Nodes and their labels, where no cluster tells them.", ()),
        Field(
            "drain_cordoned",
            Flag(),
            "A node that the cluster has cordoned announces nothing, as if it was drained.",
            False,
        ),
        Field("kubernetes", KUBERNETES, "What is read from a cluster, and where.", KUBERNETES_DEFAULTS),
        Field("web", WEB, "API, page and metrics.", WebSettings()),
        Field(
            "database", DATABASE, "Where everything is kept; SQLite in the state directory without.", DatabaseSettings()
        ),
        Field(
            "roles",
            Listing(Choice(("controller", "speaker", "nameserver", "web")), twice="roles.twice"),
            "What this program does.",
            Configuration().roles,
            code="roles.unknown",
        ),
    )
)
