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

OF_PAGES = (("X-Frame-Options", "DENY"), ("Referrer-Policy", "same-origin"))
"What says something of documents alone."
KEEPING = ("Cache-Control", "private, no-cache")
"Unless a view says another thing: any page may name who is logged in, so that no proxy may keep it."


def headers_for(posters: str) -> tuple[tuple[str, str], ...]:
    """Scripts and styles come from this site alone, pictures from where `posters` are too; no page is in a frame."""
    images = " {0.scheme}://{0.netloc}".format(urlsplit(posters)) if posters else ""
    return (
        ("Content-Security-Policy", CONTENT_SECURITY_POLICY.format(images=images)),
        ("X-Content-Type-Options", "nosniff"),
    )
