CREATE EXTENSION IF NOT EXISTS btree_gist
--------
CREATE TABLE head (
	one SMALLINT NOT NULL CONSTRAINT head_single_row CHECK (one = 1),
	epoch TEXT NOT NULL,
	revision BIGINT NOT NULL,
	hash TEXT NOT NULL,
	time TIMESTAMP WITH TIME ZONE NOT NULL,
	last_lease BIGINT NOT NULL,
	CONSTRAINT head_pk PRIMARY KEY (one)
)
--------
CREATE TABLE event (
	revision BIGINT NOT NULL,
	n INTEGER NOT NULL,
	at TIMESTAMP WITH TIME ZONE NOT NULL,
	actor_kind TEXT NOT NULL,
	actor TEXT NOT NULL,
	action TEXT NOT NULL,
	reason TEXT DEFAULT '' NOT NULL,
	namespace TEXT,
	service TEXT,
	node TEXT DEFAULT '' NOT NULL,
	family SMALLINT,
	address TEXT,
	addr_key BYTEA,
	pool TEXT DEFAULT '' NOT NULL,
	before TEXT DEFAULT '' NOT NULL,
	after TEXT DEFAULT '' NOT NULL,
	prev_hash TEXT NOT NULL,
	hash TEXT NOT NULL,
	seal TEXT DEFAULT '' NOT NULL,
	CONSTRAINT event_pk PRIMARY KEY (revision, n)
)
--------
CREATE INDEX event_at ON event (at)
--------
CREATE INDEX event_service ON event (namespace, service, revision) WHERE service IS NOT NULL
--------
CREATE INDEX event_address ON event (address, revision) WHERE address IS NOT NULL
--------
CREATE TABLE lease (
	id BIGINT NOT NULL,
	family SMALLINT NOT NULL,
	address TEXT NOT NULL,
	addr_key BYTEA NOT NULL,
	namespace TEXT NOT NULL,
	service TEXT NOT NULL,
	uid TEXT DEFAULT '' NOT NULL,
	pool TEXT DEFAULT '' NOT NULL,
	state TEXT NOT NULL,
	share_group TEXT NOT NULL,
	ports TEXT DEFAULT '' NOT NULL,
	was_requested BOOLEAN NOT NULL,
	until TIMESTAMP WITH TIME ZONE,
	note TEXT DEFAULT '' NOT NULL,
	valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
	valid_to TIMESTAMP WITH TIME ZONE,
	end_reason TEXT DEFAULT '' NOT NULL,
	revision BIGINT NOT NULL,
	end_revision BIGINT,
	CONSTRAINT lease_pk PRIMARY KEY (id),
	CONSTRAINT lease_family_known CHECK (family IN (4, 6)),
	CONSTRAINT lease_key_fits_family CHECK (length(addr_key) = CASE family WHEN 4 THEN 5 ELSE 17 END),
	CONSTRAINT lease_state_known CHECK (state IN ('bound', 'held', 'cooling', 'declined')),
	CONSTRAINT lease_ends_after_it_begins CHECK (valid_to >= valid_from),
	CONSTRAINT lease_ends_in_a_revision CHECK ((valid_to IS NULL) = (end_revision IS NULL)),
	CONSTRAINT lease_exclusive EXCLUDE USING gist (address WITH =, share_group WITH <>) WHERE (valid_to IS NULL)
)
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
	id BIGINT NOT NULL,
	name TEXT NOT NULL,
	position INTEGER NOT NULL,
	auto_assign BOOLEAN NOT NULL,
	avoid_buggy BOOLEAN NOT NULL,
	priority INTEGER NOT NULL,
	zone TEXT DEFAULT '' NOT NULL,
	valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
	valid_to TIMESTAMP WITH TIME ZONE,
	revision BIGINT NOT NULL,
	CONSTRAINT pool_pk PRIMARY KEY (id)
)
--------
CREATE UNIQUE INDEX pool_open ON pool (name) WHERE valid_to IS NULL
--------
CREATE TABLE drained_pool (
	name TEXT NOT NULL,
	since TIMESTAMP WITH TIME ZONE NOT NULL,
	revision BIGINT NOT NULL,
	CONSTRAINT drained_pool_pk PRIMARY KEY (name)
)
--------
CREATE TABLE reservation (
	source TEXT NOT NULL,
	address TEXT NOT NULL,
	family SMALLINT NOT NULL,
	addr_key BYTEA NOT NULL,
	last TEXT DEFAULT '' NOT NULL,
	last_key BYTEA NOT NULL,
	namespace TEXT,
	service TEXT,
	note TEXT DEFAULT '' NOT NULL,
	revision BIGINT NOT NULL,
	CONSTRAINT reservation_pk PRIMARY KEY (source, address),
	CONSTRAINT reservation_family_known CHECK (family IN (4, 6)),
	CONSTRAINT reservation_key_fits_family CHECK (length(addr_key) = CASE family WHEN 4 THEN 5 ELSE 17 END),
	CONSTRAINT reservation_in_order CHECK (addr_key <= last_key)
)
--------
CREATE TABLE service (
	namespace TEXT NOT NULL,
	name TEXT NOT NULL,
	document TEXT NOT NULL,
	revision BIGINT NOT NULL,
	CONSTRAINT service_pk PRIMARY KEY (namespace, name)
)
--------
CREATE TABLE endpoints (
	namespace TEXT NOT NULL,
	name TEXT NOT NULL,
	document TEXT NOT NULL,
	revision BIGINT NOT NULL,
	CONSTRAINT endpoints_pk PRIMARY KEY (namespace, name)
)
--------
CREATE TABLE refusal (
	namespace TEXT NOT NULL,
	name TEXT NOT NULL,
	document TEXT NOT NULL,
	revision BIGINT NOT NULL,
	CONSTRAINT refusal_pk PRIMARY KEY (namespace, name)
)
--------
CREATE TABLE node (
	name TEXT NOT NULL,
	document TEXT NOT NULL,
	revision BIGINT NOT NULL,
	CONSTRAINT node_pk PRIMARY KEY (name)
)
--------
CREATE TABLE namespace (
	name TEXT NOT NULL,
	document TEXT NOT NULL,
	revision BIGINT NOT NULL,
	CONSTRAINT namespace_pk PRIMARY KEY (name)
)
--------
CREATE TABLE static_record (
	name TEXT NOT NULL,
	type TEXT NOT NULL,
	value TEXT NOT NULL,
	ttl INTEGER NOT NULL,
	revision BIGINT NOT NULL,
	CONSTRAINT static_record_pk PRIMARY KEY (name, type, value, ttl)
)
--------
CREATE TABLE configuration (
	revision BIGINT NOT NULL,
	digest TEXT NOT NULL,
	document TEXT NOT NULL,
	valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
	valid_to TIMESTAMP WITH TIME ZONE,
	CONSTRAINT configuration_pk PRIMARY KEY (revision)
)
--------
CREATE TABLE announcement (
	id BIGINT NOT NULL,
	family SMALLINT NOT NULL,
	address TEXT NOT NULL,
	addr_key BYTEA NOT NULL,
	node TEXT NOT NULL,
	mode TEXT NOT NULL,
	interface TEXT DEFAULT '' NOT NULL,
	peer TEXT DEFAULT '' NOT NULL,
	mac TEXT DEFAULT '' NOT NULL,
	valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
	valid_to TIMESTAMP WITH TIME ZONE,
	end_reason TEXT DEFAULT '' NOT NULL,
	CONSTRAINT announcement_pk PRIMARY KEY (id),
	CONSTRAINT announcement_family_known CHECK (family IN (4, 6)),
	CONSTRAINT announcement_key_fits_family CHECK (length(addr_key) = CASE family WHEN 4 THEN 5 ELSE 17 END),
	CONSTRAINT announcement_mode_known CHECK (mode IN ('layer2', 'bgp'))
)
--------
CREATE INDEX announcement_address ON announcement (address, valid_from)
--------
CREATE TABLE feed (
	revision BIGINT NOT NULL,
	writer TEXT NOT NULL,
	changed TEXT,
	CONSTRAINT feed_pk PRIMARY KEY (revision)
)
--------
CREATE TABLE leadership (
	one SMALLINT NOT NULL CONSTRAINT leadership_single_row CHECK (one = 1),
	instance TEXT NOT NULL,
	term BIGINT NOT NULL,
	since TIMESTAMP WITH TIME ZONE NOT NULL,
	CONSTRAINT leadership_pk PRIMARY KEY (one)
)
--------
CREATE TABLE checkpoint (
	revision BIGINT NOT NULL,
	through_revision BIGINT NOT NULL,
	through_n INTEGER NOT NULL,
	through_hash TEXT NOT NULL,
	before TIMESTAMP WITH TIME ZONE NOT NULL,
	events BIGINT NOT NULL,
	leases BIGINT NOT NULL,
	archive_sha256 TEXT DEFAULT '' NOT NULL,
	CONSTRAINT checkpoint_pk PRIMARY KEY (revision)
)
--------
CREATE TABLE meta (
	name TEXT NOT NULL,
	value TEXT NOT NULL,
	CONSTRAINT meta_pk PRIMARY KEY (name)
)
--------
CREATE TABLE lease_port (
	addr_key BYTEA NOT NULL,
	protocol TEXT NOT NULL,
	port INTEGER NOT NULL,
	lease_id BIGINT NOT NULL,
	CONSTRAINT lease_port_pk PRIMARY KEY (addr_key, protocol, port),
	CONSTRAINT lease_port_lease_id_known FOREIGN KEY(lease_id) REFERENCES lease (id)
)
--------
CREATE INDEX lease_port_lease ON lease_port (lease_id)
--------
CREATE TABLE pool_range (
	pool_id BIGINT NOT NULL,
	n INTEGER NOT NULL,
	is_excluded BOOLEAN NOT NULL,
	family SMALLINT NOT NULL,
	first TEXT NOT NULL,
	last TEXT NOT NULL,
	first_key BYTEA NOT NULL,
	last_key BYTEA NOT NULL,
	size DOUBLE PRECISION NOT NULL,
	first_number BIGINT,
	last_number BIGINT,
	CONSTRAINT pool_range_pk PRIMARY KEY (pool_id, n),
	CONSTRAINT pool_range_in_order CHECK (first_key <= last_key),
	CONSTRAINT pool_range_pool_id_known FOREIGN KEY(pool_id) REFERENCES pool (id)
)
--------
CREATE FUNCTION event_extends_head() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE tip head%ROWTYPE; many bigint; lowest integer; highest integer;
BEGIN
  SELECT * INTO STRICT tip FROM head FOR UPDATE;
  SELECT count(*), min(n), max(n) INTO many, lowest, highest FROM added;
  IF many = 0 THEN RETURN NULL; END IF;
  IF highest - lowest + 1 <> many
    OR lowest <> 1 + coalesce((SELECT max(n) FROM event WHERE revision = tip.revision AND n < lowest), 0)
    OR EXISTS (SELECT FROM (
         SELECT revision, at, prev_hash, lag(hash, 1, tip.hash) OVER (ORDER BY n) AS expected FROM added) AS chained
       WHERE revision <> tip.revision OR at <> tip.time OR prev_hash <> expected)
  THEN RAISE EXCEPTION 'event_extends_head: an event must continue the chain at head' USING ERRCODE = '23001', CONSTRAINT = 'event_extends_head'; END IF;
  UPDATE head SET hash = (SELECT hash FROM added WHERE n = highest);
  RETURN NULL;
END $$
--------
CREATE TRIGGER event_extends_head AFTER INSERT ON event REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION event_extends_head()
--------
CREATE FUNCTION event_no_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
RAISE EXCEPTION 'event_no_update: the log is never changed' USING ERRCODE = '23001', CONSTRAINT = 'event_no_update';
END $$
--------
CREATE TRIGGER event_no_update BEFORE UPDATE ON event FOR EACH ROW EXECUTE FUNCTION event_no_update()
--------
CREATE FUNCTION event_no_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
RAISE EXCEPTION 'event_no_truncate: the log is only shortened by a prune' USING ERRCODE = '23001', CONSTRAINT = 'event_no_truncate';
END $$
--------
CREATE TRIGGER event_no_truncate BEFORE TRUNCATE ON event FOR EACH STATEMENT EXECUTE FUNCTION event_no_truncate()
--------
CREATE FUNCTION event_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM checkpoint WHERE (through_revision, through_n) >= (OLD.revision, OLD.n))
  THEN RETURN OLD; END IF;
  RAISE EXCEPTION 'event_no_delete: the log is only shortened by a prune' USING ERRCODE = '23001', CONSTRAINT = 'event_no_delete';
END $$
--------
CREATE TRIGGER event_no_delete BEFORE DELETE ON event FOR EACH ROW EXECUTE FUNCTION event_no_delete()
--------
CREATE FUNCTION lease_closes_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.valid_to IS NULL AND NEW.valid_to IS NOT NULL
    AND (OLD.id, OLD.family, OLD.address, OLD.addr_key, OLD.namespace, OLD.service, OLD.uid, OLD.pool, OLD.state, OLD.share_group, OLD.ports, OLD.was_requested, OLD.until, OLD.note, OLD.valid_from, OLD.revision) IS NOT DISTINCT FROM (NEW.id, NEW.family, NEW.address, NEW.addr_key, NEW.namespace, NEW.service, NEW.uid, NEW.pool, NEW.state, NEW.share_group, NEW.ports, NEW.was_requested, NEW.until, NEW.note, NEW.valid_from, NEW.revision)
  THEN RETURN NEW; END IF;
  RAISE EXCEPTION 'lease_closes_once: a lease row is closed once and never changed' USING ERRCODE = '23001', CONSTRAINT = 'lease_closes_once';
END $$
--------
CREATE TRIGGER lease_closes_once BEFORE UPDATE ON lease FOR EACH ROW EXECUTE FUNCTION lease_closes_once()
--------
CREATE FUNCTION lease_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.valid_to IS NOT NULL AND EXISTS (SELECT FROM checkpoint WHERE before > OLD.valid_to)
  THEN RETURN OLD; END IF;
  RAISE EXCEPTION 'lease_no_delete: history is only shortened by a prune' USING ERRCODE = '23001', CONSTRAINT = 'lease_no_delete';
END $$
--------
CREATE TRIGGER lease_no_delete BEFORE DELETE ON lease FOR EACH ROW EXECUTE FUNCTION lease_no_delete()
--------
CREATE FUNCTION lease_no_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
RAISE EXCEPTION 'lease_no_truncate: history is only shortened by a prune' USING ERRCODE = '23001', CONSTRAINT = 'lease_no_truncate';
END $$
--------
CREATE TRIGGER lease_no_truncate BEFORE TRUNCATE ON lease FOR EACH STATEMENT EXECUTE FUNCTION lease_no_truncate()
--------
CREATE FUNCTION head_only_rises() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.revision < OLD.revision OR NEW.time < OLD.time OR NEW.last_lease < OLD.last_lease
    OR (NEW.hash <> OLD.hash
        AND NEW.hash IS DISTINCT FROM (SELECT hash FROM event ORDER BY revision DESC, n DESC LIMIT 1))
  THEN RAISE EXCEPTION 'head_only_rises: head only moves on, with the log' USING ERRCODE = '23001', CONSTRAINT = 'head_only_rises'; END IF;
  RETURN NEW;
END $$
--------
CREATE TRIGGER head_only_rises BEFORE UPDATE ON head FOR EACH ROW EXECUTE FUNCTION head_only_rises()
--------
CREATE FUNCTION head_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
RAISE EXCEPTION 'head_no_delete: there is one row' USING ERRCODE = '23001', CONSTRAINT = 'head_no_delete';
END $$
--------
CREATE TRIGGER head_no_delete BEFORE DELETE ON head FOR EACH ROW EXECUTE FUNCTION head_no_delete()
--------
CREATE FUNCTION head_no_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
RAISE EXCEPTION 'head_no_truncate: there is one row' USING ERRCODE = '23001', CONSTRAINT = 'head_no_truncate';
END $$
--------
CREATE TRIGGER head_no_truncate BEFORE TRUNCATE ON head FOR EACH STATEMENT EXECUTE FUNCTION head_no_truncate()
--------
CREATE FUNCTION head_tells() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('suite_head', '');
  RETURN NULL;
END $$
--------
CREATE TRIGGER head_tells AFTER UPDATE ON head FOR EACH STATEMENT EXECUTE FUNCTION head_tells()
--------
CREATE FUNCTION checkpoint_is_true() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.revision <= NEW.through_revision
    OR EXISTS (SELECT FROM checkpoint WHERE revision >= NEW.revision)
    OR NOT EXISTS (SELECT FROM event WHERE revision = NEW.revision AND action = 'pruned')
    OR NOT EXISTS (SELECT FROM event
                   WHERE revision = NEW.through_revision AND n = NEW.through_n AND hash = NEW.through_hash)
  THEN RAISE EXCEPTION 'checkpoint_is_true: a checkpoint names the last pruned event and the event that says so' USING ERRCODE = '23001', CONSTRAINT = 'checkpoint_is_true'; END IF;
  RETURN NEW;
END $$
--------
CREATE TRIGGER checkpoint_is_true BEFORE INSERT ON checkpoint FOR EACH ROW EXECUTE FUNCTION checkpoint_is_true()
--------
CREATE FUNCTION checkpoint_no_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
RAISE EXCEPTION 'checkpoint_no_update: a checkpoint is never changed' USING ERRCODE = '23001', CONSTRAINT = 'checkpoint_no_update';
END $$
--------
CREATE TRIGGER checkpoint_no_update BEFORE UPDATE ON checkpoint FOR EACH ROW EXECUTE FUNCTION checkpoint_no_update()
--------
CREATE FUNCTION checkpoint_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
RAISE EXCEPTION 'checkpoint_no_delete: a checkpoint is never removed' USING ERRCODE = '23001', CONSTRAINT = 'checkpoint_no_delete';
END $$
--------
CREATE TRIGGER checkpoint_no_delete BEFORE DELETE ON checkpoint FOR EACH ROW EXECUTE FUNCTION checkpoint_no_delete()
--------
CREATE FUNCTION checkpoint_no_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
RAISE EXCEPTION 'checkpoint_no_truncate: a checkpoint is never removed' USING ERRCODE = '23001', CONSTRAINT = 'checkpoint_no_truncate';
END $$
--------
CREATE TRIGGER checkpoint_no_truncate BEFORE TRUNCATE ON checkpoint FOR EACH STATEMENT EXECUTE FUNCTION checkpoint_no_truncate()
--------
CREATE VIEW lease_current AS
SELECT address, namespace, service, state, pool, family, ports, share_group, was_requested, until, note,
  valid_from, uid, revision, id, addr_key
FROM lease WHERE valid_to IS NULL
--------
CREATE VIEW lease_history AS
SELECT address, namespace, service, state, valid_from, valid_to, round(extract(epoch FROM coalesce(valid_to, now()) - valid_from)::numeric, 3) AS seconds, end_reason, pool, family,
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
  CAST(NULL AS timestamptz), CAST(NULL AS timestamptz), note, family, addr_key
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
