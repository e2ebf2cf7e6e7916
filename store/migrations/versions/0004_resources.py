"""What attempts have been given of the machine, and since when jobs wait for it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attempts", sa.Column("resources", sa.JSON()))
    op.add_column("jobs", sa.Column("waiting", sa.JSON()))


def downgrade() -> None:
    op.drop_column("jobs", "waiting")
    op.drop_column("attempts", "resources")
