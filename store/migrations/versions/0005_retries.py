"""When an attempt that follows a failed one may start."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attempts", sa.Column("not_before", sa.Double()))


def downgrade() -> None:
    op.drop_column("attempts", "not_before")
