"""An index of users whose list is older than their ratings.

A worker finds the lists by this index that were not refreshed when the site failed after a rating.

Revision ID: 0007
Revises: 0006
Create Date: 2026-11-24 17:55:12.806143

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None

BEHIND = sa.text('list_rating_generation <> rating_generation')


def upgrade():
    op.create_index('ix_users_list_behind', 'users', ['id'], unique=False, sqlite_where=BEHIND, postgresql_where=BEHIND)


def downgrade():
    op.drop_index('ix_users_list_behind', 'users')
