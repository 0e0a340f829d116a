"""Sessions that end.

Logging out increments users.session_generation, which every session names in its mark.

Revision ID: 0010
Revises: 0009
Create Date: 2026-11-26 02:30:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None


def upgrade():
    # SQLite adds and drops the column in place. Recreating `users` would delete its rows' children.
    op.add_column('users', sa.Column('session_generation', sa.Integer(), server_default=sa.text('0'), nullable=False))


def downgrade():
    op.drop_column('users', 'session_generation')
