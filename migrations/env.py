"""Alembic's environment: it runs migrations on the app's database, in the app context that `flask db …` pushes."""

from typing import Any

import sqlalchemy as sa
from alembic import context
from flask import current_app

from recsite.storage.tables import UTCDateTime

migrate = current_app.extensions["migrate"]


def render_item(kind: str, item: Any, _autogen: Any) -> str | bool:
    """Return the database type in place of recsite's own, so that migrations outlive that class."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UTCDateTime) else False


def leave_out_if_empty(_context: Any, _revision: Any, directives: list[Any]) -> None:
    """Write no file when the models and the database agree."""
    options = context.config.cmd_opts
    if options and getattr(options, "autogenerate", False) and directives[0].upgrade_ops.is_empty():
        directives[:] = []


def run(connection: sa.Connection | None) -> None:
    """Run the migrations on this connection, or print their SQL when there is none."""
    options = {"process_revision_directives": leave_out_if_empty, **migrate.configure_args}
    if connection is None:
        url = migrate.db.engine.url.render_as_string(hide_password=False)
        options |= {"url": url, "literal_binds": True}
    context.configure(connection=connection, target_metadata=migrate.db.metadata, render_item=render_item, **options)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    run(None)
else:
    with migrate.db.engine.connect() as connection:
        run(connection)
