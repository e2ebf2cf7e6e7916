"""Which ended jobs have been cleared of what."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("cleared", sa.String(length=16)))
    op.create_index("jobs_to_clear", "jobs", ["cleared", "end_time"])


def downgrade() -> None:
    op.drop_index("jobs_to_clear", "jobs")
    op.drop_column("jobs", "cleared")
