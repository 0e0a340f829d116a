"""`flask import …` and `flask export …`: data sets into the database, and CSV files out of it."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from recsite import accounts, suggestions
from recsite.accounts import site_ids
from recsite.cli.failure import Group, operator
from recsite.cli.progress import shown_progress
from recsite.config import LIST_LENGTH_LIMITS
from recsite.extensions import db
from recsite.ratings import export_files, exports
from recsite.ratings.importers import detection, kept, kept_files, scales
from recsite.ratings.importers.options import FORMATS, IDS, Options
from recsite.ratings.importers.rating_rows import LOST_USERS
from recsite.ratings.importers.report import Refusal, Report, TooManyRefused
from recsite.suggestions import exports as suggestion_exports

PLACES_SHOWN = 5
"Places printed per reason of a refusal."

path_argument = click.argument("path", type=click.Path(path_type=Path))


def import_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that every import takes."""
    for option in reversed(IMPORT_OPTIONS):
        command = option(command)
    return command


IMPORT_OPTIONS = (
    click.option("--encoding", help="Encoding of the text, such as windows-1252; found out by default."),
    click.option(
        "--scale",
        "scale_name",
        type=click.Choice(scales.NAMES),
        help="Scale of the ratings; found out by default. Ratings between half stars are rounded.",
    ),
    click.option("--ids", type=click.Choice(IDS), help="Whose ids the movies have."),
    click.option(
        "--user-offset", type=click.IntRange(min=0), default=0, help="Add this to every user id of the data set."
    ),
    click.option("--user", help="The account whose ratings a personal export has."),
    click.option("--accept-refused", is_flag=True, help="Import the rest if more than 5 % of the rows are refused."),
    click.option("--json", "as_json", is_flag=True, help="Print the report as JSON."),
)


class ImportGroup(Group):
    """`flask import PATH` is `flask import any PATH`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command of this name, or the one that finds out what the path has."""
        if args and self.get_command(ctx, args[0]) is None:
            args = ["any", *args]
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take options before the path, too."""
        if args and args[0].startswith("-") and args[0] != "--help":
            args = ["any", *args]
        return super().parse_args(ctx, args)


@click.group("import", cls=ImportGroup, subcommand_metavar="PATH | COMMAND PATH [OPTIONS]")
def import_group() -> None:
    """Import a data set; importing it again changes nothing. PATH alone finds out what it has."""


@import_group.command("any", hidden=True)
@path_argument
@click.option("--format", "format_name", type=click.Choice(list(FORMATS)), help="What the path has.")
@import_options
def import_any(path: Path, format_name: str | None, as_json: bool, **options: Any) -> None:
    """Find out what a folder, archive or file has, and import it."""
    run_import(path, options_of(format_name, **options), as_json)


@import_group.command("movielens")
@path_argument
@import_options
def import_movielens(path: Path, as_json: bool, **options: Any) -> None:
    """Import movies, users and ratings of a MovieLens folder or zip."""
    run_import(path, options_of("movielens", **options), as_json)


@import_group.command("tmdb")
@path_argument
@import_options
def import_tmdb(path: Path, as_json: bool, **options: Any) -> None:
    """Import titles, overviews, dates, genres and posters from a CSV of TMDB's movies."""
    run_import(path, options_of("tmdb", **options), as_json)


@import_group.command("ratings")
@path_argument
@import_options
@click.option("--movielens-ids", is_flag=True, help="The same as --ids movielens.")
def import_ratings(path: Path, as_json: bool, movielens_ids: bool, **options: Any) -> None:
    """Import ratings from a CSV with the columns user_id, movie_id, rating and, optionally, timestamp."""
    if movielens_ids:
        options["ids"] = "movielens"
    run_import(path, options_of("ratings", **options), as_json)


@import_group.command("list")
def list_imports() -> None:
    """List the imports of data sets, newest first; * marks those that can be undone."""
    kept_ids = kept_files.try_ids()
    for each in kept.list_imports():
        mark = "*" if kept.can_be_undone(each, kept_ids) else " "
        state = f"undone by {each.undone_by}" if each.undone_at else f"by {each.imported_by}"
        counts = each.report.get("counts", {}).get("ratings", {})
        numbers = f"{counts.get('new', 0):,} new, {counts.get('changed', 0):,} changed ratings"
        click.echo(f"{each.id:>4}{mark} {each.imported_at:%Y-%m-%d %H:%M}  {each.source}  {numbers}  {state}")


@import_group.command("undo")
@click.argument("import_id", type=int)
def undo_import(import_id: int) -> None:
    """Take the ratings of an import back: replaced ones are restored, new ones deleted. Movies and users stay."""
    left = kept.undo(import_id, operator())
    click.echo(f"Import {import_id} is undone." + (f" {left:,} ratings were changed since and stay." if left else ""))


def options_of(format_name: str | None, user: str | None, **options: Any) -> Options:
    """Return the options of an import; raise UserNotFound if no account has this name."""
    user_id = accounts.find_user(user).id if user else None
    return Options(
        format_name, user_id=user_id, operator=operator(), add_site_users=site_ids.find_or_add_user_ids, **options
    )


def run_import(path: Path, options: Options, as_json: bool) -> None:
    """Import and print the report; raise ClickException if rows were lost that the operator has to know of."""
    try:
        with shown_progress("rows") as on_progress:
            report, history_import = detection.load(path, options, on_progress)
    except TooManyRefused as error:
        print_report(error.report, as_json)
        raise
    if history_import is not None and options.user_id is not None:
        saved = suggestions.save_import(options.user_id, history_import, replace=True)
        db.session.commit()
        report.ratings.new, report.ratings.changed = saved.report["new"], saved.report["other"]
        report.ratings.settle()
    print_report(report, as_json)
    fail_if_users_are_lost(report)


@click.group("export", cls=Group)
def export_group() -> None:
    """Write files to media/exports/; 'flask import' can read those of ratings and movies."""


@export_group.command("ratings")
def export_ratings() -> None:
    """Write all ratings."""
    with shown_progress("ratings") as on_progress:
        path = exports.export_ratings(on_progress)
    click.echo(f"Wrote {export_files.address_of(path)}")


@export_group.command("movies")
def export_movies() -> None:
    """Write all movies."""
    with shown_progress("movies") as on_progress:
        path = exports.export_movies(on_progress)
    click.echo(f"Wrote {export_files.address_of(path)}")


@export_group.command("suggestions")
@click.option(
    "--top", type=click.IntRange(*LIST_LENGTH_LIMITS), default=50, show_default=True, help="Movies of each list."
)
@click.option("--format", "file_format", type=click.Choice(export_files.FORMATS), default="csv", show_default=True)
def export_suggestions(top: int, file_format: str) -> None:
    """Write the list of every user who has ratings."""
    with shown_progress("users") as on_progress:
        path = suggestion_exports.export_suggestions(top, file_format, on_progress)
    click.echo(f"Wrote {export_files.address_of(path)}")


def print_report(report: Report, as_json: bool) -> None:
    """Print what the files were taken for, the numbers of rows, then reasons and places of refusals."""
    if as_json:
        click.echo(json.dumps(report.as_json(), ensure_ascii=False, indent=2))
        return
    for form in report.forms:
        click.echo(form)
    outcomes = ["read", "new", "changed", "unchanged", "merged", "refused"]
    if any(count.left_out for count in report.counts().values()):
        outcomes.append("left_out")
    click.echo(" " * 8 + "".join(f"{outcome.replace('_', ' '):>12}" for outcome in outcomes))
    for kind, count in report.counts().items():
        click.echo(f"{kind:<8}" + "".join(f"{getattr(count, outcome):>12,}" for outcome in outcomes))
    print_reasons(report.refused, report.refusals, "refused", report.ways_out)
    print_reasons(report.emptied, report.emptied_rows, "saved without the field", report.ways_out)
    for reason, number in report.left_out.most_common():
        click.echo(f"{number:,} left out: {reason}")


def print_reasons(
    numbers: Counter[str], rows: dict[str, list[Refusal]], what: str, ways_out: Mapping[str, str]
) -> None:
    """Print each reason with its number, first places and way out."""
    for reason, number in numbers.most_common():
        places = [f"{row.file}:{row.line} ({row.given!r})" for row in rows.get(reason, [])]
        more = ", …" if number > PLACES_SHOWN else ""
        click.echo(f"{number:,} {what}: {reason}\n    {', '.join(places[:PLACES_SHOWN])}{more}")
        if reason in ways_out:
            click.echo(f"    {ways_out[reason]}")


def fail_if_users_are_lost(report: Report) -> None:
    """Raise ClickException if all ratings of some users were refused, so that a script notices."""
    number = sum(report.refused[reason] for reason in LOST_USERS)
    if number:
        raise click.ClickException(
            f"{number:,} ratings were refused because of their users (see above). The other rows are saved."
        )


commands: tuple[click.Command, ...] = (import_group, export_group)
