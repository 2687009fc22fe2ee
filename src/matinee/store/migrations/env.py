"""Run by Alembic with the connection, and the transaction, of whoever opens the store."""

from __future__ import annotations

from alembic import context

from matinee.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
context.run_migrations()
