"""What the whole contract keeps: logs, policies, the curves of ended trials."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("iam_policy", sa.JSON(), nullable=True))
    op.add_column("jobs", sa.Column("iam_version", sa.Integer(), server_default="0", nullable=False))
    op.add_column("trials", sa.Column("curve", sa.Text(), nullable=True))
    op.add_column("attempts", sa.Column("log_cursor", sa.JSON(), nullable=True))
    op.create_table(
        "log_entries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("project", sa.String(length=100), nullable=False),
        sa.Column("job_pk", sa.Integer(), nullable=False),
        sa.Column("time_ns", sa.BigInteger(), nullable=False),
        sa.Column("task_name", sa.String(length=64), nullable=False),
        sa.Column("trial", sa.Integer(), nullable=True),
        sa.Column("severity", sa.String(length=16), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job_pk"], ["jobs.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("log_entries_of_job", "log_entries", ["job_pk", "time_ns", "id"])
    op.create_index("log_entries_of_project", "log_entries", ["project", "time_ns", "id"])
    if op.get_bind().dialect.name == "postgresql":
        # A seed has 32 bits and no sign. SQLite's integers are wide enough as they are.
        for table in ("jobs", "decisions"):
            op.alter_column(table, "seed", type_=sa.BigInteger())


def downgrade() -> None:
    op.drop_table("log_entries")
    for table, column in (
        ("attempts", "log_cursor"),
        ("trials", "curve"),
        ("jobs", "iam_version"),
        ("jobs", "iam_policy"),
    ):
        op.drop_column(table, column)
    if op.get_bind().dialect.name == "postgresql":
        for table in ("jobs", "decisions"):
            op.alter_column(table, "seed", type_=sa.Integer())
