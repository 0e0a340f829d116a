"""Users by the site's own ids: which ids there may be, look-up and creation."""

import pytest
from flask import Flask

from recsite.accounts import erasure, personal_data, site_ids
from recsite.errors import InvalidInput
from recsite.extensions import db
from recsite.storage.tables import FIRST_ACCOUNT_ID, User
from tests.conftest import World

pytestmark = pytest.mark.both_databases


@pytest.mark.parametrize("site_id", ("cust-42", "7", "a" * 200, "ann@example.org", "urn:x:1_b.c"))
def test_a_site_may_use_these_ids(site_id: str) -> None:
    site_ids.check(site_id)


@pytest.mark.parametrize("site_id", ("", "a" * 201, "a b", "é", "x/y", "x\n", "\0", "x,y", "x|y"))
def test_a_site_may_not_use_these_ids(site_id: str) -> None:
    with pytest.raises(InvalidInput, match="user must be 1 to 200 characters"):
        site_ids.check(site_id)


def test_a_user_is_created_once_and_found_again(app: Flask, world: World) -> None:
    created = site_ids.find_or_add_user_ids(["cust-42", "cust-7", "cust-42"])
    db.session.commit()

    again = site_ids.find_or_add_user_ids(["cust-7", "cust-8", "cust-42"])
    db.session.commit()

    assert created.keys() == {"cust-42", "cust-7"}
    assert again.keys() == {"cust-42", "cust-7", "cust-8"}
    assert {again[name] for name in created} == set(created.values())
    assert site_ids.find_user_ids(["cust-42", "nobody"]) == {"cust-42": created["cust-42"]}
    assert (site_ids.find_user_id("cust-8"), site_ids.find_user_id("nobody")) == (again["cust-8"], None)


def test_a_created_user_is_an_account_that_nobody_can_log_in_to(app: Flask, world: World) -> None:
    user_id = site_ids.find_or_add_user_ids(["cust-42"])["cust-42"]
    db.session.commit()

    user = db.session.get_one(User, user_id)
    assert user_id >= FIRST_ACCOUNT_ID
    assert (user.username, user.site_id, user.password_hash, user.is_admin) == (
        f"user-{user_id}",
        "cust-42",
        None,
        False,
    )
    assert user.created_at is not None


def test_thousands_are_created_at_once(app: Flask, world: World) -> None:
    names = [f"cust-{number}" for number in range(12_000)]

    found = site_ids.find_or_add_user_ids(names)

    assert found.keys() == set(names)
    assert len(set(found.values())) == 12_000


def test_an_erased_user_leaves_no_site_id_and_the_next_one_of_this_id_is_another(app: Flask, world: World) -> None:
    first = site_ids.find_or_add_user_ids(["cust-42"])["cust-42"]
    db.session.commit()

    erasure.erase(first)

    assert site_ids.find_user_id("cust-42") is None
    assert site_ids.find_or_add_user_ids(["cust-42"])["cust-42"] != first


def test_personal_data_has_the_site_id(app: Flask, world: World) -> None:
    user_id = site_ids.find_or_add_user_ids(["cust-42"])["cust-42"]

    assert personal_data.account_of(db.session.get_one(User, user_id))["site_id"] == "cust-42"
