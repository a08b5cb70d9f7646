"""BGP sessions from when until when, and the prefix by which an address was announced."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SHAPE = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z"

SQLITE = f"""CREATE TABLE bgp_session (
	id INTEGER NOT NULL,
	node TEXT NOT NULL,
	peer TEXT NOT NULL,
	address TEXT NOT NULL,
	state TEXT NOT NULL,
	asn INTEGER,
	identifier TEXT DEFAULT '' NOT NULL,
	why TEXT DEFAULT '' NOT NULL,
	valid_from TEXT NOT NULL,
	valid_to TEXT,
	CONSTRAINT bgp_session_pk PRIMARY KEY (id),
	CONSTRAINT bgp_session_state_known CHECK (state IN ('up', 'down')),
	CONSTRAINT bgp_session_valid_from_is_utc CHECK (valid_from GLOB '{SHAPE}'),
	CONSTRAINT bgp_session_valid_to_is_utc CHECK (valid_to GLOB '{SHAPE}')
)
 STRICT"""

POSTGRESQL = """CREATE TABLE bgp_session (
	id BIGINT NOT NULL,
	node TEXT NOT NULL,
	peer TEXT NOT NULL,
	address TEXT NOT NULL,
	state TEXT NOT NULL,
	asn BIGINT,
	identifier TEXT DEFAULT '' NOT NULL,
	why TEXT DEFAULT '' NOT NULL,
	valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
	valid_to TIMESTAMP WITH TIME ZONE,
	CONSTRAINT bgp_session_pk PRIMARY KEY (id),
	CONSTRAINT bgp_session_state_known CHECK (state IN ('up', 'down'))
)"""


def upgrade() -> None:
    """Create the table and its index, and the new column."""
    connection = op.get_bind()
    connection.exec_driver_sql(SQLITE if connection.dialect.name == "sqlite" else POSTGRESQL)
    op.create_index("bgp_session_node", "bgp_session", ["node", "peer", "valid_from"])
    connection.exec_driver_sql("ALTER TABLE announcement ADD COLUMN prefix TEXT DEFAULT '' NOT NULL")


def downgrade() -> None:
    """Remove them, and what they told of the past."""
    op.get_bind().exec_driver_sql("ALTER TABLE announcement DROP COLUMN prefix")
    op.drop_table("bgp_session")
