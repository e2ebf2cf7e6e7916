"""What the platform lets a job's trials wait for."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("platform_waits", sa.Text()))


def downgrade() -> None:
    op.drop_column("jobs", "platform_waits")
