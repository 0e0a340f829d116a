"""Finding out what a folder, archive or file has, and its import."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from recsite.errors import BrokenDataset
from recsite.ml.progress import Progress, ignore
from recsite.ratings.history import rating_files
from recsite.ratings.importers import kept, movielens, movies_dataset, personal, ratings_csv, tmdb
from recsite.ratings.importers.files import SPREADSHEETS, File, Folder, join_names, open_folders
from recsite.ratings.importers.headings import find_columns, has_movie, normalize
from recsite.ratings.importers.movielens import MovieLensFiles
from recsite.ratings.importers.movielens_formats import has_imdb_ids
from recsite.ratings.importers.movies_dataset import MoviesDatasetFiles
from recsite.ratings.importers.options import FORMATS, Options
from recsite.ratings.importers.records import open_table
from recsite.ratings.importers.report import Outcome
from recsite.ratings.importers.tables import TextTable, quote_line

TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".dat", ".data", ".json", ".jsonl", ".ndjson", ".parquet")
ARCHIVES = (".zip", ".tar", ".tgz", ".7z", ".rar")
METADATA = "movies_metadata.csv"
METADATA_HEADINGS = {"id", "title"}
DETAILS = {"overview", "releasedate", "genres", "genre", "posterpath"}
PAIRS = (
    ("movies.csv", "ratings.csv", "links.csv"),
    ("movie.csv", "rating.csv", "link.csv"),
    ("movies.dat", "ratings.dat", "links.csv"),
    ("u.item", "u.data", "links.csv"),
)
"Files of movies, ratings and links in MovieLens' data sets, the second as Kaggle spells them."
MAX_TABLES = 20
"Files of a folder that are looked into."
RATINGS_AND_LINKS = (
    *(("ratings.csv", "links.csv"), ("ratings_small.csv", "links_small.csv")),
    *(("ratings_small.csv", "links.csv"), ("ratings.csv", "links_small.csv")),
)
"Files of The Movies Dataset in the order of preference."


INCLUDED = {"movietweetings": ("movielens",), "movies-dataset": ("movielens",)}
"Formats, each with the other names by which the options may ask for it."


class Found(NamedTuple):
    """What a path was found to have."""

    format: str
    "One of options.FORMATS."
    load: Callable[[Options, Progress], Outcome]


def load(path: Path, options: Options, on_progress: Progress = ignore) -> Outcome:
    """Find out what this folder, archive or file has, and import it; all or nothing, save for details of movies.

    The report's `forms` say what was found. Ratings of a person's export are proposed, see `history`, and not saved.

    Raises:
        BrokenDataset: nothing known was found, the file cannot be read, its ids do not fit, or too many rows are
            refused. Nothing was saved.
    """
    with open_folders(path) as folders:
        found = detect(path, folders, options)
        sha256 = kept.sha256_of(path, folders[0] if folders else {})
        options = replace(options, format=found.format, source=str(path), sha256=sha256)
        outcome = found.load(options, on_progress)
        outcome.report.forms.insert(0, f"{path} is {FORMATS[found.format]}")
        return outcome


def detect(path: Path, folders: Sequence[Folder], options: Options) -> Found:
    """Return what the folders have, of the format that the options name; raise BrokenDataset if it is nothing known."""
    found: dict[str, Found] = {}
    for folder in folders:
        place = place_of(folder)
        if found and place.count("/") > min(each.count("/") for each in found):
            break
        try:
            kind = detect_in(folder, options, has_any_name=path.is_file())
        except BrokenDataset:
            if not found:
                raise
            continue
        if kind:
            found[place] = kind
    if len(found) > 1:
        names = "; ".join(f"{place} ({FORMATS[kind.format]})" for place, kind in found.items())
        raise BrokenDataset(f"{path} has several data sets: {names}. Import one of them by its own path, unpacked.")
    if not found:
        raise BrokenDataset(f"{path} has no {wanted_files(options.format)}. {describe(path, folders)}")
    return next(iter(found.values()))


def place_of(folder: Folder) -> str:
    """Return the path of a folder, also within an archive."""
    return str(PurePosixPath(next(iter(folder.values())).label).parent)


def detect_in(folder: Folder, options: Options, *, has_any_name: bool) -> Found | None:
    """Return what one folder has, of the format that the options name."""
    # Somebody names this file, whatever its suffix.
    find_a_table = partial(find_table, has_any_name=has_any_name)
    files = {name.lower(): file for name, file in folder.items()}
    for find in (find_movies_dataset, find_movielens, find_personal, find_a_table):
        found = find(files, options)
        if found and options.format in (None, found.format, *INCLUDED.get(found.format, ())):
            return found
    return None


def describe(path: Path, folders: Sequence[Folder]) -> str:
    """Return for a message what is there: the first line of a single file, which should name columns, or the names."""
    files = [file for folder in folders for file in folder.values()]
    archives = sorted(file.name for file in files if file.name.lower().endswith(ARCHIVES + SPREADSHEETS))
    if path.is_file() and len(files) == 1 and not archives:
        header = ",".join(open_table(files[0]).header)
        return f"The first line of {files[0].name} should name the columns and is {quote_line(header)}."
    hint = ""
    if archives:
        is_sheet = archives[0].lower().endswith(SPREADSHEETS)
        hint = f" Save {archives[0]} as CSV." if is_sheet else f" Unpack {archives[0]}, or import it by itself."
    return f"Found {join_names(folders)}.{hint}"


def wanted_files(name: str | None) -> str:
    """Return for a message what was looked for."""
    pairs = "; or ".join(", ".join(names) for names in PAIRS)
    return {
        "movielens": f"MovieLens data set: {pairs}",
        "tmdb": f"{METADATA} or other CSV with the columns id and title",
        None: "data set that recsite knows: the folder or zip of MovieLens, The Movies Dataset, MovieTweetings; an "
        "export of Letterboxd, IMDb or Trakt; details of movies with id and title; or ratings with columns for user, "
        "movie and rating",
    }.get(name, f"{FORMATS.get(name or '')} in it")


def find_movies_dataset(files: Mapping[str, File], options: Options) -> Found | None:
    """Return The Movies Dataset if its details, ratings and links are there; raise BrokenDataset without its links."""
    for ratings, links in RATINGS_AND_LINKS:
        if {METADATA, ratings, links} <= files.keys():
            data = MoviesDatasetFiles(files[METADATA], files[ratings], files[links])
            return Found("movies-dataset", partial(movies_dataset.load, data))
    rated = [ratings for ratings, _ in RATINGS_AND_LINKS if {METADATA, ratings} <= files.keys()]
    if rated and options.format is None:
        raise BrokenDataset(
            f"{files[rated[0]]} has MovieLens' ids, and there is no links.csv or links_small.csv beside it that brings "
            f"them to {METADATA}. Add it, or take the details alone with --format tmdb."
        )
    return None


def find_movielens(files: Mapping[str, File], options: Options) -> Found | None:
    """Return MovieLens, or MovieTweetings with IMDb's numbers, if movies and ratings of one form are there."""
    for movies, ratings, links in PAIRS:
        if not {movies, ratings} <= files.keys():
            continue
        if movies.endswith(".csv") and not has_columns(files[movies], options, "movieid", "title"):
            continue
        is_imdb = movies == "movies.dat" and (options.ids == "imdb" or has_imdb_ids(files[movies]))
        data = MovieLensFiles(files[movies], files[ratings], files.get(links), is_imdb)
        name = "movietweetings" if is_imdb else "movielens"
        return Found(name, partial(movielens.load, data))
    return None


def has_columns(file: File, options: Options, *names: str) -> bool:
    """Return whether the file is a table with these columns, written as `normalize` does."""
    return set(names) <= {normalize(name) for name in TextTable(file, options.encoding).header}


def find_personal(files: Mapping[str, File], options: Options) -> Found | None:
    """Return a person's export, whose rows name no user."""
    if options.format == "ratings":
        return None
    rating_files.check_is_whole(files)
    try:
        found = personal.find_file(files, options)
    except BrokenDataset:
        # `find_table` says what is wrong with the file.
        return None
    return Found(found[0], partial(personal.load, found[1])) if found else None


def find_table(files: Mapping[str, File], options: Options, *, has_any_name: bool = False) -> Found | None:
    """Return the one table of ratings or of details of movies; raise BrokenDataset if there are several."""
    tables = {name: file for name, file in files.items() if name.endswith(TABLE_SUFFIXES) or "." not in name}
    if has_any_name and len(files) == 1:
        tables = dict(files)
    found = {}
    for name, file in list(tables.items())[:MAX_TABLES]:
        try:
            kind = table_of(file, options)
        except BrokenDataset:
            if len(tables) == 1:
                raise
            continue
        if kind and options.format in (None, kind.format):
            found[name] = kind
    if METADATA in found and len(found) > 1:
        return found[METADATA]
    if len(found) > 1:
        raise BrokenDataset(f"Several files could be meant: {', '.join(sorted(found))}. Name one of them.")
    return next(iter(found.values()), None)


def table_of(file: File, options: Options) -> Found | None:
    """Return what a single table has, None if it is nothing known."""
    if file.name.lower() == "u.data" and not options.ids:
        raise BrokenDataset(
            f"{file} has the movie ids of MovieLens 100k, which no other data set has. Import its folder with u.item, "
            "or say with --ids movielens that this site has them."
        )
    table = open_table(file, options.encoding)
    columns = find_columns(table.header)
    if ("user" in columns and "rating" in columns and has_movie(columns)) or options.format == "ratings":
        return Found("ratings", partial(ratings_csv.load, table))
    names = {normalize(name) for name in table.header}
    if (names >= METADATA_HEADINGS and names & DETAILS) or options.format == "tmdb":
        return Found("tmdb", lambda options, progress: Outcome(tmdb.load(file, options, progress)))
    return None
