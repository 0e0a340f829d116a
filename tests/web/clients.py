"""Browsers, programs and command runners for tests."""

from typing import Any, cast

from click.testing import Result
from flask import Flask
from flask.testing import FlaskCliRunner
from flask_login import FlaskLoginClient

from recsite import accounts
from recsite.accounts import site_tokens
from recsite.extensions import db
from recsite.storage.tables import User


class Client(FlaskLoginClient):  # type: ignore[misc]  # Flask-Login ships no types
    """A client whose requests run in their own application context; `app.test_client(user=…)` is logged in.

    In the context of the test, a request would share two things with it: the database session, so that a view that
    forgets to commit would pass, and `g`, where Flask-Login keeps the user of the previous request.
    """

    def open(self, *args: Any, **kwargs: Any) -> Any:
        """Return the response, and expire the test's session so that it reads the database again."""
        # Read the whole body here, so that a file behind it is closed.
        kwargs.setdefault("buffered", True)
        with self.application.app_context():
            response = super().open(*args, **kwargs)
        db.session.expire_all()
        return response


class Runner(FlaskCliRunner):
    """A runner whose commands run in their own application context, for the same reason as Client."""

    def invoke(self, *args: Any, **kwargs: Any) -> Result:
        """Return the result, and expire the test's session so that it reads the database again."""
        with self.app.app_context():
            result = super().invoke(*args, **kwargs)
        db.session.expire_all()
        return result


def new_client(app: Flask, user: User | None = None) -> Client:
    """Return a browser in which this user is logged in, or nobody."""
    return cast(Client, app.test_client(user=user))


def log_in(app: Flask, user_id: int) -> Client:
    """Return a browser in which this user is logged in."""
    return new_client(app, db.session.get_one(User, user_id))


def token_headers(user_id: int) -> dict[str, str]:
    """Return the request headers of a program that acts as this user."""
    return {"Authorization": f"Bearer {accounts.create_token(db.session.get_one(User, user_id))}"}


def ids(response: Any) -> list[int]:
    """Return the ids of the movies in an API response, in its order."""
    assert response.status_code == 200, response.text
    (items,) = (value for value in response.json.values() if isinstance(value, list))
    return [item["id"] for item in items]


def site_headers(*scopes: str, days: int | None = None) -> dict[str, str]:
    """Return the headers of a program that acts for the site with these scopes."""
    return {"Authorization": f"Bearer {site_tokens.create('the shop', scopes, days, 'the tests')}"}
