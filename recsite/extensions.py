"""The tools that the app shares, made here and bound to the app in the factory."""

import contextlib
import logging
from typing import Any

import sqlalchemy as sa
from flask import Flask, Request, Response, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from flask_caching import Cache
from flask_login import LoginManager
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session
from flask_wtf import CSRFProtect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase

from . import connections, patience
from .queueing import Queueing
from .recommender import Recommender


class Base(DeclarativeBase):
    """Tables with named constraints, for a migration can only drop what has a name."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


log = logging.getLogger(__name__)


class ForgivingSession(Session):
    """A session that ends without an error although the database went away under it."""

    def close(self) -> None:
        """The connection is back in its pool, or thrown away; a rollback that cannot be said is done by the server.

        A request ends with this, behind every error handler: what was raised here would take its answer away.
        """
        try:
            super().close()
        except sa.exc.DBAPIError as error:
            log.warning("the database went away before a transaction ended: %s", error.orig)
            with contextlib.suppress(sa.exc.SQLAlchemyError):
                self.invalidate()


READS = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))
"The methods that change nothing."


class GuardedChanges(CSRFProtect):  # type: ignore[misc]  # flask-wtf ships no types
    """CSRF tokens for what changes something."""

    def protect(self, apply_exemptions: bool = False) -> None:
        """Check the request's token; a read has none, and is not looked up among the exempt views either."""
        if request.method not in READS:
            super().protect(apply_exemptions)


db = SQLAlchemy(model_class=Base, session_options={"class_": ForgivingSession})
migrate = Migrate()
cache = Cache()
csrf = GuardedChanges()
login_manager = LoginManager()
queueing = Queueing()
recommender = Recommender()
sa.event.listen(sa.Engine, "do_connect", patience.connect)
sa.event.listen(sa.Engine, "connect", connections.prepare)
sa.event.listen(sa.Engine, "handle_error", patience.note_failure)


def init_app(app: Flask) -> None:
    """Bind every extension to the app but the recommender, which has to be told where to look."""
    db.init_app(app)
    migrate.init_app(app, db, render_as_batch=True)
    cache.init_app(app)
    csrf.init_app(app)
    login_manager.init_app(app)
    # It would look into the session after each request, and say of every answer that it varies by cookie.
    app.after_request_funcs[None].remove(login_manager._update_remember_cookie)
    app.session_interface = CookieSessions()
    queueing.init_app(app)


class CookieSessions(SecureCookieSessionInterface):
    """Flask's sessions, without the work for a request that brings no cookie."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """The session in the cookie, else an empty one."""
        return super().open_session(app, request) if "HTTP_COOKIE" in request.environ else self.session_class()

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """The cookies follow the session, and the answer says that it varies by cookie if the session was looked at."""
        if "_remember" in session:
            # A log-in or log-out left word of what becomes of the cookie that outlives the session.
            login_manager._update_remember_cookie(response)
        if session or session.modified or session.accessed:
            super().save_session(app, session, response)


def start_anew_after_fork(app: Flask) -> None:
    """The process has no database connection of its parent's, and knows the active version as it is now."""
    with app.app_context():
        # Closing them here would end them for the parent, too.
        db.engine.dispose(close=False)
        recommender.follow_now()


def dialect_insert(table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT of the session's own kind of database, which knows ON CONFLICT."""
    return postgresql.insert(table) if db.session.get_bind().dialect.name == "postgresql" else sqlite.insert(table)


def run(statement: sa.Executable, **parameters: object) -> sa.CursorResult[Any]:
    """Run a statement in the session's transaction, past the ORM, which often takes longer than the database.

    Objects in the session stay as they are. A statement that is made once, with parameters, is not put together and
    compared anew each time.
    """
    db.session.flush()
    return db.session.connection().execute(statement, parameters)
