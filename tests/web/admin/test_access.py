"""Who may open the admin pages: admins, and nobody else, whatever page comes to them."""

from flask import Flask
from werkzeug.routing import Rule

from recsite.extensions import db
from recsite.storage.tables import AuditEntry
from tests.conftest import World
from tests.web.clients import Client, log_in

PLACES = {"delivery_id": 1, "feed_id": 1, "import_id": 1, "movie_id": 550, "run_id": 1, "token_id": 1, "user_id": 2}
"Values for the variable parts of URLs; a new kind of part needs a line here."


def url_of(rule: Rule) -> str:
    """Return a URL of this rule with ids that exist."""
    built = rule.build({name: PLACES.get(name, "some-name") for name in rule.arguments})
    assert built is not None
    return built[1]


def admin_urls(app: Flask) -> list[tuple[str, str]]:
    """Return method and URL of every admin page and of every change that an admin can make."""
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("admin.")]
    methods = {"GET", "POST", "PUT", "PATCH", "DELETE"}
    return sorted((method, url_of(rule)) for rule in rules for method in methods & (rule.methods or set()))


def admin_pages(app: Flask) -> list[str]:
    """Return the URLs of all admin pages, except the preview, which needs the name of a version."""
    return [url for method, url in admin_urls(app) if method == "GET" and url != "/admin/models/preview"]


def test_a_visitor_is_asked_to_log_in(app: Flask, client: Client, world: World) -> None:
    for method, address in admin_urls(app):
        response = client.open(address, method=method)

        back = address if method == "GET" else "/"
        assert (response.status_code, response.location) == (303, f"/accounts/login/?next={back}"), address


def test_who_is_no_admin_sees_and_changes_nothing(app: Flask, world: World) -> None:
    bob = log_in(app, world.bob)

    for method, address in admin_urls(app):
        assert bob.open(address, method=method).status_code == 403, address
        assert db.session.query(AuditEntry).count() == 0, address


def test_a_change_takes_a_csrf_token(app: Flask, admin: Client) -> None:
    app.config["WTF_CSRF_ENABLED"] = True

    for address in [address for method, address in admin_urls(app) if method == "POST"]:
        response = admin.post(address)

        assert response.status_code == 400, address
        assert "CSRF token" in response.text, address


def test_every_change_is_a_post_and_every_page_a_get(app: Flask) -> None:
    urls = admin_urls(app)

    assert {method for method, _ in urls} == {"GET", "POST"}
    assert len({address for _, address in urls}) == len(urls), "a URL has two methods"
