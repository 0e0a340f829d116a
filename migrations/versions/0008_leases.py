"""Leases.

The claim, lease and attempts of background work move from Redis into run_blocks. Every run that a worker may still have
to do, or that a user may retry, needs a block; runs.attempt and runs.heard_at go.

Revision ID: 0008
Revises: 0007
Create Date: 2026-11-25 20:40:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None

LONG_AGO = sa.text("'2000-01-01 00:00:00+00:00'")


def upgrade():
    # SQLite adds and drops these columns in place. Recreating `runs` would delete its blocks by their foreign key.
    op.add_column('run_blocks', sa.Column('attempts', sa.Integer(), server_default=sa.text('0'), nullable=False))
    due_at = sa.Column('due_at', sa.DateTime(timezone=True), server_default=LONG_AGO, nullable=False)
    op.add_column('run_blocks', due_at)
    op.add_column('run_blocks', sa.Column('claimed_by', sa.String(length=36), nullable=True))
    op.add_column('run_blocks', sa.Column('heartbeat_at', sa.DateTime(timezone=True), nullable=True))
    # Empty JSON text is cast by PostgreSQL and stored as it is by SQLite.
    op.execute(
        "INSERT INTO run_blocks (run_id, number, user_ids, size, state) SELECT id, 0, '[]', 0, 'queued' FROM runs "
        "WHERE state <> 'finished' AND NOT EXISTS (SELECT 1 FROM run_blocks WHERE run_blocks.run_id = runs.id)"
    )
    op.drop_column('runs', 'heard_at')
    op.drop_column('runs', 'attempt')


def downgrade():
    op.add_column('runs', sa.Column('attempt', sa.Integer(), server_default=sa.text('1'), nullable=False))
    heard_at = sa.Column('heard_at', sa.DateTime(timezone=True), server_default=LONG_AGO, nullable=False)
    op.add_column('runs', heard_at)
    op.execute('DELETE FROM run_blocks WHERE number = 0')
    op.execute("UPDATE run_blocks SET state = 'queued' WHERE state = 'running'")
    for column in ('heartbeat_at', 'claimed_by', 'due_at', 'attempts'):
        op.drop_column('run_blocks', column)
