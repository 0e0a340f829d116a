"""Ids of accounts.

Users who get their id from the database start at 1,000,000,000; the ids below belong to imported data. Accounts that
exist keep their ids, and no id is given out twice.

Revision ID: 0009
Revises: 0008
Create Date: 2026-11-26 02:10:00

"""
from alembic import op


# revision identifiers, used by Alembic.
revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None


def upgrade():
    if op.get_context().dialect.name == 'postgresql':
        # START is what TRUNCATE … RESTART IDENTITY goes back to.
        op.execute('ALTER SEQUENCE users_id_seq START WITH 1000000000')
        op.execute(
            "SELECT setval('users_id_seq', "
            'greatest(999999999, CASE WHEN is_called THEN last_value END, (SELECT max(id) FROM users))) '
            'FROM users_id_seq'
        )
        return
    # AUTOINCREMENT keeps its row from the first insert on.
    op.execute(
        "INSERT INTO sqlite_sequence (name, seq) SELECT 'users', 999999999 "
        "WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'users')"
    )
    op.execute("UPDATE sqlite_sequence SET seq = max(seq, 999999999) WHERE name = 'users'")


def downgrade():
    # The counter stays where it is: an id that was given out must not be given out again.
    if op.get_context().dialect.name == 'postgresql':
        op.execute('ALTER SEQUENCE users_id_seq START WITH 1')
