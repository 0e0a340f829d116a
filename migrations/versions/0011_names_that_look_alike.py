"""Names that look alike.

users.name_key is equal for names that differ in case, in the form of their characters, or in letters that look alike.
Of accounts whose names look alike already, the first keeps the key; the others have none and log in by their exact names.

Revision ID: 0011
Revises: 0010
Create Date: 2026-11-26 02:35:00

"""
import unicodedata

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None

LOOK_LIKE_LATIN = str.maketrans('авеікмнорсѕтухјһԁαινορυκ', 'abeikmhopcstyxjhdaivopuk')

users = sa.table('users', sa.column('id'), sa.column('username'), sa.column('name_key'))


def upgrade():
    # SQLite adds the column in place. Recreating `users` would delete its rows' children.
    op.add_column('users', sa.Column('name_key', sa.String(length=500), nullable=True))
    op.create_index(op.f('uq_users_name_key'), 'users', ['name_key'], unique=True)
    if op.get_context().as_sql:
        return
    connection = op.get_bind()
    # Imported users have names that no account can take, and there are many of them.
    accounts = sa.select(users.c.id, users.c.username).where(~users.c.username.like('user-%')).order_by(users.c.id)
    keys = {}
    for user_id, name in connection.execute(accounts).all():
        keys.setdefault(key_of(name), user_id)
    for key, user_id in keys.items():
        connection.execute(users.update().where(users.c.id == user_id).values(name_key=key))


def key_of(name):
    folded = unicodedata.normalize('NFKC', name).casefold().translate(LOOK_LIKE_LATIN)
    return unicodedata.normalize('NFKC', folded)


def downgrade():
    op.drop_index(op.f('uq_users_name_key'), table_name='users')
    op.drop_column('users', 'name_key')
