"""Triggers: what the database itself refuses, whoever asks.

* ``event``: no UPDATE, DELETE, TRUNCATE or REPLACE, and no INSERT that does not continue the chain at ``head``.
* ``lease``: a row may be closed once, and is never changed or deleted; on SQLite also the exclusivity of addresses,
  which PostgreSQL has as an exclusion constraint.
* ``head``: revision and time only rise; its hash is that of the last event.
* ``checkpoint``: the one way to remove a prefix of the log, and only together with the event that says so.

Whoever owns the database can drop a trigger; then the chain of hashes shows it (see ``chain`` and ``audit``).
SQLite's REPLACE deletes without delete triggers unless the connection asks for them, so the insert guards refuse it.
"""

# ruff: noqa: S608 - every text here is this module's own

LEASE_FIXED = (
    "id", "family", "address", "addr_key", "namespace", "service", "uid", "pool", "state", "share_group", "ports",
    "was_requested", "until", "note", "valid_from", "revision",
)  # fmt: skip
"""Columns of a lease row that never change."""


def _same(columns: tuple[str, ...]) -> str:
    return " AND ".join(f"OLD.{column} IS NEW.{column}" for column in columns)


def _row(prefix: str) -> str:
    return ", ".join(f"{prefix}.{column}" for column in LEASE_FIXED)


def _refuse(table: str, verb: str, words: str, when: str = "") -> str:
    condition = f"WHEN {when} " if when else ""
    return (
        f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} {condition}"
        f"BEGIN SELECT RAISE(ABORT, '{table}_no_{verb.lower()}: {words}'); END"
    )


SQLITE = (
    """CREATE TRIGGER event_extends_head BEFORE INSERT ON event
WHEN NEW.prev_hash <> (SELECT hash FROM head)
  OR NEW.revision <> (SELECT revision FROM head)
  OR NEW.at <> (SELECT time FROM head)
  OR NEW.n <> 1 + coalesce((SELECT max(n) FROM event WHERE revision = NEW.revision), 0)
BEGIN SELECT RAISE(ABORT, 'event_extends_head: an event must continue the chain at head'); END""",
    """CREATE TRIGGER event_moves_head AFTER INSERT ON event
BEGIN UPDATE head SET hash = NEW.hash; END""",
    _refuse("event", "UPDATE", "the log is never changed"),
    _refuse(
        "event",
        "DELETE",
        "the log is only shortened by a prune",
        "NOT EXISTS (SELECT 1 FROM checkpoint WHERE (through_revision, through_n) >= (OLD.revision, OLD.n))",
    ),
    """CREATE TRIGGER lease_exclusive BEFORE INSERT ON lease
WHEN NEW.valid_to IS NULL AND EXISTS (
  SELECT 1 FROM lease WHERE address = NEW.address AND valid_to IS NULL
    AND (share_group <> NEW.share_group OR (namespace = NEW.namespace AND service = NEW.service)))
BEGIN SELECT RAISE(ABORT, 'lease_exclusive: the address is leased to a Service that does not share it'); END""",
    """CREATE TRIGGER lease_no_replace BEFORE INSERT ON lease
WHEN EXISTS (SELECT 1 FROM lease WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'lease_no_replace: a lease row is never replaced'); END""",
    f"""CREATE TRIGGER lease_closes_once BEFORE UPDATE ON lease
WHEN NOT (OLD.valid_to IS NULL AND NEW.valid_to IS NOT NULL AND {_same(LEASE_FIXED)})
BEGIN SELECT RAISE(ABORT, 'lease_closes_once: a lease row is closed once and never changed'); END""",
    _refuse(
        "lease",
        "DELETE",
        "history is only shortened by a prune",
        "OLD.valid_to IS NULL OR NOT EXISTS (SELECT 1 FROM checkpoint WHERE before > OLD.valid_to)",
    ),
    """CREATE TRIGGER head_only_rises BEFORE UPDATE ON head
WHEN NEW.one <> 1 OR NEW.revision < OLD.revision OR NEW.time < OLD.time OR NEW.last_lease < OLD.last_lease
  OR (NEW.hash <> OLD.hash AND NEW.hash IS NOT (SELECT hash FROM event ORDER BY revision DESC, n DESC LIMIT 1))
BEGIN SELECT RAISE(ABORT, 'head_only_rises: head only moves on, with the log'); END""",
    _refuse("head", "INSERT", "there is one row", "EXISTS (SELECT 1 FROM head)"),
    _refuse("head", "DELETE", "there is one row"),
    """CREATE TRIGGER checkpoint_is_true BEFORE INSERT ON checkpoint
WHEN NEW.revision <= NEW.through_revision
  OR EXISTS (SELECT 1 FROM checkpoint WHERE revision >= NEW.revision)
  OR NOT EXISTS (SELECT 1 FROM event WHERE revision = NEW.revision AND action = 'pruned')
  OR NOT EXISTS (SELECT 1 FROM event
                 WHERE revision = NEW.through_revision AND n = NEW.through_n AND hash = NEW.through_hash)
BEGIN SELECT RAISE(ABORT, 'checkpoint_is_true: a checkpoint names the last pruned event and the event that says so'); END""",
    _refuse("checkpoint", "UPDATE", "a checkpoint is never changed"),
    _refuse("checkpoint", "DELETE", "a checkpoint is never removed"),
)


def _function(name: str, body: str, declare: str = "") -> str:
    return f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$\n{declare}BEGIN\n{body}\nEND $$"


def _raise(name: str, words: str) -> str:
    return f"RAISE EXCEPTION '{name}: {words}' USING ERRCODE = '23001', CONSTRAINT = '{name}';"


def _never(table: str, verb: str, words: str) -> tuple[str, str]:
    name = f"{table}_no_{verb.lower()}"
    each = "STATEMENT" if verb == "TRUNCATE" else "ROW"
    return (
        _function(name, _raise(name, words)),
        f"CREATE TRIGGER {name} BEFORE {verb} ON {table} FOR EACH {each} EXECUTE FUNCTION {name}()",
    )


POSTGRESQL = (
    _function(
        "event_extends_head",
        f"""  SELECT * INTO STRICT tip FROM head FOR UPDATE;
  SELECT count(*), min(n), max(n) INTO many, lowest, highest FROM added;
  IF many = 0 THEN RETURN NULL; END IF;
  IF highest - lowest + 1 <> many
    OR lowest <> 1 + coalesce((SELECT max(n) FROM event WHERE revision = tip.revision AND n < lowest), 0)
    OR EXISTS (SELECT FROM (
         SELECT revision, at, prev_hash, lag(hash, 1, tip.hash) OVER (ORDER BY n) AS expected FROM added) AS chained
       WHERE revision <> tip.revision OR at <> tip.time OR prev_hash <> expected)
  THEN {_raise("event_extends_head", "an event must continue the chain at head")} END IF;
  UPDATE head SET hash = (SELECT hash FROM added WHERE n = highest);
  RETURN NULL;""",
        "DECLARE tip head%ROWTYPE; many bigint; lowest integer; highest integer;\n",
    ),
    """CREATE TRIGGER event_extends_head AFTER INSERT ON event REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION event_extends_head()""",
    *_never("event", "UPDATE", "the log is never changed"),
    *_never("event", "TRUNCATE", "the log is only shortened by a prune"),
    _function(
        "event_no_delete",
        f"""  IF EXISTS (SELECT FROM checkpoint WHERE (through_revision, through_n) >= (OLD.revision, OLD.n))
  THEN RETURN OLD; END IF;
  {_raise("event_no_delete", "the log is only shortened by a prune")}""",
    ),
    "CREATE TRIGGER event_no_delete BEFORE DELETE ON event FOR EACH ROW EXECUTE FUNCTION event_no_delete()",
    _function(
        "lease_closes_once",
        f"""  IF OLD.valid_to IS NULL AND NEW.valid_to IS NOT NULL
    AND ({_row("OLD")}) IS NOT DISTINCT FROM ({_row("NEW")})
  THEN RETURN NEW; END IF;
  {_raise("lease_closes_once", "a lease row is closed once and never changed")}""",
    ),
    "CREATE TRIGGER lease_closes_once BEFORE UPDATE ON lease FOR EACH ROW EXECUTE FUNCTION lease_closes_once()",
    _function(
        "lease_no_delete",
        f"""  IF OLD.valid_to IS NOT NULL AND EXISTS (SELECT FROM checkpoint WHERE before > OLD.valid_to)
  THEN RETURN OLD; END IF;
  {_raise("lease_no_delete", "history is only shortened by a prune")}""",
    ),
    "CREATE TRIGGER lease_no_delete BEFORE DELETE ON lease FOR EACH ROW EXECUTE FUNCTION lease_no_delete()",
    *_never("lease", "TRUNCATE", "history is only shortened by a prune"),
    _function(
        "head_only_rises",
        f"""  IF NEW.revision < OLD.revision OR NEW.time < OLD.time OR NEW.last_lease < OLD.last_lease
    OR (NEW.hash <> OLD.hash
        AND NEW.hash IS DISTINCT FROM (SELECT hash FROM event ORDER BY revision DESC, n DESC LIMIT 1))
  THEN {_raise("head_only_rises", "head only moves on, with the log")} END IF;
  RETURN NEW;""",
    ),
    "CREATE TRIGGER head_only_rises BEFORE UPDATE ON head FOR EACH ROW EXECUTE FUNCTION head_only_rises()",
    *_never("head", "DELETE", "there is one row"),
    *_never("head", "TRUNCATE", "there is one row"),
    _function("head_tells", "  PERFORM pg_notify('suite_head', '');\n  RETURN NULL;"),
    "CREATE TRIGGER head_tells AFTER UPDATE ON head FOR EACH STATEMENT EXECUTE FUNCTION head_tells()",
    _function(
        "checkpoint_is_true",
        f"""  IF NEW.revision <= NEW.through_revision
    OR EXISTS (SELECT FROM checkpoint WHERE revision >= NEW.revision)
    OR NOT EXISTS (SELECT FROM event WHERE revision = NEW.revision AND action = 'pruned')
    OR NOT EXISTS (SELECT FROM event
                   WHERE revision = NEW.through_revision AND n = NEW.through_n AND hash = NEW.through_hash)
  THEN {_raise("checkpoint_is_true", "a checkpoint names the last pruned event and the event that says so")} END IF;
  RETURN NEW;""",
    ),
    "CREATE TRIGGER checkpoint_is_true BEFORE INSERT ON checkpoint FOR EACH ROW EXECUTE FUNCTION checkpoint_is_true()",
    *_never("checkpoint", "UPDATE", "a checkpoint is never changed"),
    *_never("checkpoint", "DELETE", "a checkpoint is never removed"),
    *_never("checkpoint", "TRUNCATE", "a checkpoint is never removed"),
)


def guards(dialect: str) -> tuple[str, ...]:
    """The statements that create the guards in ``sqlite`` or ``postgresql``."""
    return SQLITE if dialect == "sqlite" else POSTGRESQL
