"""What every answer tells the browser about safety and keeping."""

from flask import Flask, Response

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = (
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    # Any page may name who is logged in, so that no proxy may keep it and a browser asks again.
    ("Cache-Control", "private, no-cache"),
)


def init_app(app: Flask) -> None:
    """Put the headers on every answer."""
    app.after_request(add_headers)


def add_headers(response: Response) -> Response:
    """Scripts and styles come from this site alone, and no page sits in a frame; a header that a view set stays."""
    given = {name.lower() for name, _ in response.headers}
    response.headers.extend((name, value) for name, value in HEADERS if name.lower() not in given)
    return response
