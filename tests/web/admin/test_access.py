"""Who may open the admin pages: admins, and nobody else, whatever page comes to them."""

import pytest
from flask import Flask
from werkzeug.routing import Rule

from recsite import create_app
from recsite.extensions import db
from recsite.storage.tables import AuditEntry, User
from tests.conftest import World
from tests.web.clients import Client

RULES = [
    rule
    for rule in create_app({"DATABASE_URL": "sqlite://", "SECRET_KEY": "test"}).url_map.iter_rules()
    if rule.endpoint.startswith("admin.")
]
PLACES = {"movie_id": 550, "run_id": 1, "user_id": 2}
"What stands in an address for a variable part; another kind of part needs its line here."


def address_of(rule: Rule) -> str:
    """Return a URL of this rule with ids that exist."""
    built = rule.build({name: PLACES.get(name, "some-name") for name in rule.arguments})
    assert built is not None
    return built[1]


CASES = sorted(
    {(method, address_of(rule)) for rule in RULES for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}}
)
CHANGES = [address for method, address in CASES if method == "POST"]


@pytest.mark.parametrize(("method", "address"), CASES)
def test_a_visitor_is_asked_to_log_in(client: Client, world: World, method: str, address: str) -> None:
    response = client.open(address, method=method)

    back = address if method == "GET" else "/"
    assert (response.status_code, response.location) == (303, f"/accounts/login/?next={back}")


@pytest.mark.parametrize(("method", "address"), CASES)
def test_who_is_no_admin_sees_and_changes_nothing(app: Flask, world: World, method: str, address: str) -> None:
    bob = app.test_client(user=db.session.get_one(User, world.bob))

    assert bob.open(address, method=method).status_code == 403
    assert db.session.query(AuditEntry).count() == 0


@pytest.mark.parametrize("address", CHANGES)
def test_a_change_takes_a_csrf_token(app: Flask, world: World, address: str) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    alice = db.session.get_one(User, world.alice)
    alice.is_admin = True
    db.session.commit()

    response = app.test_client(user=alice).post(address)

    assert response.status_code == 400
    assert "CSRF token" in response.text


def test_every_change_is_a_post_and_every_page_a_get() -> None:
    both = {address for method, address in CASES if method == "GET"} & set(CHANGES)

    assert {method for method, _ in CASES} == {"GET", "POST"}
    assert both == set()
