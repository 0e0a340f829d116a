"""The pages and the HTTP API: parse the request, make one call, format the response.

Imports every package below, from `jobs` down to `storage`, and never `cli`.
Each package is one blueprint, with its templates in the folder of the same name below `templates/`; `request/` is
what they share. Start with `movies/pages.py`.
"""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from recsite.extensions import csrf, login_manager
from recsite.web import accounts, admin, api, movies, request, site, suggestions, template_filters

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PREFIX = re.compile(r"(/\w[\w.~-]*)*", re.ASCII)
"The path below which the site is, such as '/films'; '' without one."


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
    """Read address, scheme, host and path prefix from the headers of this many proxies; with 0 they could be forged."""
    if number:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            ignore_bad_prefix(app.wsgi_app), x_for=number, x_proto=number, x_host=number, x_prefix=number
        )


def ignore_bad_prefix(respond: "WSGIApplication") -> "WSGIApplication":
    """Return the application with a check of its prefix: a proxy may pass on a client's X-Forwarded-Prefix."""

    def respond_below_prefix(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        prefix = environ.get("SCRIPT_NAME", "").rstrip("/")
        environ["SCRIPT_NAME"] = prefix if PREFIX.fullmatch(prefix) else ""
        return respond(environ, start_response)

    return respond_below_prefix
