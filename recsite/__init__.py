"""recsite: movie suggestions for a site, and control over the model behind them."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, has_app_context
from werkzeug.middleware.proxy_fix import ProxyFix

from . import cli, config, extensions, ml, patience, versions, views


class Site(Flask):
    """Flask, which asks before every call of a view or a hook whether it is async; none of ours is."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself."""
        return func


def create_app(overrides: Mapping[str, Any] | None = None) -> Flask:
    """The application, configured by the environment with `overrides` on top; raises config.BadSetting."""
    app = Site(__name__)
    app.config.update(config.read(os.environ, overrides or {}, app.instance_path))
    app.json.sort_keys = False  # type: ignore[attr-defined]  # answers keep the order that the documentation shows
    believe_proxies(app, app.config["PROXIES"])
    extensions.init_app(app)
    extensions.recommender.init_app(app, versions.find_active_row)
    app.register_blueprint(views.suggestions.bp)
    app.register_blueprint(views.movies.bp)
    app.register_blueprint(views.api.bp)
    app.register_blueprint(views.docs.bp)
    app.register_blueprint(views.accounts.bp)
    app.register_blueprint(views.admin.bp)
    app.register_blueprint(views.status.bp)
    app.register_blueprint(views.widgets.bp)
    app.register_blueprint(views.metrics.bp)
    cli.init_app(app)
    views.limits.init_app(app)
    views.errors.init_app(app)
    views.cors.init_app(app)
    patience.init_app(app)
    views.envelope.init_app(app)
    return app


def believe_proxies(app: Flask, number: int) -> None:
    """Addresses and schemes are those that this many proxies in front report; any client can send the headers."""
    if number:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=number, x_proto=number, x_host=number
        )


def find_store() -> ml.ModelStore:
    """What `ml.load_model` may open, asked of the current app, or in a bare shell of one made for the question."""
    if has_app_context():
        return versions.find_store()
    with create_app().app_context():
        return versions.find_store()


# `ml` knows nothing of the database; this is where it asks before it unpickles anything.
ml.find_store = find_store
