"""The first tables: jobs, trials, attempts, measurements, decisions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project", sa.String(length=100), nullable=False),
        sa.Column("job_id", sa.String(length=128), nullable=False),
        sa.Column("training_input", sa.JSON(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("hyperparameters", sa.JSON(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("create_time", sa.Double(), nullable=False),
        sa.Column("start_time", sa.Double(), nullable=True),
        sa.Column("running_time", sa.Double(), nullable=True),
        sa.Column("end_time", sa.Double(), nullable=True),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("previous_id", sa.Integer(), nullable=True),
        sa.Column("finished_trials", sa.Integer(), nullable=False),
        sa.Column("next_check_at", sa.Double(), nullable=True),
        sa.Column("lease_owner", sa.String(length=100), nullable=True),
        sa.Column("lease_expires_at", sa.Double(), nullable=True),
        sa.Column("lease_fence", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["previous_id"],
            ["jobs.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project", "job_id"),
    )
    op.create_index("jobs_due", "jobs", ["next_check_at"], unique=False)
    op.create_index("jobs_newest_first", "jobs", ["project", "id"], unique=False)
    op.create_table(
        "decisions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job_pk", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("algorithm", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("known", sa.JSON(), nullable=False),
        sa.Column("outcome", sa.JSON(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("create_time", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_pk"],
            ["jobs.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("decisions_of_job", "decisions", ["job_pk", "id"], unique=False)
    op.create_table(
        "trials",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job_pk", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("stopped_early", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("start_time", sa.Double(), nullable=False),
        sa.Column("end_time", sa.Double(), nullable=True),
        sa.Column("finish_order", sa.Integer(), nullable=True),
        sa.Column("final_step", sa.BigInteger(), nullable=True),
        sa.Column("final_value", sa.Double(), nullable=True),
        sa.Column("tags", sa.JSON(), nullable=True),
        sa.Column("cursor", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(
            ["job_pk"],
            ["jobs.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("job_pk", "number"),
    )
    op.create_index("trials_in_order_of_end", "trials", ["job_pk", "finish_order"], unique=False)
    op.create_table(
        "attempts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job_pk", sa.Integer(), nullable=False),
        sa.Column("trial_pk", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("stop_reason", sa.String(length=16), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("failure_class", sa.String(length=16), nullable=True),
        sa.Column("evidence", sa.JSON(), nullable=True),
        sa.Column("start_time", sa.Double(), nullable=False),
        sa.Column("end_time", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["job_pk"],
            ["jobs.id"],
        ),
        sa.ForeignKeyConstraint(
            ["trial_pk"],
            ["trials.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("trial_pk", "number"),
    )
    op.create_index("attempts_by_state", "attempts", ["state"], unique=False)
    op.create_index("attempts_live", "attempts", ["job_pk", "state"], unique=False)
    op.create_table(
        "measurements",
        sa.Column("trial_pk", sa.Integer(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("wall_time", sa.Double(), nullable=False),
        sa.Column("source", sa.Integer(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("special", sa.String(length=9), nullable=True),
        sa.ForeignKeyConstraint(
            ["trial_pk"],
            ["trials.id"],
        ),
        sa.PrimaryKeyConstraint("trial_pk", "step", "wall_time", "source"),
    )


def downgrade() -> None:
    op.drop_table("measurements")
    op.drop_index("attempts_live", table_name="attempts")
    op.drop_index("attempts_by_state", table_name="attempts")
    op.drop_table("attempts")
    op.drop_index("trials_in_order_of_end", table_name="trials")
    op.drop_table("trials")
    op.drop_index("decisions_of_job", table_name="decisions")
    op.drop_table("decisions")
    op.drop_index("jobs_newest_first", table_name="jobs")
    op.drop_index("jobs_due", table_name="jobs")
    op.drop_table("jobs")
