"""Feeds of one user's suggestions: for Radarr, for feed readers (RSS 2.0), and as JSON."""

import hashlib
import re
from typing import Annotated
from xml.etree import ElementTree as ET

import msgspec
from flask import Response, request, url_for
from markupsafe import escape
from msgspec import Meta

from recsite import suggestions
from recsite.accounts import feeds
from recsite.suggestions import ListOptions, Suggested, SuggestionList
from recsite.web.api.answers import finish
from recsite.web.api.filters import Precision
from recsite.web.api.schema import read_query
from recsite.web.suggestions.api import item_fields
from recsite.web.suggestions.pages import bp
from recsite.web.suggestions.snippets import page_of

MOST = 100
MOST_SEARCHED = 1000
"Movies among which those with a TMDB id are looked for."
NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"Characters that XML 1.0 does not allow, not even escaped."


class FeedQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The query of a feed."""

    limit: Annotated[int, Meta(ge=1, le=MOST, description="How many at most.", examples=[20])] = 50


@bp.get("/feeds/<token>/radarr.json")
def radarr(token: str) -> Response:
    """List movies for a custom list of Radarr, which knows them by their TMDB ids; others are left out."""
    user_id, limit = feeds.require_user_id(token), read_query(FeedQuery).limit
    found = find_list(user_id, limit)
    if any(item.movie.ids.tmdb is None for item in found.items):
        found = find_list(user_id, MOST_SEARCHED)
    movies = [item.movie for item in found.items if item.movie.ids.tmdb is not None][:limit]
    listed = [{"id": movie.ids.tmdb, "title": movie.title, "imdb_id": movie.ids.imdb} for movie in movies]
    return feed_response(found, msgspec.json.encode(listed), "application/json")


@bp.get("/feeds/<token>/suggestions.json")
def feed_json(token: str) -> Response:
    """List the suggestions as `/api/suggestions` does, with the address of each movie's page."""
    found = find_list(feeds.require_user_id(token), read_query(FeedQuery).limit)
    listed = [item_fields(item, (), Precision()) | {"link": link_of(item)} for item in found.items]
    return feed_response(found, msgspec.json.encode({"suggestions": listed}), "application/json")


@bp.get("/feeds/<token>/suggestions.rss")
def feed_rss(token: str) -> Response:
    """List the suggestions for feed readers."""
    found = find_list(feeds.require_user_id(token), read_query(FeedQuery).limit)
    return feed_response(found, to_rss(found), "application/rss+xml")


def find_list(user_id: int, limit: int) -> SuggestionList:
    """Return the first movies of the user's list, without reasons."""
    return suggestions.best_for(user_id, ListOptions(limit=limit, with_reasons=False))


def to_rss(found: SuggestionList) -> bytes:
    """Return the list as RSS 2.0 (https://www.rssboard.org/rss-specification)."""
    rss = ET.Element("rss", version="2.0")
    channel = ET.SubElement(rss, "channel")
    add_text(channel, "title", "Movies for you")
    add_text(channel, "link", url_for("suggestions.home", _external=True))
    add_text(channel, "description", "What you may like to see next, the best first.")
    for item in found.items:
        add_item(channel, item)
    rendered: bytes = ET.tostring(rss, encoding="utf-8", xml_declaration=True)
    return rendered


def add_item(channel: ET.Element, suggested: Suggested) -> None:
    """Add a movie to the channel. Its address here stands for it, so that a reader shows it once."""
    movie, item = suggested.movie, ET.SubElement(channel, "item")
    year = f" ({movie.release_date.year})" if movie.release_date else ""
    add_text(item, "title", f"{movie.title}{year}")
    add_text(item, "link", link_of(suggested))
    # Several movies may have the same link.
    add_text(item, "guid", url_for("movies.detail", movie_id=movie.id, _external=True))
    # Readers take a description for HTML.
    add_text(item, "description", str(escape(movie.overview)))
    for genre in movie.genre_names:
        add_text(item, "category", genre)


def link_of(suggested: Suggested) -> str:
    """Return the address of the movie's page: on the site that it belongs to, else here."""
    return page_of(suggested.movie, request.url_root.rstrip("/"))


def add_text(parent: ET.Element, name: str, text: str) -> None:
    """Add an element with this text."""
    ET.SubElement(parent, name).text = NOT_IN_XML.sub("", text)


def feed_response(found: SuggestionList, body: bytes, mimetype: str) -> Response:
    """Return the feed, or a 304 for a program that has it; no shared cache may keep it."""
    response = Response(body, mimetype=mimetype)
    response.headers["X-Suggestion-Source"] = found.source
    if found.version_name:
        response.headers["X-Model-Version"] = found.version_name
    return finish(response, hashlib.sha256(body).hexdigest()[:32])
