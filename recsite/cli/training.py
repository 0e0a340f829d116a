"""Training, measuring and tuning: `flask train`, `flask evaluate`, `flask tune`."""

import json
import time
from dataclasses import asdict
from typing import Any

import click

from recsite import jobs
from recsite.cli.failure import Command, operator
from recsite.cli.model import activate_or_refuse, say_queued
from recsite.cli.progress import shown_progress
from recsite.config import TRAINING_LIMITS
from recsite.versions import evaluation, plan, training, tuning


@click.command("train", cls=Command)
@click.option("--activate", is_flag=True, help="Make the new version the active one.")
@click.option("--epochs", type=click.IntRange(*TRAINING_LIMITS["epochs"]), help="Passes over the ratings.")
@click.option("--factors", type=click.IntRange(*TRAINING_LIMITS["factors"]), help="Factors per user and per movie.")
@click.option("--folds", type=click.IntRange(*TRAINING_LIMITS["folds"]), help="Held-out folds to measure on.")
@click.option(
    "--seed", type=click.IntRange(*TRAINING_LIMITS["seed"]), help="Seed of the folds and of the first factors."
)
@click.option("--queue", is_flag=True, help="Queue it for the workers, which share its pieces.")
@click.option("--plan", "is_plan", is_flag=True, help="Print ratings, time, memory and disk; write nothing.")
def train(*, activate: bool, queue: bool, is_plan: bool, **chosen: Any) -> None:
    """Train a version on all ratings, measure it on held-out folds, and save it."""
    if is_plan:
        found = plan.make_plan(training.set_up_from_settings(**chosen))
        click.echo(found)
        plan.require_resources(found)
        return
    if queue:
        say_queued(jobs.start("train", operator(), activate=activate, **chosen))
        return
    with shown_progress("pieces") as on_progress:
        version = training.train(training.set_up_from_settings(**chosen), on_progress)
    click.echo(
        f"{version.version_name}: RMSE {version.rmse:.4f}, MAE {version.mae:.4f} stars on "
        f"{version.metrics['folds']} held-out folds; {version.rating_count} ratings, "
        f"{version.user_count} users, {version.movie_count} movies."
    )
    if missing := evaluation.missing_reason(version.metrics):
        click.echo(f"Its lists could not be measured: {missing}.")
    if activate:
        activate_or_refuse(version.version_name, reason="flask train --activate")
    else:
        click.echo(f"Not active yet: flask models activate {version.version_name}")


@click.command("tune", cls=Command)
@click.option(
    "--minutes",
    type=click.FloatRange(0, 10_000, min_open=True),
    default=10.0,
    show_default=True,
    help="Time to search.",
)
@click.option("--seed", type=click.IntRange(*TRAINING_LIMITS["seed"]), help="Seed of the search and of the splits.")
def tune(minutes: float, seed: int | None) -> None:
    """Search for better settings of the ranker, and print them for the environment; nothing is changed.

    Each is judged by NDCG@10 on splits by time that end before each user's latest fifth. Ctrl-C gives the best so far.
    """
    set_up = training.set_up_from_settings(seed=seed)
    _, ratings = training.read_ratings()
    started = time.monotonic()

    def show(tried: int, best: float) -> None:
        left = max(0.0, 60 * minutes - (time.monotonic() - started))
        click.echo(f"{tried} tried, best NDCG@10 {best:.4f}, {left:.0f} s left", err=True)

    found = tuning.tune(ratings, set_up.ranker, set_up.model.seed, 60 * minutes, show)
    click.echo(
        f"# {found.tried} tried. NDCG@10 searched for: now {found.inner['now']:.4f}, best {found.inner['best']:.4f}"
    )
    for split, figures in found.outer.items():
        held_out = "each user's latest fifth, which was not searched" if split == "time" else "a random fifth"
        click.echo(f"# On {held_out}:")
        for name, q in figures.items():
            ndcg, margin = cell(q.ndcg_at_10, 6, 4), cell(q.ndcg_margin, 6, 4)
            click.echo(f"#   {name:<10} {ndcg} ± {margin}, {q.distinct_movies} different movies")
    for name in tuning.TUNED:
        click.echo(f"# now {getattr(set_up.ranker, name):g}")
        click.echo(f"{training.ranker_setting(name)}={getattr(found.best, name):g}")


@click.command("evaluate", cls=Command)
@click.option("--folds", type=click.IntRange(*TRAINING_LIMITS["folds"]), help="Held-out folds for RMSE and MAE.")
@click.option(
    "--seed", type=click.IntRange(*TRAINING_LIMITS["seed"]), help="Seed of the splits and of the first factors."
)
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
def evaluate(folds: int | None, seed: int | None, is_json: bool) -> None:
    """Measure the configured model on held-out ratings and compare it with baselines."""
    set_up = training.set_up_from_settings(folds, seed=seed)
    _, ratings = training.read_ratings()
    with shown_progress("set-ups") as on_progress:
        found = evaluation.evaluate(ratings, set_up.model, set_up.ranker, set_up.folds, on_progress)
    if is_json:
        click.echo(json.dumps(asdict(found), indent=1))
        return
    click.echo(f"{'split':<7} {'set-up':<13} NDCG@10      ± recall@10 distinct overlap  lift  seconds")
    for each in found.ranking:
        q = each.quality
        click.echo(
            f"{each.split:<7} {each.setup:<13} {cell(q.ndcg_at_10, 7, 4)} {cell(q.ndcg_margin, 6, 4)} "
            f"{cell(q.recall_at_10, 9, 4)} "
            f"{q.distinct_movies:>8} {cell(q.mean_overlap, 7, 3)} {cell(q.popularity_lift, 5, 2)} {each.seconds:>8.1f}"
        )
    click.echo(f"± is half of the 95 % interval over users; lists of {found.ranking[0].quality.users} users.")
    for reason in dict.fromkeys(reason for each in found.ranking for reason in each.quality.reasons.values()):
        click.echo(f"– {reason}")
    click.echo(f"\n{'diversity':<9} NDCG@10  similarity within a list (split by time)")
    for mixed in found.diversity:
        click.echo(f"{mixed.diversity:<9g} {cell(mixed.ndcg_at_10, 7, 4)} {cell(mixed.intra_list_similarity, 22, 4)}")
    click.echo(
        f"\n{'rating model':<21} {'RMSE':>7} {'MAE':>7}  seconds ({set_up.folds} folds, seed {set_up.model.seed})"
    )
    for model in found.rating:
        errors = model.errors
        click.echo(f"{model.setup:<21} {errors.rmse_heldout:>7.4f} {errors.mae_heldout:>7.4f} {model.seconds:>8.1f}")


def cell(figure: float | None, width: int, decimals: int) -> str:
    """Return the figure for a column of a table, '–' where there is none."""
    return f"{'–':>{width}}" if figure is None else f"{figure:>{width}.{decimals}f}"


commands: tuple[click.Command, ...] = (train, tune, evaluate)
