"""The headers of every response: what a browser may load, and what may be cached."""

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

PAGE_HEADERS = (("X-Frame-Options", "DENY"), ("Referrer-Policy", "same-origin"))
"For HTML only; they have no meaning elsewhere."
DEFAULT_CACHE_CONTROL = ("Cache-Control", "private, no-cache")
"Added to responses without Cache-Control: a page may name the user, so no proxy may keep it."


def general_headers(poster_url: str) -> tuple[tuple[str, str], ...]:
    """Return the headers of every response; `poster_url` is on the only other host that images may come from."""
    images = " {0.scheme}://{0.netloc}".format(urlsplit(poster_url)) if poster_url else ""
    return (
        ("Content-Security-Policy", CONTENT_SECURITY_POLICY.format(images=images)),
        ("X-Content-Type-Options", "nosniff"),
    )
