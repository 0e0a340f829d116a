"""What every answer tells the browser about safety and keeping."""

from urllib.parse import urlsplit

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


def headers_for(posters: str) -> tuple[tuple[str, str], ...]:
    """Scripts and styles come from this site alone, pictures from where `posters` are too; no page is in a frame.

    A view may answer with another value of any of them.
    """
    images = " {0.scheme}://{0.netloc}".format(urlsplit(posters)) if posters else ""
    return (
        ("Content-Security-Policy", CONTENT_SECURITY_POLICY.format(images=images)),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "same-origin"),
        # Any page may name who is logged in, so that no proxy may keep it and a browser asks again.
        ("Cache-Control", "private, no-cache"),
    )
