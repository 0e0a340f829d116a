"""The admin page of feeds."""

import pytest
import sqlalchemy as sa

from recsite.accounts import feeds
from recsite.extensions import db
from recsite.storage.tables import AuditEntry, User
from tests.conftest import World
from tests.web.clients import Client


def test_the_page_lists_the_feeds_of_all_users_without_their_addresses(
    client: Client, admin: Client, world: World
) -> None:
    tokens = [feeds.create(world.bob), feeds.create(world.carol)]
    client.get(f"/feeds/{tokens[0]}/radarr.json")
    db.session.get_one(User, world.carol).username = "<b>carol"
    db.session.commit()

    page = admin.get("/admin/feeds/").text

    assert 'href="/admin/users/2/">bob</a>' in page
    assert "&lt;b&gt;carol" in page
    assert "<b>carol" not in page
    assert page.count('<span class="muted">never</span>') == 1
    assert not any(token in page for token in tokens)
    assert '<a href="/admin/feeds/" aria-current="page">Feeds</a>' in page


def test_a_revoked_feed_stops_working_and_the_audit_log_has_it(client: Client, admin: Client, world: World) -> None:
    revoked, kept = feeds.create(world.bob), feeds.create(world.bob)
    (first, _) = feeds.list_of(world.bob)

    answer = admin.post(f"/admin/feeds/{first.id}/revoke", follow_redirects=True)

    assert "The feed is revoked." in answer.text
    assert client.get(f"/feeds/{revoked}/radarr.json").status_code == 404
    assert client.get(f"/feeds/{kept}/radarr.json").status_code == 200
    entry = db.session.scalars(sa.select(AuditEntry).filter_by(action="revoke feed")).one()
    assert (entry.by, entry.kind, entry.subject, entry.label) == ("alice", "user", str(world.bob), "bob")
    assert "revoke feed" in admin.get("/admin/audit/").text


@pytest.mark.parametrize("feed_id", (77, 0))
def test_an_unknown_feed_is_not_found(admin: Client, world: World, feed_id: int) -> None:
    assert admin.post(f"/admin/feeds/{feed_id}/revoke").status_code == 404


def test_without_feeds_the_page_says_so(admin: Client, world: World) -> None:
    assert "No feeds yet." in admin.get("/admin/feeds/").text
