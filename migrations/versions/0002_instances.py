"""Which programs run on this database: one row for each role of each, beside the leases and without a revision."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SQLITE = """CREATE TABLE instance (
	process INTEGER NOT NULL,
	role TEXT NOT NULL,
	node TEXT NOT NULL,
	pid INTEGER NOT NULL,
	version TEXT NOT NULL,
	epoch TEXT NOT NULL,
	revision INTEGER NOT NULL,
	reasons TEXT NOT NULL,
	notes TEXT NOT NULL,
	since TEXT NOT NULL,
	gone TEXT,
	CONSTRAINT instance_pk PRIMARY KEY (process, role),
	CONSTRAINT instance_since_is_utc CHECK (since GLOB '{time}'),
	CONSTRAINT instance_gone_is_utc CHECK (gone GLOB '{time}')
)
 WITHOUT ROWID,
 STRICT""".format(
    time="[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z"
)

POSTGRESQL = """CREATE TABLE instance (
	process BIGINT NOT NULL,
	role TEXT NOT NULL,
	node TEXT NOT NULL,
	pid BIGINT NOT NULL,
	version TEXT NOT NULL,
	epoch TEXT NOT NULL,
	revision BIGINT NOT NULL,
	reasons TEXT NOT NULL,
	notes TEXT NOT NULL,
	since TIMESTAMP WITH TIME ZONE NOT NULL,
	gone TIMESTAMP WITH TIME ZONE,
	CONSTRAINT instance_pk PRIMARY KEY (process, role)
)"""


def upgrade() -> None:
    """Create the table."""
    connection = op.get_bind()
    connection.exec_driver_sql(SQLITE if connection.dialect.name == "sqlite" else POSTGRESQL)


def downgrade() -> None:
    """Remove it; programs that run make their rows again after the next upgrade."""
    op.drop_table("instance")
