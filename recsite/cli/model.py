"""Versions and scoring: `flask models …`, `flask score`, `flask why`."""

from collections.abc import Sequence

import click

from recsite import jobs, suggestions, versions
from recsite.cli.failure import Command, Group, operator
from recsite.cli.progress import shown_progress
from recsite.config import LIST_LENGTH_LIMITS
from recsite.errors import InvalidInput
from recsite.storage.tables import LARGEST_ID, ModelVersion
from recsite.suggestions.quality import comparison
from recsite.suggestions.quality.comparison import Comparison, Figure, MovedMovie

CONTRIBUTIONS_SHOWN = 10
MOVED_SHOWN = 5
ID = click.IntRange(1, LARGEST_ID)


@click.group("models", cls=Group)
def models() -> None:
    """List, compare, activate, verify and prune the trained versions."""


@models.command("list")
def list_versions() -> None:
    """List all versions, the newest first; * marks the active one."""
    found = versions.list_versions()
    if not found:
        click.echo("No version yet: flask train --activate")
        return
    click.echo(f"  {'name':<20} {'RMSE':>7} {'MAE':>7} {'ratings':>10}  trained (UTC)     files")
    for version in found:
        click.echo(version_line(version))


@models.command("activate")
@click.argument("name")
@click.option("--reason", default="", help="Reason, which is stored with the activation.")
@click.option("--force", is_flag=True, help="Activate it even if it is clearly worse; needs a --reason.")
def activate(name: str, reason: str, force: bool) -> None:
    """Make NAME the active version, unless it is clearly worse; its files are checked first."""
    if not force:
        activate_or_refuse(name, reason)
        return
    if not reason.strip():
        raise InvalidInput("--force needs a --reason TEXT, which is stored with the activation.")
    versions.activate(name, operator(), reason)
    click.echo(f"{name} is active. {jobs.score_after_activation(operator())}")


@models.command("preview")
@click.argument("name")
def preview(name: str) -> None:
    """Show what would change if NAME replaced the active version; this changes nothing."""
    found = comparison.compare(name)
    if found is None:
        active = versions.find_active()
        click.echo(
            f"{name} is the active version." if active else "No version is active, so there is nothing to compare with."
        )
        return
    click.echo(f"{'':<32} {found.active_name:>14} {found.proposed_name:>14}   change")
    for figure in found.figures:
        click.echo(figure_line(figure))
    click.echo()
    for line in list_lines(found):
        click.echo(line)
    click.echo()
    click.echo(f"{name} is clearly worse:" if found.objections else f"{name} is not clearly worse.")
    for objection in found.objections:
        click.echo(f"  {objection}")


@models.command("rollback")
@click.option("--reason", default="", help="Reason, which is stored with the activation.")
def roll_back(reason: str) -> None:
    """Activate the version that the active one replaced."""
    version = versions.roll_back(operator(), reason)
    click.echo(f"{version.version_name} is active again. {jobs.score_after_activation(operator())}")


@models.command("verify")
def verify() -> None:
    """Check the files of every version; the exit code is 1 if any is missing or changed."""
    problems = versions.verify()
    for name, problem in problems.items():
        click.echo(f"{name}: {problem or 'ok'}")
    if not problems:
        click.echo("No version yet: flask train --activate")
    if any(problems.values()):
        raise click.exceptions.Exit(1)


@models.command("prune")
@click.option("--keep", type=click.IntRange(1), default=5, show_default=True, help="Newest versions to keep.")
def prune(keep: int) -> None:
    """Remove the files of old versions, but never of the active version or of the one before it."""
    gone = versions.prune(keep, operator())
    click.echo(f"Removed the files of {len(gone)} versions{': ' + ', '.join(gone) if gone else ''}.")


@click.command("score", cls=Command)
@click.option("--user", "user_ids", type=ID, multiple=True, help="Only this user; may be repeated.")
@click.option(
    "--recent",
    type=click.IntRange(1, 3650),
    metavar="DAYS",
    help="Only users who rated or visited in the last DAYS days.",
)
@click.option("--movie", "movie_id", type=ID, help="Print the --user's predicted rating of this movie; write nothing.")
@click.option("--top", type=click.IntRange(*LIST_LENGTH_LIMITS), help="Suggestions per user.")
@click.option("--queue", is_flag=True, help="Queue it for a worker.")
@click.option("--plan", "is_plan", is_flag=True, help="Print users, rows, memory and time; write nothing.")
def score(
    user_ids: tuple[int, ...], recent: int | None, movie_id: int | None, top: int | None, queue: bool, is_plan: bool
) -> None:
    """Upsert suggestions for all users, or for the chosen ones."""
    if movie_id is not None:
        if len(user_ids) != 1 or recent or top or queue or is_plan:
            raise InvalidInput("--movie needs exactly one --user and no other option.")
        click.echo(prediction_line(user_ids[0], movie_id))
        return
    if user_ids and recent:
        raise InvalidInput("--user and --recent cannot be combined.")
    if queue:
        subject = "some users" if user_ids or recent else ""
        chosen = suggestions.require_user_ids(user_ids) or None
        say_queued(jobs.start("score", operator(), subject, user_ids=chosen, recent_days=recent, top=top))
        return
    who = list(user_ids) or (suggestions.recent_user_ids(recent) if recent else suggestions.all_user_ids())
    if is_plan:
        click.echo(plan_line(suggestions.plan_scoring(who, top)))
        return
    with shown_progress("users") as on_progress:
        written = suggestions.rescore(who, top, on_progress)
    click.echo(f"Wrote {written} suggestions for {len(who)} users.")


@click.command("why", cls=Command)
@click.argument("user_id", metavar="USER", type=ID)
@click.argument("movie_id", metavar="MOVIE", type=ID)
def why(user_id: int, movie_id: int) -> None:
    """Explain which ratings of USER lead to MOVIE, or which rule keeps it out of the list."""
    explanation = suggestions.explain(user_id, movie_id)
    if explanation.kept_out_by:
        click.echo(f"{explanation.title} is not in the list: {explanation.kept_out_by}.")
    else:
        click.echo(f"{explanation.title} is at rank {explanation.rank}.")
    if explanation.prediction:
        click.echo(predicted_line(explanation.prediction))
    if explanation.score is not None:
        click.echo(f"Ranking score: {explanation.score:.4f}, of which")
        for each in explanation.contributions[:CONTRIBUTIONS_SHOWN]:
            click.echo(f"  {each.share:+.4f}  {each.title} (rated {each.rating:g})")
        rest = explanation.contributions[CONTRIBUTIONS_SHOWN:]
        if rest:
            click.echo(f"  {sum(each.share for each in rest):+.4f}  {len(rest)} other ratings")


def predicted_line(prediction: suggestions.Prediction) -> str:
    """Return the predicted rating as a line; none is stated of a movie that the version was not trained on."""
    if not prediction.knows_movie:
        return "Predicted rating: none, because the version was trained without ratings of this movie"
    low = ", so that the movie stands behind all others" if suggestions.stands_low(prediction.value) else ""
    return f"Predicted rating: {prediction.value:.2f} stars{low}"


def say_queued(run_id: int) -> None:
    """Print that a run is queued and how to follow it."""
    click.echo(f"Queued as run {run_id}. A worker ('flask worker') runs it; 'flask runs list' shows its progress.")


def prediction_line(user_id: int, movie_id: int) -> str:
    """Return the predicted rating, with a note if the model does not know the user or the movie."""
    prediction = suggestions.predict_one(user_id, movie_id)
    notes = [] if prediction.knows_user else [f"user {user_id} has no ratings"]
    notes += [] if prediction.knows_movie else [f"movie {movie_id} was not trained on"]
    return f"{prediction.value:.4f}" + (f" ({' and '.join(notes)}: an average, not personal)" if notes else "")


def plan_line(plan: suggestions.Plan) -> str:
    """Return the plan of a scoring as one sentence."""
    return (
        f"{plan.users} users, up to {plan.rows} rows, about {plan.memory_bytes / 2**20:.0f} MiB at a time, "
        f"about {plan.seconds:.1f} s of scoring before the rows are written."
    )


def activate_or_refuse(name: str, reason: str) -> None:
    """Activate the version and print that, or raise ClickException with the reasons why it is clearly worse."""
    worse = comparison.activate_unless_worse(name, operator(), reason)
    if worse is not None:
        reasons = "".join(f"\n  {objection}" for objection in worse.objections)
        raise click.ClickException(
            f"{name} is clearly worse than {worse.active_name}, which stays active:{reasons}\n"
            f"To activate it anyway: flask models activate {name} --force --reason TEXT"
        )
    click.echo(f"{name} is active. {jobs.score_after_activation(operator())}")


def figure_line(figure: Figure) -> str:
    """Return the row of the table that compares one figure of both versions."""
    change = "" if figure.change is None else f"{figure.change:+.1%}"
    active, proposed = comparison.format_figure(figure.active), comparison.format_figure(figure.proposed)
    return f"{figure.name:<32} {active:>14} {proposed:>14} {change:>8}"


def list_lines(found: Comparison) -> list[str]:
    """Return lines that describe how users' lists would change."""
    if found.overlap is None:
        return ["There are no ratings, so there are no lists to compare."]
    return [
        f"The lists of {found.users} users (ten movies each) have {found.overlap:.0%} of their movies in common.",
        f"Coming in: {moved_line(found.entering)}",
        f"Going out: {moved_line(found.leaving)}",
    ]


def moved_line(movies: Sequence[MovedMovie]) -> str:
    """Return the number of movies, and the titles that are in the most lists."""
    titles = ", ".join(f"{movie.title} ({movie.lists})" for movie in movies[:MOVED_SHOWN])
    return f"{len(movies)} movies, most often {titles}" if movies else "none"


def version_line(version: ModelVersion) -> str:
    """Return the row of the table for this version."""
    mark = "*" if version.is_active else " "
    state = "there" if version.pruned_at is None else f"removed {version.pruned_at:%Y-%m-%d}"
    figures = f"{version.rmse:>7.4f} {version.mae:>7.4f} {version.rating_count:>10}"
    return f"{mark} {version.version_name:<20} {figures}  {version.created_at:%Y-%m-%d %H:%M}  {state}"


commands: tuple[click.Command, ...] = (models, score, why)
