"""The tables, as SQLAlchemy describes them for both databases.

Times are TIMESTAMPTZ in PostgreSQL and text of fixed width (``2026-11-22 14:03:00.000000Z``) in SQLite, so that text
order is time order and the same literal works in both.  An address stands three times: as canonical text (RFC 5952),
which people type; as ``addr_key`` (family octet and network order), whose order is the order of addresses, so that a
subnet is one BETWEEN; and as ``family``.

What changes shape here needs a migration; a test compares the two.  Triggers stand in ``guards``, views in ``views``.
"""

from typing import Any

from sqlalchemy import (
    REAL,
    TIMESTAMP,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.types import TypeEngine

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pk",
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s_unique",
        "ck": "%(table_name)s_%(constraint_name)s",
        "fk": "%(table_name)s_%(column_0_N_name)s_known",
    }
)

BIG = BigInteger().with_variant(Integer(), "sqlite")
SMALL = SmallInteger().with_variant(Integer(), "sqlite")
FLAG = Boolean().with_variant(Integer(), "sqlite")
TIME = TIMESTAMP(timezone=True).with_variant(Text(), "sqlite")
NUMBER: TypeEngine[float] = Double().with_variant(REAL(), "sqlite")

TIME_GLOB = (
    "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z"
)


def _table(name: str, *items: Any, rowid: bool = True) -> Table:
    return Table(name, metadata, *items, sqlite_strict=True, sqlite_with_rowid=rowid)


def _text(name: str, *, primary_key: bool = False) -> Column[str]:
    return Column(name, Text, primary_key=primary_key, nullable=False)


def _remark(name: str) -> Column[str]:
    """Text that is never NULL, but empty where there is nothing to say."""
    return Column(name, Text, nullable=False, server_default="")


def _time_shape(column: str) -> Any:
    """SQLite has no type for time; this keeps anything but the fixed form out."""
    shape = CheckConstraint(f"{column} GLOB '{TIME_GLOB}'", name=f"{column}_is_utc")
    return shape.ddl_if(dialect="sqlite")


def _address_shape() -> tuple[Any, ...]:
    return (
        CheckConstraint("family IN (4, 6)", name="family_known"),
        CheckConstraint("length(addr_key) = CASE family WHEN 4 THEN 5 ELSE 17 END", name="key_fits_family"),
    )


head = _table(
    "head",
    Column("one", SMALL, CheckConstraint("one = 1", name="single_row"), primary_key=True, autoincrement=False),
    _text("epoch"),
    Column("revision", BIG, nullable=False),
    _text("hash"),
    Column("time", TIME, nullable=False),
    Column("last_lease", BIG, nullable=False),
    _time_shape("time"),
)
"""One row: what every commit locks and moves on.  ``last_lease`` is the highest lease id given out."""

event = _table(
    "event",
    Column("revision", BIG, primary_key=True, autoincrement=False),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("at", TIME, nullable=False),
    _text("actor_kind"),
    _text("actor"),
    _text("action"),
    _remark("reason"),
    Column("namespace", Text),
    Column("service", Text),
    _remark("node"),
    Column("family", SMALL),
    Column("address", Text),
    Column("addr_key", LargeBinary),
    _remark("pool"),
    _remark("before"),
    _remark("after"),
    _text("prev_hash"),
    _text("hash"),
    _remark("seal"),
    _time_shape("at"),
    Index("event_at", "at"),
    Index(
        "event_address",
        "address",
        "revision",
        postgresql_where=text("address IS NOT NULL"),
        sqlite_where=text("address IS NOT NULL"),
    ),
    Index(
        "event_service",
        "namespace",
        "service",
        "revision",
        postgresql_where=text("service IS NOT NULL"),
        sqlite_where=text("service IS NOT NULL"),
    ),
    rowid=False,
)
"""The log: only ever extended, each row chained to the one before it."""

OPEN = text("valid_to IS NULL")

lease = _table(
    "lease",
    Column("id", BIG, primary_key=True, autoincrement=False),
    Column("family", SMALL, nullable=False),
    _text("address"),
    Column("addr_key", LargeBinary, nullable=False),
    _text("namespace"),
    _text("service"),
    _remark("uid"),
    _remark("pool"),
    _text("state"),
    _text("share_group"),
    _remark("ports"),
    Column("was_requested", FLAG, nullable=False),
    Column("until", TIME),
    _remark("note"),
    Column("valid_from", TIME, nullable=False),
    Column("valid_to", TIME),
    _remark("end_reason"),
    Column("revision", BIG, nullable=False),
    Column("end_revision", BIG),
    *_address_shape(),
    CheckConstraint("state IN ('bound', 'held', 'cooling', 'declined')", name="state_known"),
    CheckConstraint("valid_to >= valid_from", name="ends_after_it_begins"),
    CheckConstraint("(valid_to IS NULL) = (end_revision IS NULL)", name="ends_in_a_revision"),
    _time_shape("valid_from"),
    _time_shape("valid_to"),
    _time_shape("until"),
    Index("lease_open", "address", "namespace", "service", unique=True, postgresql_where=OPEN, sqlite_where=OPEN),
    Index("lease_address", "address", "valid_from"),
    Index("lease_addr_key", "addr_key"),
    Index("lease_service", "namespace", "service", "valid_from"),
    ExcludeConstraint(("address", "="), ("share_group", "<>"), where=OPEN, using="gist", name="lease_exclusive").ddl_if(
        dialect="postgresql"
    ),
)
"""Who has, had or will get back an address; a row opens, closes once, and is otherwise never changed."""

lease_port = _table(
    "lease_port",
    Column("addr_key", LargeBinary, primary_key=True),
    _text("protocol", primary_key=True),
    Column("port", Integer, primary_key=True, autoincrement=False),
    Column("lease_id", BIG, ForeignKey("lease.id"), nullable=False),
    Index("lease_port_lease", "lease_id"),
    rowid=False,
)
"""Ports of open leases that share their address: no two may have the same one."""

pool = _table(
    "pool",
    Column("id", BIG, primary_key=True, autoincrement=False),
    _text("name"),
    Column("position", Integer, nullable=False),
    Column("auto_assign", FLAG, nullable=False),
    Column("avoid_buggy", FLAG, nullable=False),
    Column("priority", Integer, nullable=False),
    _remark("zone"),
    Column("valid_from", TIME, nullable=False),
    Column("valid_to", TIME),
    Column("revision", BIG, nullable=False),
    _time_shape("valid_from"),
    _time_shape("valid_to"),
    Index("pool_open", "name", unique=True, postgresql_where=OPEN, sqlite_where=OPEN),
)
"""Pools as the configuration has and had them; ``position`` is the order written.  ``id`` is revision * 10000 + n."""

pool_range = _table(
    "pool_range",
    Column("pool_id", BIG, ForeignKey("pool.id"), primary_key=True, autoincrement=False),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("is_excluded", FLAG, nullable=False),
    Column("family", SMALL, nullable=False),
    _text("first"),
    _text("last"),
    Column("first_key", LargeBinary, nullable=False),
    Column("last_key", LargeBinary, nullable=False),
    Column("size", NUMBER, nullable=False),
    Column("first_number", BIG),
    Column("last_number", BIG),
    CheckConstraint("first_key <= last_key", name="in_order"),
    rowid=False,
)
"""Ranges of a pool.  ``size`` is approximate above 2^53; the numbers are for arithmetic on IPv4 and NULL for IPv6."""

drained_pool = _table(
    "drained_pool",
    _text("name", primary_key=True),
    Column("since", TIME, nullable=False),
    Column("revision", BIG, nullable=False),
    _time_shape("since"),
    rowid=False,
)
"""Pools that an operator took out of use for new leases."""

reservation = _table(
    "reservation",
    _text("source", primary_key=True),
    _text("address", primary_key=True),
    Column("family", SMALL, nullable=False),
    Column("addr_key", LargeBinary, nullable=False),
    _remark("last"),
    Column("last_key", LargeBinary, nullable=False),
    Column("namespace", Text),
    Column("service", Text),
    _remark("note"),
    Column("revision", BIG, nullable=False),
    *_address_shape(),
    CheckConstraint("addr_key <= last_key", name="in_order"),
    rowid=False,
)
"""Addresses pinned to a name, or (no name) to nobody; ``source`` is operator or config."""


def _documents(name: str, *keys: str) -> Table:
    """Current state of one kind: key columns, the value as JSON, the revision that last changed it."""
    columns = [_text(key, primary_key=True) for key in keys]
    return _table(name, *columns, _text("document"), Column("revision", BIG, nullable=False), rowid=False)


service = _documents("service", "namespace", "name")
endpoints = _documents("endpoints", "namespace", "name")
refusal = _documents("refusal", "namespace", "name")
node = _documents("node", "name")
namespace = _documents("namespace", "name")

static_record = _table(
    "static_record",
    _text("name", primary_key=True),
    _text("type", primary_key=True),
    _text("value", primary_key=True),
    Column("ttl", Integer, primary_key=True, autoincrement=False),
    Column("revision", BIG, nullable=False),
    rowid=False,
)
"""Imported DNS records; ``ttl`` is -1 where the record gives none."""

configuration = _table(
    "configuration",
    Column("revision", BIG, primary_key=True, autoincrement=False),
    _text("digest"),
    _text("document"),
    Column("valid_from", TIME, nullable=False),
    Column("valid_to", TIME),
    _time_shape("valid_from"),
    _time_shape("valid_to"),
)
"""Every configuration that was ever in force, without passwords; the open one is in force."""

announcement = _table(
    "announcement",
    Column("id", BIG, primary_key=True, autoincrement=False),
    Column("family", SMALL, nullable=False),
    _text("address"),
    Column("addr_key", LargeBinary, nullable=False),
    _text("node"),
    _text("mode"),
    _remark("interface"),
    _remark("peer"),
    _remark("mac"),
    Column("valid_from", TIME, nullable=False),
    Column("valid_to", TIME),
    _remark("end_reason"),
    *_address_shape(),
    CheckConstraint("mode IN ('layer2', 'bgp')", name="mode_known"),
    _time_shape("valid_from"),
    _time_shape("valid_to"),
    _remark("prefix"),
    Index("announcement_address", "address", "valid_from"),
)
"""Which node told the network about an address, how, and from when until when."""

bgp_session = _table(
    "bgp_session",
    Column("id", BIG, primary_key=True, autoincrement=False),
    _text("node"),
    _text("peer"),
    _text("address"),
    _text("state"),
    Column("asn", BIG),
    _remark("identifier"),
    _remark("why"),
    Column("valid_from", TIME, nullable=False),
    Column("valid_to", TIME),
    CheckConstraint("state IN ('up', 'down')", name="state_known"),
    _time_shape("valid_from"),
    _time_shape("valid_to"),
    Index("bgp_session_node", "node", "peer", "valid_from"),
)
"""Which BGP session was up or down, from when until when, and why it was down."""

zone_version = _table(
    "zone_version",
    _text("origin", primary_key=True),
    Column("serial", BIG, primary_key=True, autoincrement=False),
    Column("revision", BIG, nullable=False),
    _text("digest"),
    Column("old_serial", BIG),
    _remark("difference"),
    Index("zone_version_revision", "origin", "revision"),
)
"""What each serial of a DNS zone that secondaries may have stood for, and what changed since the one before it."""

feed = _table(
    "feed",
    Column("revision", BIG, primary_key=True, autoincrement=False),
    _text("writer"),
    Column("changed", Text),
)
"""What each recent commit touched, as JSON; NULL for so much that a full read is cheaper.  Old rows are dropped."""

leadership = _table(
    "leadership",
    Column("one", SMALL, CheckConstraint("one = 1", name="single_row"), primary_key=True, autoincrement=False),
    _text("instance"),
    Column("term", BIG, nullable=False),
    Column("since", TIME, nullable=False),
    _time_shape("since"),
)
"""Who leads; ``term`` rises with every change and is checked inside every commit."""

instance = _table(
    "instance",
    Column("process", BIG, primary_key=True, autoincrement=False),
    _text("role", primary_key=True),
    _text("node"),
    Column("pid", BIG, nullable=False),
    _text("version"),
    _text("epoch"),
    Column("revision", BIG, nullable=False),
    _text("reasons"),
    _text("notes"),
    Column("since", TIME, nullable=False),
    Column("gone", TIME),
    _time_shape("since"),
    _time_shape("gone"),
    rowid=False,
)
"""Every role of every running program; ``process`` is the number of the lock that each holds while it lives."""

checkpoint = _table(
    "checkpoint",
    Column("revision", BIG, primary_key=True, autoincrement=False),
    Column("through_revision", BIG, nullable=False),
    Column("through_n", Integer, nullable=False),
    _text("through_hash"),
    Column("before", TIME, nullable=False),
    Column("events", BIG, nullable=False),
    Column("leases", BIG, nullable=False),
    _remark("archive_sha256"),
    _time_shape("before"),
)
"""Where the log begins since it was pruned: everything up to (through_revision, through_n) went to an archive."""

meta = _table("meta", _text("name", primary_key=True), _text("value"), rowid=False)
"""Single values: ``withheld`` and ``confirmed``, the digests of releases that wait or were allowed; ``drained-node:NAME``
for each node that is to announce nothing, with the time since when."""

secret = _table(
    "secret",
    _text("name", primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    _text("value"),
    Column("since", TIME, nullable=False),
    _time_shape("since"),
    rowid=False,
)
"""What the suite keeps from everybody but the roles that use it: ``heartbeat``, the keys of the speakers' greetings in
hex, the one that signs at place 0.  In backups, and in no answer, log, metric or export."""

token = _table(
    "token",
    _text("id", primary_key=True),
    _text("name"),
    _text("scopes"),
    _remark("node"),
    _text("hash"),
    Column("created", TIME, nullable=False),
    _text("created_by"),
    Column("expires", TIME),
    Column("revoked", TIME),
    _time_shape("created"),
    _time_shape("expires"),
    _time_shape("revoked"),
    rowid=False,
)
"""Who may ask over the network; ``hash`` is SHA-256 of the secret half, which is shown once and kept nowhere."""
