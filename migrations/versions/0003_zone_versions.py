"""What each serial of a DNS zone stood for, so that every server and every start serves equal content under equal serials."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the table and its index."""
    op.create_table(
        "zone_version",
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("serial", BIG, nullable=False),
        sa.Column("revision", BIG, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("old_serial", BIG),
        sa.Column("difference", sa.Text, nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("origin", "serial", name="zone_version_pk"),
        sqlite_strict=True,
    )
    op.create_index("zone_version_revision", "zone_version", ["origin", "revision"])


def downgrade() -> None:
    """Remove it; secondaries transfer each zone whole after the next upgrade."""
    op.drop_table("zone_version")
