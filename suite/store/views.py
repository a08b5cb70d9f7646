"""Views for people who type SQL: addresses as text, names joined, the current state beside the history.

The same columns on both databases; only the arithmetic of time differs.
"""

SECONDS = {
    "sqlite": "round((julianday({end}) - julianday({start})) * 86400.0, 3)",
    "postgresql": "round(extract(epoch FROM {end} - {start})::numeric, 3)",
}
NOW = {"sqlite": "'now'", "postgresql": "now()"}
NO_TIME = {"sqlite": "NULL", "postgresql": "CAST(NULL AS timestamptz)"}


def views(dialect: str) -> tuple[str, ...]:
    """The statements that create the views in ``sqlite`` or ``postgresql``, in order of dependence."""
    lasted = SECONDS[dialect].format(end=f"coalesce(valid_to, {NOW[dialect]})", start="valid_from")
    return tuple(text.format(lasted=lasted, no_time=NO_TIME[dialect]) for text in VIEWS)


VIEWS = (
    """CREATE VIEW lease_current AS
SELECT address, namespace, service, state, pool, family, ports, share_group, was_requested, until, note,
  valid_from, uid, revision, id, addr_key
FROM lease WHERE valid_to IS NULL""",
    """CREATE VIEW lease_history AS
SELECT address, namespace, service, state, valid_from, valid_to, {lasted} AS seconds, end_reason, pool, family,
  ports, note, uid, revision, end_revision, id, addr_key
FROM lease""",
    """CREATE VIEW pool_current AS
SELECT id, name, position, auto_assign, avoid_buggy, priority, zone, valid_from, revision,
  CASE WHEN EXISTS (SELECT 1 FROM drained_pool WHERE drained_pool.name = pool.name) THEN 'yes' ELSE 'no' END AS drained
FROM pool WHERE valid_to IS NULL""",
    """CREATE VIEW address_state AS
SELECT address, address AS last, state, namespace, service, pool, valid_from AS since, until, note, family, addr_key
FROM lease WHERE valid_to IS NULL
UNION ALL
SELECT address, CASE WHEN last = '' THEN address ELSE last END, 'reserved', namespace, service,
  coalesce((SELECT min(p.name) FROM pool_current p JOIN pool_range r ON r.pool_id = p.id
            WHERE NOT r.is_excluded AND reservation.addr_key BETWEEN r.first_key AND r.last_key), ''),
  {no_time}, {no_time}, note, family, addr_key
FROM reservation
WHERE last <> '' OR NOT EXISTS (
  SELECT 1 FROM lease WHERE lease.address = reservation.address AND lease.valid_to IS NULL)""",
    """CREATE VIEW pool_usage AS
SELECT p.name AS pool, r.size, coalesce(l.bound, 0) AS bound, coalesce(l.held, 0) AS held,
  coalesce(l.cooling, 0) AS cooling, coalesce(l.declined, 0) AS declined,
  coalesce(l.addresses, 0) AS used, r.size - coalesce(l.addresses, 0) AS free,
  CASE WHEN r.size > 0 THEN 100.0 * coalesce(l.addresses, 0) / r.size ELSE 0 END AS percent, p.drained
FROM pool_current p
LEFT JOIN (SELECT pool_id, sum(CASE WHEN is_excluded THEN -size ELSE size END) AS size
           FROM pool_range GROUP BY pool_id) r ON r.pool_id = p.id
LEFT JOIN (SELECT pool, count(DISTINCT address) AS addresses,
             count(DISTINCT CASE WHEN state = 'bound' THEN address END) AS bound,
             count(DISTINCT CASE WHEN state = 'held' THEN address END) AS held,
             count(DISTINCT CASE WHEN state = 'cooling' THEN address END) AS cooling,
             count(DISTINCT CASE WHEN state = 'declined' THEN address END) AS declined
           FROM lease WHERE valid_to IS NULL GROUP BY pool) l ON l.pool = p.name""",
    """CREATE VIEW event_readable AS
SELECT at, action, CASE WHEN service IS NULL THEN '' ELSE namespace || '/' || service END AS service,
  coalesce(address, '') AS address, pool, reason, actor_kind || ' ' || actor AS who, node, before, after, revision, n
FROM event""",
    """CREATE VIEW announcement_current AS
SELECT address, node, mode, interface, peer, mac, valid_from, family, id, addr_key
FROM announcement WHERE valid_to IS NULL""",
)
