"""The movies of MovieLens' data sets in their three file formats, each read into the same rows."""

from collections.abc import Iterator

from recsite.ratings.importers.files import File
from recsite.ratings.importers.report import Report
from recsite.ratings.importers.tables import Row, TextTable, select

GENRES_100K = (
    "unknown|Action|Adventure|Animation|Children's|Comedy|Crime|Documentary|Drama|Fantasy|"
    "Film-Noir|Horror|Musical|Mystery|Romance|Sci-Fi|Thriller|War|Western"
)
"Genres in the order of u.item's flags."
DAT_MOVIES = ("movie", "title", "genres")
DAT_RATINGS = ("userId", "movieId", "rating", "timestamp")
ITEM_COLUMNS = ("movie", "title", "released", "video", "url", *GENRES_100K.split("|"))


def read_movie_rows(file: File, report: Report, encoding: str | None) -> Iterator[Row]:
    """Yield rows of MovieLens id, title with year, genres joined by '|', and the day of release as 30-Jan-1995, or ''.

    Args:
        file: movies.csv (latest, 20m to 32m), movies.dat (1m, 10m) or u.item (100k).
        report: where rows are counted.
        encoding: None finds it out: the older ones are in Latin-1.
    """
    if file.name.lower() == "u.item":
        table = TextTable(file, encoding, header=ITEM_COLUMNS, separator="|")
        return ((line, item_row(row)) for line, row in table.rows(report.movies, report))
    if file.name.lower().endswith(".dat"):
        table = TextTable(file, encoding, header=DAT_MOVIES, separator="::")
        return ((line, [*row, ""]) for line, row in table.rows(report.movies, report))
    return select(TextTable(file, encoding), "movieId title genres", "released", report.movies, report)


def item_row(row: list[str]) -> list[str]:
    """Return id, title, genres and day of a row of u.item, which has a flag for each genre."""
    movie, title, day, _, _, *flags = row
    genres = [genre for genre, flag in zip(GENRES_100K.split("|"), flags, strict=True) if flag == "1"]
    return [movie, title, "|".join(genres), day]


def rating_table(file: File, encoding: str | None) -> TextTable:
    """Return the table of ratings.csv, ratings.dat or u.data."""
    name = file.name.lower()
    if name.endswith(".dat"):
        return TextTable(file, encoding, header=DAT_RATINGS, separator="::")
    if name == "u.data":
        return TextTable(file, encoding, header=DAT_RATINGS, separator="\t")
    return TextTable(file, encoding)


def has_imdb_ids(file: File) -> bool:
    """Return whether the movies of a movies.dat have IMDb's numbers of seven digits, as MovieTweetings writes them."""
    with file.open() as opened:
        ids = [line.partition(b"::")[0] for line in opened.stream.readlines(4096)]
    return bool(ids) and all(len(each) >= 7 and each.isdigit() for each in ids)
