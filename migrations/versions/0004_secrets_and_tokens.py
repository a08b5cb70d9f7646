"""Secrets that the suite makes for itself, and the tokens by which followers and programs are known.

A database of an older release gets its first heartbeat key here; a new one gets it when it is made.
"""

import secrets
from datetime import UTC, datetime

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SHAPE = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z"

SQLITE = (
    f"""CREATE TABLE secret (
	name TEXT NOT NULL,
	place INTEGER NOT NULL,
	value TEXT NOT NULL,
	since TEXT NOT NULL,
	CONSTRAINT secret_pk PRIMARY KEY (name, place),
	CONSTRAINT secret_since_is_utc CHECK (since GLOB '{SHAPE}')
)
 WITHOUT ROWID,
 STRICT""",
    f"""CREATE TABLE token (
	id TEXT NOT NULL,
	name TEXT NOT NULL,
	scopes TEXT NOT NULL,
	node TEXT DEFAULT '' NOT NULL,
	hash TEXT NOT NULL,
	created TEXT NOT NULL,
	created_by TEXT NOT NULL,
	expires TEXT,
	revoked TEXT,
	CONSTRAINT token_pk PRIMARY KEY (id),
	CONSTRAINT token_created_is_utc CHECK (created GLOB '{SHAPE}'),
	CONSTRAINT token_expires_is_utc CHECK (expires GLOB '{SHAPE}'),
	CONSTRAINT token_revoked_is_utc CHECK (revoked GLOB '{SHAPE}')
)
 WITHOUT ROWID,
 STRICT""",
)

POSTGRESQL = (
    """CREATE TABLE secret (
	name TEXT NOT NULL,
	place INTEGER NOT NULL,
	value TEXT NOT NULL,
	since TIMESTAMP WITH TIME ZONE NOT NULL,
	CONSTRAINT secret_pk PRIMARY KEY (name, place)
)""",
    """CREATE TABLE token (
	id TEXT NOT NULL,
	name TEXT NOT NULL,
	scopes TEXT NOT NULL,
	node TEXT DEFAULT '' NOT NULL,
	hash TEXT NOT NULL,
	created TIMESTAMP WITH TIME ZONE NOT NULL,
	created_by TEXT NOT NULL,
	expires TIMESTAMP WITH TIME ZONE,
	revoked TIMESTAMP WITH TIME ZONE,
	CONSTRAINT token_pk PRIMARY KEY (id)
)""",
)


def upgrade() -> None:
    """Create the tables, and the first key."""
    connection = op.get_bind()
    is_sqlite = connection.dialect.name == "sqlite"
    for statement in SQLITE if is_sqlite else POSTGRESQL:
        connection.exec_driver_sql(statement)
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%fZ")
    connection.exec_driver_sql(
        f"INSERT INTO secret (name, place, value, since) VALUES ('heartbeat', 0, '{secrets.token_hex(32)}', '{now}')"  # noqa: S608 - hex and a time
    )


def downgrade() -> None:
    """Remove them: followers need new tokens after the next upgrade, and the speakers a new key."""
    op.drop_table("token")
    op.drop_table("secret")
