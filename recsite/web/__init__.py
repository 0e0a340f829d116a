"""The pages and the HTTP API: parse the request, make one call, format the response.

Imports every package below, from `jobs` down to `storage`, and never `cli`.
Each package is one blueprint, with its templates in the folder of the same name below `templates/`; `request/` is
what they share. Start with `movies/pages.py`.
"""

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from recsite.extensions import csrf, login_manager
from recsite.web import accounts, admin, api, movies, request, site, suggestions


def init_app(app: Flask) -> None:
    """Register everything that answers requests."""
    trust_proxies(app, app.config["PROXIES"])
    csrf.init_app(app)
    login_manager.init_app(app)
    request.init_app(app)
    for package in (suggestions, movies, api, accounts, admin, site):
        for blueprint in package.blueprints:
            app.register_blueprint(blueprint)
    site.init_app(app)


def trust_proxies(app: Flask, number: int) -> None:
    """Take addresses and schemes from the headers of this many proxies in front; any client can send such headers."""
    if number:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=number, x_proto=number, x_host=number
        )
