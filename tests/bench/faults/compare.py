"""How a site that had a fault differs from one that had none."""

import json
import urllib.request
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from recsite import suggestions, versions
from recsite.extensions import db
from recsite.ml.files import open_version
from recsite.storage.tables import Movie, Suggestion, User
from recsite.suggestions.scoring import score_users
from recsite.versions.active import LoadedVersion, recommender
from tests.bench.faults.site import RATERS, USERS, Site

CLOSE = 1e-9
"In stars: lists made one by one and in blocks differ in the last bits."
SHOWN = 50


def broken_versions() -> list[str]:
    """Files of versions that are not as they were written, or that no version has; what latest.pkl should be."""
    found = [f"{name}: {problem}" for name, problem in versions.verify().items() if problem]
    return found + [str(path) for path in versions.folder().glob(".*")]


def lists_follow() -> bool:
    """Whether everybody's stored list is made from their ratings; within the milliseconds of a rating one is not."""
    behind = sa.select(sa.func.count()).where(User.list_rating_generation != User.rating_generation)
    return not db.session.scalar(behind)


def differing_lists(site: Site) -> list[str]:
    """Suggestion rows that scoring everybody in this process changes, and users whom the site answers otherwise."""
    recommender.follow_now()
    user_ids = range(1, USERS + 1)
    answered = {user_id: ask(site, user_id) for user_id in user_ids}
    before = rows()
    suggestions.rescore(user_ids)
    after = rows()
    changed = [pair for pair in before.keys() | after.keys() if not is_close(before.get(pair), after.get(pair))]
    found = [f"row {pair}: {before.get(pair)}, not {after.get(pair)}" for pair in changed]
    for user_id, ids in answered.items():
        if ids != [item.movie_id for item in suggestions.best_for(user_id, suggestions.ListOptions(limit=SHOWN)).items]:
            found.append(f"answer for user {user_id}")
    return found


def ask(site: Site, user_id: int) -> list[int]:
    """The movies that the site suggests to the user, the best first."""
    with urllib.request.urlopen(f"{site.address}/api/suggestions/?user_id={user_id}", timeout=10) as response:
        return [item["id"] for item in json.load(response)["suggestions"]]


def rows() -> dict[tuple[int, int], tuple[int, bool, int | None, float]]:
    """What scoring decides of every suggestion, by user and movie."""
    db.session.rollback()
    columns = (Suggestion.rank, Suggestion.active, Suggestion.model_version_id, Suggestion.value)
    found = db.session.execute(sa.select(Suggestion.user_id, Suggestion.movie_id, *columns))
    return {(row[0], row[1]): (row[2], row[3], row[4], row[5]) for row in found}


def is_close(one: tuple[Any, ...] | None, other: tuple[Any, ...] | None) -> bool:
    """Whether two rows of `rows` are the same but for the last bits of the value."""
    return one is not None and other is not None and one[:-1] == other[:-1] and abs(one[-1] - other[-1]) < CLOSE


def lists_by(version_name: str) -> dict[int, list[tuple[int, float]]]:
    """Movies with values, the best first, that this version suggests to each user whose ratings do not change."""
    version = versions.find(version_name)
    opened = open_version(versions.folder() / version_name, version.manifest_sha256)
    lists = score_users(
        LoadedVersion(version.id, version_name, opened), [u for u in range(1, USERS + 1) if u not in RATERS]
    )
    return {
        each.user_id: list(zip(each.movie_ids.tolist(), each.values.tolist(), strict=True))[:SHOWN] for each in lists
    }


def agrees(told: dict[str, Any], expected: Sequence[tuple[int, float]]) -> bool:
    """Whether a reader was told this list, whole and of one version."""
    got = [(item["id"], item["value"]) for item in told["suggestions"]]
    return [movie for movie, _ in got] == [movie for movie, _ in expected] and all(
        abs(value - wanted) < 1e-6 for (_, value), (_, wanted) in zip(got, expected, strict=True)
    )


def averages() -> dict[int, tuple[int, float | None]]:
    """How many ratings each movie has, and their mean."""
    found = db.session.execute(sa.select(Movie.id, Movie.rating_count, Movie.rating_avg))
    return {movie: (count, mean and round(mean, 9)) for movie, count, mean in found}
