"""The whole configuration as one frozen value: what ``config`` makes of the operator's documents.

Durations are seconds.  The defaults stand here and nowhere else.
"""

from dataclasses import dataclass, field

from suite.model.address import Address, Network
from suite.model.advertisement import BgpAdvertisement, Community, L2Advertisement
from suite.model.lease import Reservation
from suite.model.node import Node
from suite.model.peer import BfdProfile, Peer
from suite.model.pool import Pool
from suite.model.service import ServiceRef

HOLD_TIME = 3600.0
COOLING_TIME = 660.0
STALE_LIMIT = 600.0
TTL = 30


@dataclass(frozen=True, slots=True)
class Listen:
    """An address and port a server listens on."""

    address: Address
    port: int

    def __str__(self) -> str:
        host = f"[{self.address}]" if self.address.version == 6 else str(self.address)
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class StaticHost:
    """A name in DNS that no Service makes: literal addresses, or ``service`` to follow that Service's lease."""

    name: str
    addresses: tuple[Address, ...] = ()
    service: ServiceRef | None = None
    aliases: tuple[str, ...] = ()
    ttl: int | None = None


@dataclass(frozen=True, slots=True)
class StaticRecord:
    """One record of any type, in presentation format (RFC 1035 section 5; unknown types as RFC 3597)."""

    name: str
    type: str
    value: str
    ttl: int | None = None


@dataclass(frozen=True, slots=True)
class NameGrant:
    """Which namespaces may claim names that match ``names`` (shell patterns, ``*`` for one label or more)."""

    names: tuple[str, ...]
    namespaces: tuple[str, ...] = ("*",)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How much a forged sender may be sent over UDP; see ``suite.dns.ratelimit``."""

    rate: int = 200
    """Answers of one kind a second to one network; 0: no limit."""
    slip: int = 2
    """Every so-manieth answer above that goes out truncated, so that a true client asks over TCP; 0: none."""
    ipv4_prefix: int = 24
    ipv6_prefix: int = 56
    """Lengths in bits of what counts as one network."""
    exempt: tuple[Network, ...] = ()
    exempt_local: bool = True
    """Whether private ranges and the networks of the server's own interfaces are spared."""


@dataclass(frozen=True, slots=True)
class DnsSettings:
    """Names: which zones, for how long an answer may be kept, where to listen."""

    zones: tuple[str, ...] = ("service.",)
    """Fully qualified; the first is where Services go unless their pool names another."""
    ttl: int = TTL
    negative_ttl: int = 5
    """SOA MINIMUM: how long a missing name may be remembered (RFC 2308)."""
    stale_limit: float = STALE_LIMIT
    listen: tuple[Listen, ...] = ()
    workers: int = 1
    hosts: tuple[StaticHost, ...] = ()
    records: tuple[StaticRecord, ...] = ()
    claims: tuple[NameGrant, ...] = (NameGrant(("*",)),)
    reverse: bool = True
    """Serve reverse zones for the pools."""
    name_servers: tuple[str, ...] = ()
    """NS names; empty for ``ns.<zone>``."""
    addresses: tuple[Address, ...] = ()
    """Where the LAN reaches this server: A and AAAA of the NS name."""
    contact: str = "hostmaster"
    advertise_ra: bool = False
    nsid: str = ""
    transfer_acl: tuple[str, ...] = ()
    notify: tuple[Listen, ...] = ()
    tsig_keys_file: str = ""
    query_log: bool = False
    rate_limit: RateLimit = RateLimit()
    cookie_secret_file: str = ""


@dataclass(frozen=True, slots=True)
class L2Settings:
    """Liveness between speakers and layer 2 behaviour."""

    heartbeat_interval: float = 0.25
    heartbeat_dead: float = 1.0
    heartbeat_port: int = 7947
    heartbeat_key_file: str = ""
    rejoin_delay: float = 10.0
    refresh_interval: float = 60.0
    """Gratuitous announcements are repeated this often, because switches forget."""
    probe: str = "quick"
    """``quick``, ``rfc`` or ``off``: duplicate address detection before an address is announced."""
    answer_ping: bool = False
    bind_address: bool = False
    any_subnet: bool = False
    """Whether a node without a link on the address's subnet may announce it."""
    watch_dhcp: bool = True
    """Whether speakers hear which addresses DHCP gives out, to warn of pools that hold them."""


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Where the API and the metrics are, and the feed for machines without a database."""

    listen: Listen | None = None
    feed_listen: Listen | None = None
    """With TLS, for whoever has a token: followers, their reports, and the API too."""
    service_accounts: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """ServiceAccounts of a cluster (namespace/name), and the scopes of their tokens."""
    authority_config_map: str = ""
    """The ConfigMap (namespace/name) that tells followers in a cluster which certificate is the controller's."""


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """A SQLAlchemy URL without a password, and the files that secrets stand in."""

    url: str = ""
    password_file: str = ""
    seal_key_file: str = ""
    """A key that seals each commit's last event, so that nobody without it can rewrite the log unnoticed."""


@dataclass(frozen=True, slots=True)
class KubernetesSettings:
    """What is read from a cluster beside its Services, and where."""

    namespace: str = "metallb-system"
    """Where MetalLB's ConfigMap, custom resources, Secrets and speakers are."""
    config_map: str = "config"
    hostnames: tuple[str, ...] = ()
    """``ingress``, ``gateway``: whose host names lead to the Services that serve them."""
    secrets: bool = False
    """Whether the Secrets that hold passwords of peers are read."""
    stand_by_for: str = "nobody"
    """``metallb``: nothing is announced while one of its speakers runs."""
    guard_lease: ServiceRef | None = None
    """A Lease (coordination.k8s.io) that keeps a second controller with another database from writing."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything an operator can say."""

    pools: tuple[Pool, ...] = ()
    """In the order written: pools of equal rank are tried in it."""
    l2_advertisements: tuple[L2Advertisement, ...] = ()
    bgp_advertisements: tuple[BgpAdvertisement, ...] = ()
    peers: tuple[Peer, ...] = ()
    bfd_profiles: tuple[BfdProfile, ...] = ()
    communities: tuple[tuple[str, Community], ...] = ()
    hold_time: float = HOLD_TIME
    cooling_time: float = COOLING_TIME
    reservations: tuple[Reservation, ...] = ()
    nodes: tuple[Node, ...] = ()
    drain_cordoned: bool = False
    """Whether a node that the cluster has cordoned announces nothing."""
    load_balancer_class: str = ""
    dns: DnsSettings = field(default_factory=DnsSettings)
    l2: L2Settings = field(default_factory=L2Settings)
    kubernetes: KubernetesSettings = field(default_factory=KubernetesSettings)
    web: WebSettings = field(default_factory=WebSettings)
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    roles: tuple[str, ...] = ("controller", "speaker", "nameserver", "web")
    digest: str = ""
    """SHA-256 of the documents it was made of, in hex."""

    def pool(self, name: str) -> Pool | None:
        """The pool of that name."""
        return next((pool for pool in self.pools if pool.name == name), None)

    def pool_of(self, address: Address) -> Pool | None:
        """The pool whose ranges hold ``address``, excluded or not; ranges of pools never overlap."""
        return next((pool for pool in self.pools if any(address in span for span in pool.ranges)), None)
