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
"For responses without a Cache-Control of their own: a page may name the user, so no proxy may keep it."


def general_headers(poster_url: str) -> tuple[tuple[str, str], ...]:
    """Return the headers of every response.

    Scripts and styles may come from this site alone, images also from the host of `poster_url`. No other site may show
    a page in a frame.
    """
    images = " {0.scheme}://{0.netloc}".format(urlsplit(poster_url)) if poster_url else ""
    return (
        ("Content-Security-Policy", CONTENT_SECURITY_POLICY.format(images=images)),
        ("X-Content-Type-Options", "nosniff"),
    )
