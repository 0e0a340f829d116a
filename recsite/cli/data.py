"""`flask import …` and `flask export …`: data sets into the database, and CSV files out of it."""

from pathlib import Path

import click

from recsite.cli.failure import Group
from recsite.cli.progress import shown_progress
from recsite.ratings import exports
from recsite.ratings.importers import movielens, ratings_csv, tmdb
from recsite.ratings.importers.rating_rows import LOST_USERS, UNKNOWN_MOVIE
from recsite.ratings.importers.report import Report

PLACES_SHOWN = 5
"Places printed per reason of a refusal."

path_argument = click.argument("path", type=click.Path(path_type=Path))
user_offset_option = click.option(
    "--user-offset",
    type=click.IntRange(min=0),
    default=0,
    help="Add this to every user id of the data set.",
)


@click.group("import", cls=Group)
def import_group() -> None:
    """Import a data set; importing it again changes nothing."""


@import_group.command("movielens")
@path_argument
@user_offset_option
def import_movielens(path: Path, user_offset: int) -> None:
    """Import movies, users and ratings of a MovieLens folder or zip."""
    with shown_progress("bytes") as on_progress:
        report = movielens.load(path, user_offset, on_progress)
    print_report(report)
    fail_if_users_are_lost(report)


@import_group.command("tmdb")
@path_argument
def import_tmdb(path: Path) -> None:
    """Import titles, overviews, dates, genres and posters from a CSV of TMDB's movies."""
    with shown_progress("bytes") as on_progress:
        report = tmdb.load(path, on_progress)
    print_report(report)


@import_group.command("ratings")
@path_argument
@user_offset_option
@click.option("--movielens-ids", is_flag=True, help="The movie ids of the file are MovieLens ids, not TMDB ids.")
def import_ratings(path: Path, user_offset: int, movielens_ids: bool) -> None:
    """Import ratings from a CSV with the columns user_id, movie_id, rating and, optionally, timestamp."""
    with shown_progress("bytes") as on_progress:
        report = ratings_csv.load(path, user_offset, movielens_ids, on_progress)
    print_report(report)
    if UNKNOWN_MOVIE in report.refused and not movielens_ids:
        click.echo("Movie ids are read as TMDB ids. If the file has MovieLens ids, add --movielens-ids.")
    fail_if_users_are_lost(report)


@click.group("export", cls=Group)
def export_group() -> None:
    """Write CSV files to media/exports/, which 'flask import' can read."""


@export_group.command("ratings")
def export_ratings() -> None:
    """Write all ratings."""
    with shown_progress("ratings") as on_progress:
        path = exports.export_ratings(on_progress)
    click.echo(f"Wrote {path}")


@export_group.command("movies")
def export_movies() -> None:
    """Write all movies."""
    with shown_progress("movies") as on_progress:
        path = exports.export_movies(on_progress)
    click.echo(f"Wrote {path}")


def print_report(report: Report) -> None:
    """Print the number of new, changed and refused rows, then reasons and places of the refusals."""
    outcomes = ("read", "new", "changed", "unchanged", "merged", "refused")
    click.echo(" " * 8 + "".join(f"{outcome:>12}" for outcome in outcomes))
    for kind, count in report.counts().items():
        click.echo(f"{kind:<8}" + "".join(f"{getattr(count, outcome):>12,}" for outcome in outcomes))
    for reason, number in report.refused.most_common():
        places = [f"{refusal.file}:{refusal.line} ({refusal.given!r})" for refusal in report.refusals[reason]]
        more = ", …" if number > PLACES_SHOWN else ""
        click.echo(f"{number:,} refused: {reason}\n    {', '.join(places[:PLACES_SHOWN])}{more}")


def fail_if_users_are_lost(report: Report) -> None:
    """Raise ClickException if all ratings of some users were refused, so that a script notices."""
    number = sum(report.refused[reason] for reason in LOST_USERS)
    if number:
        raise click.ClickException(
            f"{number:,} ratings were refused because of their users (see above). The other rows are saved."
        )


commands: tuple[click.Command, ...] = (import_group, export_group)
