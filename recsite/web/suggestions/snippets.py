"""The HTML of a list that HTMX puts into pages of other sites, and where its movies lead."""

import re
from functools import partial
from urllib.parse import quote

from flask import current_app, render_template, request, url_for
from markupsafe import escape

from recsite.suggestions import SuggestionList
from recsite.suggestions.cards import Card
from recsite.web.suggestions.parameters import LINKABLE

ROOT = "\0"
"Stands for the address of the site in a cached snippet: no title and no link contains it."
PLACEHOLDER = re.compile(f"{{({'|'.join(LINKABLE)})}}")
TEMPLATES = {"list": "suggestions/_list.html", "cards": "suggestions/_cards.html"}
"By style."


def render(found: SuggestionList, style: str, link: str | None) -> str:
    """Return the snippet, with ROOT in place of the address of the site; `link` as in `address_of`."""
    return render_template(
        TEMPLATES[style],
        suggestions=found,
        address_of=partial(address_of, link=link),
        poster_of=poster_of,
    )


def with_root(snippet: bytes) -> bytes:
    """Return the snippet with the address of the site as this client names it."""
    return snippet.replace(ROOT.encode(), escape(request.url_root.rstrip("/")).encode())


def address_of(movie: Card, link: str | None) -> str:
    """Return where the movie leads: `link` with the movie's values in its braces, else its own page."""
    if link is not None:
        values = {"id": movie.id, "site_id": movie.ids.site, "imdb_id": movie.ids.imdb, "title": movie.title}
        if all(values[name] for name in PLACEHOLDER.findall(link)):
            return PLACEHOLDER.sub(lambda place: quote(str(values[place[1]]), safe="", errors="replace"), link)
    return page_of(movie, ROOT)


def page_of(movie: Card, root: str) -> str:
    """Return the address of the movie's page on the site that it belongs to, else of its page here, below `root`."""
    # An address of another scheme, such as javascript:, would run in the page.
    if movie.link and movie.link.startswith(("https://", "http://")):
        return movie.link
    return root + url_for("movies.detail", movie_id=movie.id)[len(request.script_root) :]


def poster_of(movie: Card) -> str | None:
    """Return the address of the movie's poster; None where the site shows none."""
    images: str = current_app.config["TMDB_IMAGES"]
    return f"{images}{movie.poster_path}" if images and movie.poster_path else None
