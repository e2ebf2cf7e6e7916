"""Runs the migrations inside the connection that `Database.upgrade` hands over."""

from alembic import context

from store.models import Base

connection = context.config.attributes["connection"]
# SQLite can't alter a column in place; batch mode copies the table instead.
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
