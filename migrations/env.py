"""Alembic's entry: runs the migrations on the engine that ``suite.store.schema`` hands over, or on ``-x url=URL``.

People need not call Alembic; ``suite db upgrade`` does. For work on the schema:
``alembic -x url=sqlite:////tmp/x.db check`` says whether the tables of ``suite.store.tables`` and the migrations agree.
"""

from alembic import context

from suite.store.database import Database
from suite.store.engine import open_database
from suite.store.tables import metadata


def _database() -> Database:
    given: Database | None = context.config.attributes.get("database")
    return given or open_database(context.get_x_argument(as_dictionary=True)["url"])


def _run() -> None:
    """All steps in one transaction, so that a failed upgrade leaves the database as it was."""
    database = _database()
    with database.writing() as tx:
        if not tx.is_sqlite:
            tx.execute("SELECT pg_advisory_xact_lock(7883001)")
        context.configure(
            connection=tx.connection, target_metadata=metadata, compare_type=True, transactional_ddl=True,
            render_as_batch=True,
        )  # fmt: skip
        context.run_migrations()


_run()
