"""What the history of the site keeps about a deleted account."""

import pytest

from recsite import accounts, suggestions
from recsite.accounts import erasure, user_admin
from recsite.extensions import db
from recsite.storage import audit
from recsite.storage.tables import Run, User
from tests.conftest import PASSWORD, World
from tests.ratings.changes import rate

pytestmark = pytest.mark.both_databases


def test_entries_about_another_user_stay_when_an_account_named_like_their_id_is_deleted(world: World) -> None:
    user_admin.set_admin(world.bob, True, "root")
    before = [(entry.label, entry.before, entry.after) for entry in audit.latest(9)]
    visitor = accounts.create_user(str(world.bob), password=PASSWORD)

    erasure.erase(visitor.id)

    db.session.expire_all()
    assert before == [("bob", {"admin": False}, {"admin": True})]
    assert [(entry.label, entry.before, entry.after) for entry in audit.latest(9)] == before


def test_entries_about_the_user_keep_what_the_admin_did_without_name_and_ratings(erin: User) -> None:
    user_id, name = erin.id, erin.username
    accounts.create_token(erin)
    rate(user_id, 949, 2.0)
    user_admin.revoke_tokens(user_id, "root")
    suggestions.remove_rating(user_id, 949, "root")

    erasure.erase(user_id, "root")

    db.session.expire_all()
    entries = [entry for entry in audit.latest(9) if entry.kind == "user"]
    kept = [(entry.action, entry.label, entry.before, entry.after) for entry in entries]
    label = f"deleted user {user_id}"
    assert kept == [
        ("delete user", label, {}, {}),
        ("remove rating", label, {}, {}),
        ("revoke tokens", label, {"tokens": 1}, {"tokens": 0}),
    ]
    assert name not in str(kept)


def test_a_run_that_the_user_cancelled_keeps_no_name(erin: User) -> None:
    run = Run(kind="train", asked_by="root", state="cancelled", error="Cancelled by erin.")
    other = Run(kind="train", asked_by="root", state="cancelled", error="Cancelled by erine.")
    db.session.add_all((run, other))
    db.session.commit()

    erasure.erase(erin.id)

    db.session.expire_all()
    assert run.error.startswith("Cancelled by deleted user 1")
    assert other.error == "Cancelled by erine."
