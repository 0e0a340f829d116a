"""Sites that bring their own users and movies.

users.site_id and movies.site_id are the site's own ids, movies.link is the movie's page on the site. An API token may
belong to the site instead of a user: it then has a label and scopes, and may expire.

Revision ID: 0013
Revises: 0012
Create Date: 2026-11-26 04:50:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None


def upgrade():
    # SQLite adds the columns in place. Recreating `users` and `movies` would delete their rows' children.
    op.add_column('users', sa.Column('site_id', sa.String(length=200), nullable=True))
    op.create_index(op.f('uq_users_site_id'), 'users', ['site_id'], unique=True)
    op.add_column('movies', sa.Column('site_id', sa.String(length=200), nullable=True))
    op.create_index(op.f('uq_movies_site_id'), 'movies', ['site_id'], unique=True)
    op.add_column('movies', sa.Column('link', sa.String(length=1000), nullable=True))
    op.create_index(op.f('ix_movies_imdb_id'), 'movies', ['imdb_id'])
    # Nothing refers to api_tokens, so SQLite may recreate it.
    with op.batch_alter_table('api_tokens', schema=None) as batch_op:
        batch_op.add_column(sa.Column('label', sa.String(length=100), nullable=True))
        batch_op.add_column(sa.Column('scopes', sa.String(length=200), nullable=True))
        batch_op.add_column(sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('last_used_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.alter_column('user_id', existing_type=sa.Integer(), nullable=True)
        batch_op.create_check_constraint(
            op.f('ck_api_tokens_user_or_scopes'), '(user_id IS NULL) = (scopes IS NOT NULL)'
        )


def downgrade():
    # A token of the site would act as nobody.
    op.execute('DELETE FROM api_tokens WHERE user_id IS NULL')
    with op.batch_alter_table('api_tokens', schema=None) as batch_op:
        batch_op.drop_constraint(op.f('ck_api_tokens_user_or_scopes'), type_='check')
        batch_op.alter_column('user_id', existing_type=sa.Integer(), nullable=False)
        for name in ('last_used_at', 'expires_at', 'scopes', 'label'):
            batch_op.drop_column(name)
    op.drop_index(op.f('ix_movies_imdb_id'), table_name='movies')
    op.drop_column('movies', 'link')
    op.drop_index(op.f('uq_movies_site_id'), table_name='movies')
    op.drop_column('movies', 'site_id')
    op.drop_index(op.f('uq_users_site_id'), table_name='users')
    op.drop_column('users', 'site_id')
