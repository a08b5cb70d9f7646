CREATE TABLE head (
	one INTEGER NOT NULL CONSTRAINT head_single_row CHECK (one = 1),
	epoch TEXT NOT NULL,
	revision INTEGER NOT NULL,
	hash TEXT NOT NULL,
	time TEXT NOT NULL,
	last_lease INTEGER NOT NULL,
	CONSTRAINT head_pk PRIMARY KEY (one),
	CONSTRAINT head_time_is_utc CHECK (time GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z')
)
 STRICT
--------
CREATE TABLE event (
	revision INTEGER NOT NULL,
	n INTEGER NOT NULL,
	at TEXT NOT NULL,
	actor_kind TEXT NOT NULL,
	actor TEXT NOT NULL,
	action TEXT NOT NULL,
	reason TEXT DEFAULT '' NOT NULL,
	namespace TEXT,
	service TEXT,
	node TEXT DEFAULT '' NOT NULL,
	family INTEGER,
	address TEXT,
	addr_key BLOB,
	pool TEXT DEFAULT '' NOT NULL,
	"before" TEXT DEFAULT '' NOT NULL,
	"after" TEXT DEFAULT '' NOT NULL,
	prev_hash TEXT NOT NULL,
	hash TEXT NOT NULL,
	seal TEXT DEFAULT '' NOT NULL,
	CONSTRAINT event_pk PRIMARY KEY (revision, n),
	CONSTRAINT event_at_is_utc CHECK (at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z')
)
 WITHOUT ROWID,
 STRICT
--------
CREATE INDEX event_at ON event (at)
--------
CREATE INDEX event_service ON event (namespace, service, revision) WHERE service IS NOT NULL
--------
CREATE INDEX event_address ON event (address, revision) WHERE address IS NOT NULL
--------
CREATE TABLE lease (
	id INTEGER NOT NULL,
	family INTEGER NOT NULL,
	address TEXT NOT NULL,
	addr_key BLOB NOT NULL,
	namespace TEXT NOT NULL,
	service TEXT NOT NULL,
	uid TEXT DEFAULT '' NOT NULL,
	pool TEXT DEFAULT '' NOT NULL,
	state TEXT NOT NULL,
	share_group TEXT NOT NULL,
	ports TEXT DEFAULT '' NOT NULL,
	was_requested INTEGER NOT NULL,
	until TEXT,
	note TEXT DEFAULT '' NOT NULL,
	valid_from TEXT NOT NULL,
	valid_to TEXT,
	end_reason TEXT DEFAULT '' NOT NULL,
	revision INTEGER NOT NULL,
	end_revision INTEGER,
	CONSTRAINT lease_pk PRIMARY KEY (id),
	CONSTRAINT lease_family_known CHECK (family IN (4, 6)),
	CONSTRAINT lease_key_fits_family CHECK (length(addr_key) = CASE family WHEN 4 THEN 5 ELSE 17 END),
	CONSTRAINT lease_state_known CHECK (state IN ('bound', 'held', 'cooling', 'declined')),
	CONSTRAINT lease_ends_after_it_begins CHECK (valid_to >= valid_from),
	CONSTRAINT lease_ends_in_a_revision CHECK ((valid_to IS NULL) = (end_revision IS NULL)),
	CONSTRAINT lease_valid_from_is_utc CHECK (valid_from GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'),
	CONSTRAINT lease_valid_to_is_utc CHECK (valid_to GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'),
	CONSTRAINT lease_until_is_utc CHECK (until GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z')
)
 STRICT
--------
CREATE INDEX lease_addr_key ON lease (addr_key)
--------
CREATE INDEX lease_service ON lease (namespace, service, valid_from)
--------
CREATE INDEX lease_address ON lease (address, valid_from)
--------
CREATE UNIQUE INDEX lease_open ON lease (address, namespace, service) WHERE valid_to IS NULL
--------
CREATE TABLE pool (
	id INTEGER NOT NULL,
	name TEXT NOT NULL,
	position INTEGER NOT NULL,
	auto_assign INTEGER NOT NULL,
	avoid_buggy INTEGER NOT NULL,
	priority INTEGER NOT NULL,
	zone TEXT DEFAULT '' NOT NULL,
	valid_from TEXT NOT NULL,
	valid_to TEXT,
	revision INTEGER NOT NULL,
	CONSTRAINT pool_pk PRIMARY KEY (id),
	CONSTRAINT pool_valid_from_is_utc CHECK (valid_from GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'),
	CONSTRAINT pool_valid_to_is_utc CHECK (valid_to GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z')
)
 STRICT
--------
CREATE UNIQUE INDEX pool_open ON pool (name) WHERE valid_to IS NULL
--------
CREATE TABLE drained_pool (
	name TEXT NOT NULL,
	since TEXT NOT NULL,
	revision INTEGER NOT NULL,
	CONSTRAINT drained_pool_pk PRIMARY KEY (name),
	CONSTRAINT drained_pool_since_is_utc CHECK (since GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z')
)
 WITHOUT ROWID,
 STRICT
--------
CREATE TABLE reservation (
	source TEXT NOT NULL,
	address TEXT NOT NULL,
	family INTEGER NOT NULL,
	addr_key BLOB NOT NULL,
	last TEXT DEFAULT '' NOT NULL,
	last_key BLOB NOT NULL,
	namespace TEXT,
	service TEXT,
	note TEXT DEFAULT '' NOT NULL,
	revision INTEGER NOT NULL,
	CONSTRAINT reservation_pk PRIMARY KEY (source, address),
	CONSTRAINT reservation_family_known CHECK (family IN (4, 6)),
	CONSTRAINT reservation_key_fits_family CHECK (length(addr_key) = CASE family WHEN 4 THEN 5 ELSE 17 END),
	CONSTRAINT reservation_in_order CHECK (addr_key <= last_key)
)
 WITHOUT ROWID,
 STRICT
--------
CREATE TABLE service (
	namespace TEXT NOT NULL,
	name TEXT NOT NULL,
	document TEXT NOT NULL,
	revision INTEGER NOT NULL,
	CONSTRAINT service_pk PRIMARY KEY (namespace, name)
)
 WITHOUT ROWID,
 STRICT
--------
CREATE TABLE endpoints (
	namespace TEXT NOT NULL,
	name TEXT NOT NULL,
	document TEXT NOT NULL,
	revision INTEGER NOT NULL,
	CONSTRAINT endpoints_pk PRIMARY KEY (namespace, name)
)
 WITHOUT ROWID,
 STRICT
--------
CREATE TABLE refusal (
	namespace TEXT NOT NULL,
	name TEXT NOT NULL,
	document TEXT NOT NULL,
	revision INTEGER NOT NULL,
	CONSTRAINT refusal_pk PRIMARY KEY (namespace, name)
)
 WITHOUT ROWID,
 STRICT
--------
CREATE TABLE node (
	name TEXT NOT NULL,
	document TEXT NOT NULL,
	revision INTEGER NOT NULL,
	CONSTRAINT node_pk PRIMARY KEY (name)
)
 WITHOUT ROWID,
 STRICT
--------
CREATE TABLE namespace (
	name TEXT NOT NULL,
	document TEXT NOT NULL,
	revision INTEGER NOT NULL,
	CONSTRAINT namespace_pk PRIMARY KEY (name)
)
 WITHOUT ROWID,
 STRICT
--------
CREATE TABLE static_record (
	name TEXT NOT NULL,
	type TEXT NOT NULL,
	value TEXT NOT NULL,
	ttl INTEGER NOT NULL,
	revision INTEGER NOT NULL,
	CONSTRAINT static_record_pk PRIMARY KEY (name, type, value, ttl)
)
 WITHOUT ROWID,
 STRICT
--------
CREATE TABLE configuration (
	revision INTEGER NOT NULL,
	digest TEXT NOT NULL,
	document TEXT NOT NULL,
	valid_from TEXT NOT NULL,
	valid_to TEXT,
	CONSTRAINT configuration_pk PRIMARY KEY (revision),
	CONSTRAINT configuration_valid_from_is_utc CHECK (valid_from GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'),
	CONSTRAINT configuration_valid_to_is_utc CHECK (valid_to GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z')
)
 STRICT
--------
CREATE TABLE announcement (
	id INTEGER NOT NULL,
	family INTEGER NOT NULL,
	address TEXT NOT NULL,
	addr_key BLOB NOT NULL,
	node TEXT NOT NULL,
	mode TEXT NOT NULL,
	interface TEXT DEFAULT '' NOT NULL,
	peer TEXT DEFAULT '' NOT NULL,
	mac TEXT DEFAULT '' NOT NULL,
	valid_from TEXT NOT NULL,
	valid_to TEXT,
	end_reason TEXT DEFAULT '' NOT NULL,
	CONSTRAINT announcement_pk PRIMARY KEY (id),
	CONSTRAINT announcement_family_known CHECK (family IN (4, 6)),
	CONSTRAINT announcement_key_fits_family CHECK (length(addr_key) = CASE family WHEN 4 THEN 5 ELSE 17 END),
	CONSTRAINT announcement_mode_known CHECK (mode IN ('layer2', 'bgp')),
	CONSTRAINT announcement_valid_from_is_utc CHECK (valid_from GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'),
	CONSTRAINT announcement_valid_to_is_utc CHECK (valid_to GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z')
)
 STRICT
--------
CREATE INDEX announcement_address ON announcement (address, valid_from)
--------
CREATE TABLE feed (
	revision INTEGER NOT NULL,
	writer TEXT NOT NULL,
	changed TEXT,
	CONSTRAINT feed_pk PRIMARY KEY (revision)
)
 STRICT
--------
CREATE TABLE leadership (
	one INTEGER NOT NULL CONSTRAINT leadership_single_row CHECK (one = 1),
	instance TEXT NOT NULL,
	term INTEGER NOT NULL,
	since TEXT NOT NULL,
	CONSTRAINT leadership_pk PRIMARY KEY (one),
	CONSTRAINT leadership_since_is_utc CHECK (since GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z')
)
 STRICT
--------
CREATE TABLE checkpoint (
	revision INTEGER NOT NULL,
	through_revision INTEGER NOT NULL,
	through_n INTEGER NOT NULL,
	through_hash TEXT NOT NULL,
	"before" TEXT NOT NULL,
	events INTEGER NOT NULL,
	leases INTEGER NOT NULL,
	archive_sha256 TEXT DEFAULT '' NOT NULL,
	CONSTRAINT checkpoint_pk PRIMARY KEY (revision),
	CONSTRAINT checkpoint_before_is_utc CHECK (before GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z')
)
 STRICT
--------
CREATE TABLE meta (
	name TEXT NOT NULL,
	value TEXT NOT NULL,
	CONSTRAINT meta_pk PRIMARY KEY (name)
)
 WITHOUT ROWID,
 STRICT
--------
CREATE TABLE lease_port (
	addr_key BLOB NOT NULL,
	protocol TEXT NOT NULL,
	port INTEGER NOT NULL,
	lease_id INTEGER NOT NULL,
	CONSTRAINT lease_port_pk PRIMARY KEY (addr_key, protocol, port),
	CONSTRAINT lease_port_lease_id_known FOREIGN KEY(lease_id) REFERENCES lease (id)
)
 WITHOUT ROWID,
 STRICT
--------
CREATE INDEX lease_port_lease ON lease_port (lease_id)
--------
CREATE TABLE pool_range (
	pool_id INTEGER NOT NULL,
	n INTEGER NOT NULL,
	is_excluded INTEGER NOT NULL,
	family INTEGER NOT NULL,
	first TEXT NOT NULL,
	last TEXT NOT NULL,
	first_key BLOB NOT NULL,
	last_key BLOB NOT NULL,
	size REAL NOT NULL,
	first_number INTEGER,
	last_number INTEGER,
	CONSTRAINT pool_range_pk PRIMARY KEY (pool_id, n),
	CONSTRAINT pool_range_in_order CHECK (first_key <= last_key),
	CONSTRAINT pool_range_pool_id_known FOREIGN KEY(pool_id) REFERENCES pool (id)
)
 WITHOUT ROWID,
 STRICT
--------
CREATE TRIGGER event_extends_head BEFORE INSERT ON event
WHEN NEW.prev_hash <> (SELECT hash FROM head)
  OR NEW.revision <> (SELECT revision FROM head)
  OR NEW.at <> (SELECT time FROM head)
  OR NEW.n <> 1 + coalesce((SELECT max(n) FROM event WHERE revision = NEW.revision), 0)
BEGIN SELECT RAISE(ABORT, 'event_extends_head: an event must continue the chain at head'); END
--------
CREATE TRIGGER event_moves_head AFTER INSERT ON event
BEGIN UPDATE head SET hash = NEW.hash; END
--------
CREATE TRIGGER event_no_update BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'event_no_update: the log is never changed'); END
--------
CREATE TRIGGER event_no_delete BEFORE DELETE ON event WHEN NOT EXISTS (SELECT 1 FROM checkpoint WHERE (through_revision, through_n) >= (OLD.revision, OLD.n)) BEGIN SELECT RAISE(ABORT, 'event_no_delete: the log is only shortened by a prune'); END
--------
CREATE TRIGGER lease_exclusive BEFORE INSERT ON lease
WHEN NEW.valid_to IS NULL AND EXISTS (
  SELECT 1 FROM lease WHERE address = NEW.address AND valid_to IS NULL
    AND (share_group <> NEW.share_group OR (namespace = NEW.namespace AND service = NEW.service)))
BEGIN SELECT RAISE(ABORT, 'lease_exclusive: the address is leased to a Service that does not share it'); END
--------
CREATE TRIGGER lease_no_replace BEFORE INSERT ON lease
WHEN EXISTS (SELECT 1 FROM lease WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'lease_no_replace: a lease row is never replaced'); END
--------
CREATE TRIGGER lease_closes_once BEFORE UPDATE ON lease
WHEN NOT (OLD.valid_to IS NULL AND NEW.valid_to IS NOT NULL AND OLD.id IS NEW.id AND OLD.family IS NEW.family AND OLD.address IS NEW.address AND OLD.addr_key IS NEW.addr_key AND OLD.namespace IS NEW.namespace AND OLD.service IS NEW.service AND OLD.uid IS NEW.uid AND OLD.pool IS NEW.pool AND OLD.state IS NEW.state AND OLD.share_group IS NEW.share_group AND OLD.ports IS NEW.ports AND OLD.was_requested IS NEW.was_requested AND OLD.until IS NEW.until AND OLD.note IS NEW.note AND OLD.valid_from IS NEW.valid_from AND OLD.revision IS NEW.revision)
BEGIN SELECT RAISE(ABORT, 'lease_closes_once: a lease row is closed once and never changed'); END
--------
CREATE TRIGGER lease_no_delete BEFORE DELETE ON lease WHEN OLD.valid_to IS NULL OR NOT EXISTS (SELECT 1 FROM checkpoint WHERE before > OLD.valid_to) BEGIN SELECT RAISE(ABORT, 'lease_no_delete: history is only shortened by a prune'); END
--------
CREATE TRIGGER head_only_rises BEFORE UPDATE ON head
WHEN NEW.one <> 1 OR NEW.revision < OLD.revision OR NEW.time < OLD.time OR NEW.last_lease < OLD.last_lease
  OR (NEW.hash <> OLD.hash AND NEW.hash IS NOT (SELECT hash FROM event ORDER BY revision DESC, n DESC LIMIT 1))
BEGIN SELECT RAISE(ABORT, 'head_only_rises: head only moves on, with the log'); END
--------
CREATE TRIGGER head_no_insert BEFORE INSERT ON head WHEN EXISTS (SELECT 1 FROM head) BEGIN SELECT RAISE(ABORT, 'head_no_insert: there is one row'); END
--------
CREATE TRIGGER head_no_delete BEFORE DELETE ON head BEGIN SELECT RAISE(ABORT, 'head_no_delete: there is one row'); END
--------
CREATE TRIGGER checkpoint_is_true BEFORE INSERT ON checkpoint
WHEN NEW.revision <= NEW.through_revision
  OR EXISTS (SELECT 1 FROM checkpoint WHERE revision >= NEW.revision)
  OR NOT EXISTS (SELECT 1 FROM event WHERE revision = NEW.revision AND action = 'pruned')
  OR NOT EXISTS (SELECT 1 FROM event
                 WHERE revision = NEW.through_revision AND n = NEW.through_n AND hash = NEW.through_hash)
BEGIN SELECT RAISE(ABORT, 'checkpoint_is_true: a checkpoint names the last pruned event and the event that says so'); END
--------
CREATE TRIGGER checkpoint_no_update BEFORE UPDATE ON checkpoint BEGIN SELECT RAISE(ABORT, 'checkpoint_no_update: a checkpoint is never changed'); END
--------
CREATE TRIGGER checkpoint_no_delete BEFORE DELETE ON checkpoint BEGIN SELECT RAISE(ABORT, 'checkpoint_no_delete: a checkpoint is never removed'); END
--------
CREATE VIEW lease_current AS
SELECT address, namespace, service, state, pool, family, ports, share_group, was_requested, until, note,
  valid_from, uid, revision, id, addr_key
FROM lease WHERE valid_to IS NULL
--------
CREATE VIEW lease_history AS
SELECT address, namespace, service, state, valid_from, valid_to, round((julianday(coalesce(valid_to, 'now')) - julianday(valid_from)) * 86400.0, 3) AS seconds, end_reason, pool, family,
  ports, note, uid, revision, end_revision, id, addr_key
FROM lease
--------
CREATE VIEW pool_current AS
SELECT id, name, position, auto_assign, avoid_buggy, priority, zone, valid_from, revision,
  CASE WHEN EXISTS (SELECT 1 FROM drained_pool WHERE drained_pool.name = pool.name) THEN 'yes' ELSE 'no' END AS drained
FROM pool WHERE valid_to IS NULL
--------
CREATE VIEW address_state AS
SELECT address, address AS last, state, namespace, service, pool, valid_from AS since, until, note, family, addr_key
FROM lease WHERE valid_to IS NULL
UNION ALL
SELECT address, CASE WHEN last = '' THEN address ELSE last END, 'reserved', namespace, service,
  coalesce((SELECT min(p.name) FROM pool_current p JOIN pool_range r ON r.pool_id = p.id
            WHERE NOT r.is_excluded AND reservation.addr_key BETWEEN r.first_key AND r.last_key), ''),
  NULL, NULL, note, family, addr_key
FROM reservation
WHERE last <> '' OR NOT EXISTS (
  SELECT 1 FROM lease WHERE lease.address = reservation.address AND lease.valid_to IS NULL)
--------
CREATE VIEW pool_usage AS
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
           FROM lease WHERE valid_to IS NULL GROUP BY pool) l ON l.pool = p.name
--------
CREATE VIEW event_readable AS
SELECT at, action, CASE WHEN service IS NULL THEN '' ELSE namespace || '/' || service END AS service,
  coalesce(address, '') AS address, pool, reason, actor_kind || ' ' || actor AS who, node, before, after, revision, n
FROM event
--------
CREATE VIEW announcement_current AS
SELECT address, node, mode, interface, peer, mac, valid_from, family, id, addr_key
FROM announcement WHERE valid_to IS NULL
