"""The pages and the HTTP API: parse the request, make one call, format the response.

Imports every package below, from `jobs` down to `storage`, and never `cli`.
Each package is one blueprint, with its templates in the folder of the same name below `templates/`; `request/` is
what they share. Start with `movies/pages.py`.
"""

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from recsite.extensions import csrf, login_manager
from recsite.web import accounts, admin, api, movies, request, site, suggestions, template_filters


def init_app(app: Flask) -> None:
    """Register the blueprints and everything around them; the id converter precedes the routes that use it."""
    # Inside of the proxies' middleware, which finds the client's address.
    site.request_body.init_app(app)
    request.headers.init_app(app)
    trust_proxies(app, app.config["PROXIES"])
    csrf.init_app(app)
    login_manager.init_app(app)
    request.init_app(app)
    template_filters.init_app(app)
    for package in (suggestions, movies, api, accounts, admin, site):
        for blueprint in package.blueprints:
            app.register_blueprint(blueprint)
    site.init_app(app)


def trust_proxies(app: Flask, number: int) -> None:
    """Read the client's address and scheme from the headers of this many proxies; with 0 they could be forged."""
    if number:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=number, x_proto=number, x_host=number
        )
