"""No index of suggestions by movie.

The index took two thirds of the time of an upsert on SQLite, and only a change of a movie's id used it.

Revision ID: 0006
Revises: 0005
Create Date: 2026-11-24 00:34:10.224170

"""
from alembic import op


# revision identifiers, used by Alembic.
revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table('suggestions', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_suggestions_movie_id'))


def downgrade():
    with op.batch_alter_table('suggestions', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_suggestions_movie_id'), ['movie_id'], unique=False)
