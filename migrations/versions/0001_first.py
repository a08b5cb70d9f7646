"""The first schema: everything in the two files of SQL beside this one, one per database, frozen as it was released.

Statements are separated by a line of dashes, because bodies of triggers hold semicolons.
"""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

FOLDER = Path(__file__).parent
SEPARATOR = "\n--------\n"


def upgrade() -> None:
    """Create tables, guards and views."""
    _run("up")


def downgrade() -> None:
    """Remove all of it: the database is empty afterwards, the log included."""
    _run("down")


def _run(direction: str) -> None:
    connection = op.get_bind()
    script = (FOLDER / f"0001_{connection.dialect.name}_{direction}.sql").read_text(encoding="utf-8")
    for statement in script.split(SEPARATOR):
        connection.exec_driver_sql(
            statement.replace("%", "%%") if connection.dialect.name == "postgresql" else statement
        )
