"""Several MovieLens ids of one movie.

Revision ID: 0012
Revises: 0011
Create Date: 2026-11-26 04:40:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        'movie_aliases',
        sa.Column('movielens_id', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('movie_id', sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ['movie_id'], ['movies.id'], name=op.f('fk_movie_aliases_movie_id_movies'), ondelete='CASCADE'
        ),
        sa.PrimaryKeyConstraint('movielens_id', name=op.f('pk_movie_aliases')),
    )
    op.create_index(op.f('ix_movie_aliases_movie_id'), 'movie_aliases', ['movie_id'])


def downgrade():
    op.drop_table('movie_aliases')
