"""The extension objects, made here and bound to the app in the factory.

Imports nothing of recsite, so that every package may import this. `db` comes first: the tables are made from it.
"""

import contextlib
import logging

import sqlalchemy as sa
from flask_caching import Cache
from flask_login import LoginManager
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session
from flask_wtf import CSRFProtect
from sqlalchemy.orm import DeclarativeBase

log = logging.getLogger(__name__)


class Base(DeclarativeBase):
    """The base class of all tables. Every constraint gets a name, because a migration can only drop a named one."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class ForgivingSession(Session):
    """A session whose close does not raise when the database has gone away."""

    def close(self) -> None:
        """Return the connection to the pool, or discard it if the rollback fails.

        Flask closes the session after every error handler has run. An exception raised here would replace a finished
        response.
        """
        try:
            super().close()
        except sa.exc.DBAPIError as error:
            log.warning("the database went away before a transaction ended: %s", error.orig)
            with contextlib.suppress(sa.exc.SQLAlchemyError):
                self.invalidate()


db = SQLAlchemy(model_class=Base, session_options={"class_": ForgivingSession})
migrate = Migrate()
cache = Cache()
csrf = CSRFProtect()
login_manager = LoginManager()
