"""Tokens of the site: scopes, expiry, revocation, last use, commands and the admin page."""

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import accounts
from recsite.accounts import SiteToken, site_tokens, tokens
from recsite.errors import InvalidInput, NotFound, TokenExpired
from recsite.extensions import db
from recsite.storage.tables import ApiToken, AuditEntry, User, now
from tests.conftest import World
from tests.web.clients import Client, Runner

SCOPES = ["suggestions:read", "ratings:write"]


def only_token() -> ApiToken:
    """Return the only token in the database."""
    return db.session.scalars(sa.select(ApiToken)).one()


@pytest.mark.both_databases
def test_a_token_of_the_site_has_a_label_and_scopes_and_no_user(app: Flask, world: World) -> None:
    token = site_tokens.create(" the shop ", SCOPES, None, "alice")

    row = only_token()
    assert (row.user_id, row.label, row.scopes, row.expires_at) == (None, "the shop", " ".join(SCOPES), None)
    assert row.token_sha256 == tokens.token_sha256(token)
    assert accounts.find_bearer(token) == SiteToken(row.id, "the shop", frozenset(SCOPES))


def test_a_token_that_makes_no_sense_is_refused(app: Flask, subtests: pytest.Subtests) -> None:
    for label, scopes, days, problem in (
        ("", SCOPES, None, "label must have 1 to 100 characters"),
        ("x" * 101, SCOPES, None, "label must have"),
        ("a\nb", SCOPES, None, "label must have"),
        ("shop", [], None, "scopes are missing; the scopes are: suggestions:read, ratings:write, catalog:write"),
        ("shop", ["ratings:read"], None, "'ratings:read' is no scope; the scopes are: "),
        ("shop", SCOPES, 0, "expires must be 1 to 3650 days"),
        ("shop", SCOPES, 3651, "expires must be 1 to 3650 days"),
    ):
        with subtests.test(label=label):
            with pytest.raises(InvalidInput, match=re.escape(problem)):
                site_tokens.create(label, scopes, days, "alice")

            assert db.session.query(ApiToken).count() == 0


@pytest.mark.both_databases
def test_an_expired_token_says_when(app: Flask, world: World) -> None:
    token = site_tokens.create("shop", SCOPES, 1, "alice")
    assert isinstance(accounts.find_bearer(token), SiteToken)

    only_token().expires_at = now() - timedelta(seconds=1)
    db.session.commit()

    with pytest.raises(TokenExpired, match="This token expired on 20"):
        accounts.find_bearer(token)


def test_a_revoked_token_is_unknown_at_once(app: Flask, world: World) -> None:
    token = site_tokens.create("shop", SCOPES, None, "alice")

    site_tokens.revoke(only_token().id, "alice")

    assert accounts.find_bearer(token) is None
    with pytest.raises(NotFound, match="There is no token 1; 'flask tokens list' shows all"):
        site_tokens.revoke(1, "alice")


@pytest.mark.both_databases
def test_the_use_of_a_token_is_noted_once_in_ten_minutes(app: Flask, world: World) -> None:
    token = accounts.create_token(db.session.get_one(User, world.bob))

    accounts.find_bearer(token)
    first = only_token().last_used_at
    accounts.find_bearer(token)

    assert first is not None
    assert only_token().last_used_at == first


def test_creation_and_revocation_are_in_the_audit_log(app: Flask, world: World) -> None:
    site_tokens.create("shop", SCOPES, None, "alice")
    site_tokens.revoke(only_token().id, "alice")

    entries = db.session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id)).all()
    assert [(entry.by, entry.action, entry.label) for entry in entries] == [
        ("alice", "create token", "shop"),
        ("alice", "revoke token", "shop"),
    ]


def test_commands_create_list_and_revoke(runner: Runner, world: World) -> None:
    arguments = ["tokens", "create", "--site", "the shop", "--scopes", ",".join(SCOPES), "--expires", "90d"]
    token = runner.invoke(args=arguments).stdout.splitlines()[-1]
    runner.invoke(args=["tokens", "create", "bob"])

    listed = runner.invoke(args=["tokens", "list"]).stdout
    assert re.search(r"1 site: the shop  suggestions:read,ratings:write  made \S+  expires \S+  never used", listed)
    assert re.search(r"2 user bob  made \S+  does not expire  never used", listed)
    assert isinstance(accounts.find_bearer(token), SiteToken)

    assert runner.invoke(args=["tokens", "revoke", "1"]).stdout == "Token 1 is revoked.\n"
    assert accounts.find_bearer(token) is None


@pytest.mark.parametrize(
    ("arguments", "problem"),
    (
        ([], "Give the name of a user, or --site LABEL --scopes SCOPES."),
        (["bob", "--site", "shop"], "Give the name of a user, or --site LABEL --scopes SCOPES."),
        (["bob", "--scopes", "ratings:write"], "--scopes and --expires belong to --site."),
        (["--site", "shop"], "scopes are missing"),
        (["--site", "shop", "--scopes", "all"], "'all' is no scope"),
        (["--site", "shop", "--scopes", "ratings:write", "--expires", "soon"], "a number of days, such as 90d."),
    ),
)
def test_a_command_that_makes_no_sense_is_a_sentence(
    runner: Runner, world: World, arguments: list[str], problem: str
) -> None:
    result = runner.invoke(args=["tokens", "create", *arguments])

    assert result.exit_code != 0
    assert problem in result.output
    assert db.session.query(ApiToken).count() == 0


def test_the_admin_page_shows_a_new_token_once(admin: Client) -> None:
    made = admin.post("/admin/tokens/create", data={"label": "the shop", "scope": SCOPES, "days": "30"})
    first, second = admin.get(made.location), admin.get(made.location)

    shown = re.search(r'<code class="secret">([^<]+)</code>', first.text)
    assert shown is not None
    assert isinstance(accounts.find_bearer(shown[1]), SiteToken)
    assert first.headers["Cache-Control"] == "no-store"
    assert shown[1] not in second.text
    assert "The site: the shop" in second.text


def test_the_admin_page_revokes(admin: Client) -> None:
    token = site_tokens.create("shop", SCOPES, None, "alice")

    response = admin.post(f"/admin/tokens/{only_token().id}/revoke", follow_redirects=True)

    assert "The token is revoked." in response.text
    assert accounts.find_bearer(token) is None


def test_a_bad_form_is_shown_again_with_what_is_wrong(admin: Client) -> None:
    response = admin.post("/admin/tokens/create", data={"label": "the shop", "days": ""})

    assert response.status_code == 400
    assert "scopes are missing" in response.text
