"""Movies that a site sends: `PUT` and `DELETE /api/movies/<id>` and `/api/movies/batch`."""

# flask-wtf ships no types.
# mypy: allow-untyped-decorators

from datetime import date
from typing import Annotated

import msgspec
from flask import Response
from msgspec import UNSET, Meta, UnsetType

from recsite.extensions import csrf
from recsite.movies import catalog, editing, ids
from recsite.storage.tables import LONGEST_SITE_ID, SITE_ID, SITE_ID_IN_WORDS
from recsite.web.api import shapes
from recsite.web.api.answers import json_answer
from recsite.web.api.endpoints import FIGHT_CLUB, bp
from recsite.web.api.filters import LONGEST_GENRE, Precision
from recsite.web.api.operations import operation
from recsite.web.api.rows import MOST_ROWS, RefusedJson, Rows, SavedJson, refused_as_json
from recsite.web.api.schema import NO_NUL, MovieId, MovieRef
from recsite.web.request import access
from recsite.web.request.query_string import END

LONGEST_MOVIE = 64 * 1024
"In bytes."
LONGEST_POSTER = 255
LONGEST_LINK = 1000
MOST_GENRES = 20

Title = Annotated[
    str,
    Meta(min_length=1, max_length=editing.LONGEST_TITLE, pattern=NO_NUL, description="The title.", examples=["Heat"]),
]
Overview = Annotated[
    str,
    Meta(
        max_length=editing.LONGEST_OVERVIEW,
        pattern=NO_NUL,
        description="What it is about.",
        examples=["A thief and a detective over coffee."],
    ),
]
ReleaseDate = Annotated[
    date, Meta(title="a date such as 1995-12-15", description="When it came out.", examples=["1995-12-15"])
]
GenreName = Annotated[
    str,
    # Bars separate names in the database.
    Meta(min_length=1, max_length=LONGEST_GENRE, pattern="^[^,|\\u0000]*$", title="a name without commas and bars"),
]
Genres = Annotated[
    tuple[GenreName, ...], Meta(max_length=MOST_GENRES, description="Their names.", examples=[["Action", "Crime"]])
]
Poster = Annotated[
    str,
    Meta(
        max_length=LONGEST_POSTER,
        pattern=NO_NUL,
        description="As TMDB has it.",
        examples=["/umSVjVdbVwtx5ryCA2QXL44Durm.jpg"],
    ),
]
ImdbId = Annotated[
    str,
    Meta(
        max_length=12,
        pattern=f"^{ids.PATTERNS['imdb']}{END}",
        title="an id such as tt0113277",
        description="IMDb's id.",
        examples=["tt0113277"],
    ),
]
OwnId = Annotated[
    str,
    Meta(
        max_length=LONGEST_SITE_ID,
        pattern=f"^{SITE_ID}{END}",
        title=SITE_ID_IN_WORDS,
        description="The id that the site itself gives to the movie.",
        examples=["SKU-12"],
    ),
]
Link = Annotated[
    str,
    Meta(
        max_length=LONGEST_LINK,
        pattern=rf"^https?://[^\s\u0000]+{END}",
        title="an address that begins with https:// or http://",
        description="The movie's page on the site.",
        examples=["https://shop.example/film/SKU-12"],
    ),
]


class MovieFields(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a movie. A field that is left out keeps its value; null removes it."""

    title: Title | UnsetType = UNSET
    overview: Overview | UnsetType = UNSET
    release_date: ReleaseDate | UnsetType | None = UNSET
    genres: Genres | UnsetType = UNSET
    poster_path: Poster | UnsetType | None = UNSET
    imdb_id: ImdbId | UnsetType | None = UNSET
    site_id: OwnId | UnsetType | None = UNSET
    link: Link | UnsetType | None = UNSET
    is_hidden: (
        Annotated[bool, Meta(title="true or false", description="Whether no list shows it.", examples=[False])]
        | UnsetType
    ) = UNSET

    def as_values(self) -> catalog.Values:
        """Return the columns to change."""
        sent = {name: getattr(self, name) for name in catalog.COLUMNS if getattr(self, name) is not UNSET}
        if "genres" in sent:
            sent["genres"] = "|".join(sent["genres"])
        if sent.get("imdb_id"):
            sent["imdb_id"] = ids.parse(f"imdb:{sent['imdb_id']}").value
        return sent


class MovieRow(MovieFields, frozen=True, kw_only=True):
    """One movie. One that is not stored yet needs a title."""

    movie_id: MovieId | UnsetType = UNSET
    movie: MovieRef | UnsetType = UNSET


class MoviesBatch(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /api/movies/batch`. Rows that do not fit are listed in the answer by their index."""

    movies: Annotated[
        tuple[MovieRow, ...],
        Meta(
            max_length=MOST_ROWS,
            description="Of several rows for one movie the later ones count.",
            examples=[[{"movie": "site:SKU-12", "title": "Heat", "release_date": "1995-12-15", "genres": ["Crime"]}]],
        ),
    ]


@bp.post("/movies/batch", strict_slashes=False)
@csrf.exempt
@operation(
    who="site",
    scope="catalog:write",
    answers={200: SavedJson},
    example=SavedJson(1, 0, 0, 0, [RefusedJson(1, "link must be an address that begins with …")]),
    batch=MoviesBatch,
)
def send_movies(rows: Rows[MovieRow]) -> Response:
    """Add or change up to 10,000 movies. Good rows are saved in one transaction, the others are listed.

    A movie without a TMDB id gets an id. A `site:` id that is not known yet goes to the movie with the row's `imdb_id`,
    where there is one without such an id. Sending a batch again changes nothing. The body may also be NDJSON
    (application/x-ndjson): one row a line.
    """
    sent = {
        index: catalog.MovieChange(row.movie or row.movie_id or 0, row.as_values()) for index, row in rows.good.items()
    }
    counts, refused = catalog.upsert_movies(sent, access.name_of_caller())
    reasons = {index: str(error) for index, error in refused.items()}
    answer = SavedJson(counts.new, counts.changed, counts.unchanged, 0, refused_as_json(rows.refused, reasons))
    return json_answer(answer)


@bp.put("/movies/<id:movie_id>", strict_slashes=False)
@csrf.exempt
@operation(
    who="site",
    scope="catalog:write",
    not_found="Movie",
    conflict="The site_id belongs to another movie; the error names it.",
    answers={200: shapes.MovieJson, 201: shapes.MovieJson},
    example=FIGHT_CLUB,
    body_example={"title": "Fight Club", "release_date": "1999-10-15", "genres": ["Drama"]},
    longest_body=LONGEST_MOVIE,
)
def put_movie(movie_id: MovieId, body: MovieFields) -> Response:
    """Add or change a movie. An id below 1,000,000,000 is a TMDB id, and a movie that is not stored yet gets it."""
    movie, is_new = catalog.save_movie(movie_id, body.as_values(), access.name_of_caller())
    return json_answer(shapes.movie_as_json(movie, Precision()), 201 if is_new else 200)


@bp.delete("/movies/<id:movie_id>", strict_slashes=False)
@csrf.exempt
@operation(who="site", scope="catalog:write", not_found="Movie", answers={204: None}, example=None)
def hide_movie(movie_id: MovieId) -> Response:
    """Hide a movie. No list has it any more; its ratings stay, and `is_hidden` false shows it again."""
    editing.set_hidden(movie_id, True, access.name_of_caller(), "by the API")
    return Response(status=204)
