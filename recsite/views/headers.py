"""What every answer tells the browser about safety and keeping."""

from urllib.parse import urlsplit

from flask import Flask, Response

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self'{images}",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)


def init_app(app: Flask) -> None:
    """Put the headers on every answer; those that a view set stay."""
    headers = headers_for(app.config["TMDB_IMAGES"])

    def add_headers(response: Response) -> Response:
        given = {name.lower() for name, _ in response.headers}
        response.headers.extend((name, value) for name, value in headers if name.lower() not in given)
        return response

    app.after_request(add_headers)


def headers_for(posters: str) -> tuple[tuple[str, str], ...]:
    """Scripts and styles come from this site alone, pictures from where `posters` are too; no page is in a frame."""
    images = " {0.scheme}://{0.netloc}".format(urlsplit(posters)) if posters else ""
    return (
        ("Content-Security-Policy", CONTENT_SECURITY_POLICY.format(images=images)),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "same-origin"),
        # Any page may name who is logged in, so that no proxy may keep it and a browser asks again.
        ("Cache-Control", "private, no-cache"),
    )
