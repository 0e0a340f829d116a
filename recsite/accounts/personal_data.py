"""Everything the site stores about one user, as one zip file."""

import csv
import io
import json
import zipfile
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from recsite.errors import UserNotFound
from recsite.extensions import db
from recsite.storage.tables import (
    ApiToken,
    Dismissal,
    FeedToken,
    HistoryImport,
    HistoryRow,
    ModelVersion,
    Movie,
    Rating,
    Suggestion,
    User,
)

README = """What {site} holds of you.

account.json      your account; the password is kept as a hash that nobody can read back, and is not in here
ratings.csv       what you rated; this file can be imported again
suggestions.csv   the movies suggested to you, and what you made of them
put_aside.csv     movies that you skipped or are not interested in
tokens.csv        API tokens that act as you; the tokens themselves are not kept
feeds.csv         feeds of your suggestions; their addresses are not kept
imports.json      the files of ratings that you brought along
imported.csv      the ratings in these files, also of those that wait or are undone
"""


def tables(user_id: int) -> dict[str, sa.Select[*tuple[Any, ...]]]:
    """Return the query of each CSV file by its name; a new table of personal data needs a line here."""
    year = sa.extract("year", Movie.release_date).label("year")
    movie = (Movie.id.label("movie_id"), Movie.imdb_id.label("imdb_id"), Movie.title, year)
    tokens = sa.select(ApiToken.id, ApiToken.created_at).where(ApiToken.user_id == user_id)
    return {
        "ratings.csv": sa.select(*movie, Rating.value.label("rating"), Rating.timestamp)
        .join(Rating, Rating.movie_id == Movie.id)
        .where(Rating.user_id == user_id)
        .order_by(Rating.timestamp, Movie.id),
        "suggestions.csv": select_suggestions(user_id, movie),
        "put_aside.csv": sa.select(*movie, Dismissal.is_unwanted.label("not_interested"), Dismissal.timestamp)
        .join(Dismissal, Dismissal.movie_id == Movie.id)
        .where(Dismissal.user_id == user_id)
        .order_by(Dismissal.timestamp, Movie.id),
        "imported.csv": select_imported(user_id, movie),
        "tokens.csv": tokens.order_by(ApiToken.id),
        "feeds.csv": sa.select(FeedToken.id, FeedToken.created_at, FeedToken.last_used_at)
        .where(FeedToken.user_id == user_id)
        .order_by(FeedToken.id),
    }


def select_suggestions(user_id: int, movie: Sequence[Any]) -> sa.Select[*tuple[Any, ...]]:
    """Return the query of the stored suggestions, with these columns of their movies."""
    return (
        sa.select(
            *movie,
            Suggestion.value.label("predicted"),
            Suggestion.rank,
            Suggestion.active,
            Suggestion.did_rate,
            Suggestion.rating_value,
            Suggestion.did_rate_timestamp,
            ModelVersion.version_name,
            Suggestion.timestamp,
        )
        .join(Suggestion, Suggestion.movie_id == Movie.id)
        .outerjoin(ModelVersion, ModelVersion.id == Suggestion.model_version_id)
        .where(Suggestion.user_id == user_id)
        .order_by(Suggestion.active.desc(), Suggestion.rank, Movie.id)
    )


def select_imported(user_id: int, movie: Sequence[Any]) -> sa.Select[*tuple[Any, ...]]:
    """Return the query of the rows of the imports, with these columns of their movies."""
    return (
        sa.select(
            HistoryImport.id.label("import_id"),
            HistoryImport.state,
            *movie,
            HistoryRow.value.label("rating"),
            HistoryRow.timestamp,
            HistoryRow.is_saved,
            HistoryRow.former_value,
            HistoryRow.former_timestamp,
        )
        .join(HistoryRow, HistoryRow.movie_id == Movie.id)
        .join(HistoryImport, HistoryImport.id == HistoryRow.import_id)
        .where(HistoryImport.user_id == user_id)
        .order_by(HistoryImport.id, Movie.id)
    )


def as_zip(user_id: int) -> bytes:
    """Return a zip file of everything stored about the user, with a README.txt, or raise UserNotFound."""
    user = db.session.get(User, user_id)
    if user is None:
        raise UserNotFound
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", README.format(site="recsite"))
        archive.writestr("account.json", as_json(account_of(user)))
        for name, query in tables(user_id).items():
            archive.writestr(name, as_csv(query))
        archive.writestr("imports.json", as_json(imports_of(user_id)))
    return content.getvalue()


def account_of(user: User) -> dict[str, Any]:
    """Return the account's columns, without the password hash."""
    names = ("id", "site_id", "username", "email", "is_admin", "created_at", "last_seen_at")
    return {name: getattr(user, name) for name in names}


def imports_of(user_id: int) -> list[dict[str, Any]]:
    """Return the files of ratings that the user imported, with the report of each."""
    names = ("id", "file_name", "state", "created_at", "saved_at", "undone_at", "report")
    rows = db.session.scalars(sa.select(HistoryImport).filter_by(user_id=user_id).order_by(HistoryImport.id))
    return [{name: getattr(batch, name) for name in names} for batch in rows]


def as_json(found: object) -> str:
    """Return indented JSON with times in ISO 8601."""
    return json.dumps(found, indent=2, ensure_ascii=False, default=datetime.isoformat)


def as_csv(query: sa.Select[*tuple[Any, ...]]) -> str:
    """Return the rows as CSV below a line of column names, times in ISO 8601."""
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(query.selected_columns.keys())
    for row in db.session.execute(query):
        rows.writerow(field.isoformat() if isinstance(field, datetime) else field for field in row)
    return text.getvalue()
