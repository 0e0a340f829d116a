"""A small data set in the form of the newer MovieLens ones, and what the tables say after importing it."""

from pathlib import Path

import sqlalchemy as sa

from recsite.extensions import db
from recsite.storage.tables import Movie, Rating

MOVIES_CSV = """\
movieId,title,genres
1,Toy Story (1995),Adventure|Animation|Children|Comedy|Fantasy
2,"Matrix, The (1999)",Action|Sci-Fi|IMAX
3,"Postman, The (Postino, Il) (1994)",(no genres listed)
4,Babylon 5,Musical
"""
LINKS_CSV = """\
movieId,imdbId,tmdbId
1,0114709,862
2,0133093,603
3,0110877,11010
4,0105946,
"""
RATINGS_CSV = """\
userId,movieId,rating,timestamp
1,1,4.0,964982703
1,2,3.5,964982224
2,1,0.5,1445714835
2,4,5.0,1445714836
"""


def data_set(parent: Path) -> Path:
    """Write a folder `ml` with four movies, one without a TMDB id, and four ratings by two users."""
    folder = parent / "ml"
    folder.mkdir()
    write(folder, "movies.csv", MOVIES_CSV)
    write(folder, "links.csv", LINKS_CSV)
    write(folder, "ratings.csv", RATINGS_CSV)
    return folder


def write(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    """Write a file of this text without changing its line ends."""
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def rating_of(user_id: int, movie_id: int) -> float | None:
    """Return all ratings of the table."""
    value: float | None = db.session.scalar(
        sa.select(Rating.value).where(Rating.user_id == user_id, Rating.movie_id == movie_id)
    )
    return value


def movie(movie_id: int) -> Movie:
    """Return the movie from the database."""
    db.session.expire_all()
    return db.session.get_one(Movie, movie_id)


def all_rows() -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    tables = [table for table in db.metadata.sorted_tables if table.name != "dataset_imports"]
    return {
        table.name: [tuple(row) for row in db.session.execute(sa.select(table).order_by(*table.primary_key.columns))]
        for table in tables
    }
