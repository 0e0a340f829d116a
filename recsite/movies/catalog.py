"""Movies that a site sends, one or thousands at once: changes of those that are stored, and new ones.

What differs from the database is found before anything is locked, and again behind the lock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

import sqlalchemy as sa

from recsite.errors import IdTaken, InvalidInput, MovieNotFound, NotFound, RecsiteError
from recsite.extensions import db
from recsite.movies import ids
from recsite.movies.averages import LOCK_SOME, lock
from recsite.movies.editing import LONGEST_GENRES
from recsite.movies.visibility import bump_catalog
from recsite.storage import audit
from recsite.storage.deadlocks import retry_deadlocks
from recsite.storage.queries import in_blocks, run
from recsite.storage.row_tables import table_of
from recsite.storage.tables import FIRST_SITE_MOVIE_ID, MOVIE_ID_WITHOUT_TMDB, Movie

COLUMNS: dict[str, Any] = {
    "title": sa.String,
    "overview": sa.String,
    "release_date": sa.Date,
    "genres": sa.String,
    "poster_path": sa.String,
    "imdb_id": sa.String,
    "site_id": sa.String,
    "link": sa.String,
    "is_hidden": sa.Boolean,
}
"What a site can change."
EMPTY: dict[str, Any] = {
    **dict.fromkeys(COLUMNS),
    "overview": "",
    "genres": "",
    "is_hidden": False,
    "movielens_id": None,
}
"A new movie, but for its title."
movies: sa.Table = Movie.__table__
Values = dict[str, Any]
"The values of some COLUMNS of one movie."
Name = int | ids.Ref
"An id, or a reference that is no TMDB id, so that one movie has one name of each kind."


class MovieChange(NamedTuple):
    """A movie as the site names it, and what it shall have."""

    name: int | str
    "The id, or a reference such as site:SKU-12."
    values: Values


class MovieCounts(NamedTuple):
    """What became of the rows of a batch."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0


@dataclass
class Plan:
    """The stored movies that a batch names, and the values that its rows give to them and to new ones."""

    stored: dict[int, Values]
    "By id."
    wanted: dict[int, Values] = field(default_factory=dict)
    "By id; negative for a movie that gets its id when it is written."
    by_name: dict[Name, int] = field(default_factory=dict)
    "The ids of the movies by each of their names, the site's own ids among them."
    refused: dict[int, RecsiteError] = field(default_factory=dict)
    met: int = 0
    "The rows that were not refused."


@retry_deadlocks
def upsert_movies(sent: Mapping[int, MovieChange], by: str) -> tuple[MovieCounts, dict[int, RecsiteError]]:
    """Save these rows in one transaction; return the counts, and the errors of refused rows by index.

    A movie that is named by a reference and is not stored gets an id, and one that is named by a TMDB id has that id.
    Of several rows for one movie the later ones count. An audit entry records the change.
    """
    plan = make_plan(sent)
    if find_new(plan) or find_changed(plan):
        # The counter is the lock: of two batches at once the second waits here, and sees the ids of the first.
        bump_catalog()
        plan = make_plan(sent)
    new, changed = find_new(plan), find_changed(plan)
    if new or changed:
        write(new, changed, plan.stored)
        record(by, new, changed, plan.stored)
    db.session.commit()
    return MovieCounts(len(new), len(changed), plan.met - len(new) - len(changed)), plan.refused


def save_movie(name: int | str, values: Values, by: str) -> tuple[Movie, bool]:
    """Save one movie as `upsert_movies` does; return it, and whether it is new.

    Raises:
        IdTaken: the site's own id is that of another movie.
        NotFound: there is no such movie, and none can be made with this id or without a title.
    """
    counts, refused = upsert_movies({0: MovieChange(name, values)}, by)
    if refused:
        raise refused[0]
    movie_id = name if isinstance(name, int) else ids.require_id(name)
    return db.session.get_one(Movie, movie_id, populate_existing=True), counts.new == 1


def make_plan(sent: Mapping[int, MovieChange]) -> Plan:
    """Return what these rows make of the stored movies."""
    plan = read_stored(sent)
    for index, (name, values) in sent.items():
        try:
            apply(plan, name, values)
            plan.met += 1
        except RecsiteError as error:
            plan.refused[index] = error
    return plan


def read_stored(sent: Mapping[int, MovieChange]) -> Plan:
    """Return a plan with the stored movies that these rows name, or whose ids they would take."""
    names = {change.name for change in sent.values()}
    refs = {name: ids.parse(name) for name in names if isinstance(name, str)}
    site_refs = {ids.Ref("site", change.values["site_id"]) for change in sent.values() if change.values.get("site_id")}
    imdb_refs = {ids.Ref("imdb", change.values["imdb_id"]) for change in sent.values() if change.values.get("imdb_id")}
    found = ids.find_ids({*refs.values(), *site_refs, *imdb_refs})
    wanted = {name for name in names if isinstance(name, int)} | set(found.values())
    stored: dict[int, Values] = {}
    for block in in_blocks(sorted(wanted)):
        columns = (movies.c[name] for name in COLUMNS)
        rows = run(sa.select(movies.c.id, *columns).where(movies.c.id.in_(block)))
        stored.update((row.id, row._asdict()) for row in rows)
    by_name: dict[Name, int] = {ref: found[ref] for ref in (*refs.values(), *imdb_refs) if ref in found}
    by_name |= {
        ids.Ref("site", values["site_id"]): movie_id for movie_id, values in stored.items() if values["site_id"]
    }
    return Plan(stored, by_name=by_name | {movie_id: movie_id for movie_id in stored})


def to_name(sent: int | str) -> Name:
    """Return the name as the plan has it."""
    if isinstance(sent, int):
        return sent
    ref = ids.parse(sent)
    return int(ref.value) if ref.kind == "tmdb" else ref


def apply(plan: Plan, sent: int | str, values: Values) -> None:
    """Add one row to the plan; raise a RecsiteError, and leave the plan as it was, if it cannot be saved."""
    name = to_name(sent)
    movie_id = find_in(plan, name, values)
    is_new = movie_id is None
    if movie_id is None:
        movie_id, before = new_movie(plan, sent)
    else:
        before = plan.wanted.get(movie_id) or plan.stored[movie_id]
    after = before | values
    check(sent, before, after, is_new=is_new)
    own, former = (ids.Ref("site", values["site_id"]) for values in (after, before))
    if own.value and plan.by_name.get(own, movie_id) != movie_id:
        raise IdTaken(f"The site_id {own.value} belongs to another movie, {plan.by_name[own]}.")
    if is_new:
        plan.by_name[name] = movie_id
    if after["imdb_id"]:
        # Of several movies with one IMDb id the first counts.
        plan.by_name.setdefault(ids.Ref("imdb", after["imdb_id"]), movie_id)
    if former != own:
        plan.by_name.pop(former, None)
    if own.value:
        plan.by_name[own] = movie_id
    plan.wanted[movie_id] = after


def check(sent: int | str, before: Values, after: Values, *, is_new: bool) -> None:
    """Raise a RecsiteError unless a movie that is sent by this name may have these values."""
    if not after["title"]:
        raise NotFound(f"The movie {sent} is not stored yet, and title is missing.")
    if len(after["genres"]) > LONGEST_GENRES:
        raise InvalidInput(f"genres must have at most {LONGEST_GENRES} characters together.")
    # Sent again, a movie with another id than the one it is named by would be another new movie.
    for column in ("site_id", "imdb_id"):
        if is_new and before[column] not in (None, after[column]):
            raise InvalidInput(f"{column} must be that in {sent}, or be left out; the movie is not stored yet.")


def find_in(plan: Plan, name: Name, values: Values) -> int | None:
    """Return the id of the movie that a row names; None for one that is to be made.

    A site's own id that is not known yet is given to the movie with the row's IMDb id, unless that has one already.
    """
    found = plan.by_name.get(name)
    if found is None and isinstance(name, ids.Ref) and name.kind == "site" and values.get("imdb_id"):
        found = plan.by_name.get(ids.Ref("imdb", values["imdb_id"]))
        if found is not None and (plan.wanted.get(found) or plan.stored[found])["site_id"]:
            return None
        if found is not None:
            values.setdefault("site_id", name.value)
    return found


def new_movie(plan: Plan, sent: int | str) -> tuple[int, Values]:
    """Return the id and the first values of a movie that a row names; raise MovieNotFound if none can be made."""
    kind, value = ids.Ref("tmdb", sent) if isinstance(sent, int) else ids.parse(sent)
    if not ids.is_possible(kind, value):
        raise MovieNotFound(sent)
    if kind == "tmdb":
        return int(value), EMPTY | {"id": int(value)}
    column = {"site": "site_id", "imdb": "imdb_id", "movielens": "movielens_id"}[kind]
    # As imports number movies without a TMDB id, so that a later import of MovieLens finds it.
    movie_id = MOVIE_ID_WITHOUT_TMDB + int(value) if kind == "movielens" else -len(plan.wanted) - 1
    return movie_id, EMPTY | {"id": movie_id, column: value}


def find_new(plan: Plan) -> list[Values]:
    """Return the movies that are not stored."""
    return [values for movie_id, values in plan.wanted.items() if movie_id not in plan.stored]


def find_changed(plan: Plan) -> list[Values]:
    """Return the stored movies that differ, ordered by id."""
    return [values for movie_id, values in sorted(plan.wanted.items()) if plan.stored.get(movie_id, values) != values]


def write(new: Iterable[Values], changed: Iterable[Values], stored: Mapping[int, Values]) -> None:
    """Insert new movies, which get their ids, and update changed ones."""
    changed_ids = [values["id"] for values in changed]
    for block in in_blocks(changed_ids):
        lock(LOCK_SOME, ids=block)
    sent = table_of({"id": sa.Integer, **COLUMNS}, [[row["id"], *(row[name] for name in COLUMNS)] for row in changed])
    # A unique id that moves from one movie to another must be free in between.
    freed = [row["id"] for row in changed if stored[row["id"]]["site_id"] not in (None, row["site_id"])]
    for block in in_blocks(freed):
        run(sa.update(movies).where(movies.c.id.in_(block)).values(site_id=None))
    run(sa.update(movies).where(movies.c.id == sent.c.id).values({name: sent.c[name] for name in COLUMNS}))
    largest = db.session.scalar(sa.select(sa.func.max(movies.c.id)).where(movies.c.id >= FIRST_SITE_MOVIE_ID))
    next_id = (largest or FIRST_SITE_MOVIE_ID - 1) + 1
    for row in new:
        if row["id"] < 0:
            row["id"], next_id = next_id, next_id + 1
    names = ("id", "movielens_id", *COLUMNS)
    sent = table_of(
        {"id": sa.Integer, "movielens_id": sa.Integer, **COLUMNS}, [[row[name] for name in names] for row in new]
    )
    run(sa.insert(movies).from_select(names, sa.select(*(sent.c[name] for name in names))))


def record(by: str, new: list[Values], changed: list[Values], stored: Mapping[int, Values]) -> None:
    """Add an audit entry: with the values for one movie, else with numbers."""
    if len(new) + len(changed) > 1:
        audit.record(by, "send movies", "movie", "", "a batch", after={"new": len(new), "changed": len(changed)})
        return
    (row,) = [*new, *changed]
    before = stored.get(row["id"], {})
    action = "edit movie" if before else "add movie"
    audit.record(by, action, "movie", row["id"], row["title"], before=as_json(before), after=as_json(row))


def as_json(values: Values) -> Values:
    """Return the values for the audit log."""
    return {name: str(value) if isinstance(value, date) else value for name, value in values.items() if name != "id"}
