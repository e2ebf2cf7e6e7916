"""Places in the queue, and the jobs that run, without a look at every job."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("jobs_by_state", "jobs", ["state", "id"])


def downgrade() -> None:
    op.drop_index("jobs_by_state", "jobs")
