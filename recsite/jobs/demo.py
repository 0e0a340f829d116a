"""Fill an empty site for a demonstration: data, a trained and active version, suggestions, two logins."""

import csv
import http.client
import json
import logging
import secrets
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import current_app

from recsite import accounts, movies, suggestions, versions
from recsite.extensions import db
from recsite.ml.progress import Progress, ignore
from recsite.ratings.importers import detection, movie_rows, sample
from recsite.ratings.importers.movie_rows import MovieFields
from recsite.ratings.importers.options import Options
from recsite.ratings.importers.report import Count
from recsite.storage.tables import Rating, User
from recsite.suggestions.quality import coverage
from recsite.versions import training

MOVIELENS_URL = "https://files.grouplens.org/datasets/movielens/ml-latest-small.zip"
MOVIELENS_NOTE = (
    "MovieLens ml-latest-small by GroupLens, University of Minnesota: for research and trying out; no commercial use "
    "without their permission (F. M. Harper and J. A. Konstan, ACM TiiS 5(4), 2015)."
)
DOWNLOAD_SECONDS = 5
"Timeout of the download; after it the bundled sample is used."
LARGEST_DOWNLOAD_BYTES = 20 * 1024 * 1024
SAMPLE_SEED = 1
SAMPLE_PARAMETERS = {"factors": 20, "epochs": 40, "regularization": 0.05}
"The sample has a tenth of MovieLens' movies. With fewer factors its held-out error is lower."
LOGINS = ("admin", "visitor")
VISITOR_RATINGS = {949: 5.0, 680: 4.5, 238: 5.0, 27205: 4.0, 862: 3.0, 597: 1.5, 11: 3.5, 500: 4.5}
"Of Heat, Pulp Fiction, The Godfather, Inception, Toy Story, Titanic, Star Wars and Reservoir Dogs, in stars."

Say = Callable[[str], None]
log = logging.getLogger(__name__)


def fill(data: Path | None, details: Path | None, say: Say, on_progress: Progress = ignore) -> dict[str, str]:
    """Fill the site and return the passwords of its logins by name; skip the steps that are already done.

    1. Load data: the MovieLens folder or zip `data`, else MovieLens from GroupLens, else the bundled sample.
       Add TMDB's `details`, if there are any.
    2. Create the two logins.
    3. Train and activate a version.
    4. Store suggestions for every user with ratings.
    """
    parameters: dict[str, Any] = {}
    if db.session.scalar(sa.select(Rating.user_id).limit(1)) is None:
        parameters = load_data(data, say, on_progress)
    else:
        say("The site already has ratings, so no data was loaded.")
    if details is not None:
        say(f"Details: {detection.load(details, Options('tmdb'), on_progress).report.summary()}")
    passwords = create_logins()
    if versions.find_active() is None:
        say("Training …")
        version = training.train(training.set_up_from_settings(**parameters), on_progress)
        versions.activate(version.version_name, "flask demo", reason="the first version of the demo")
        say(f"{version.version_name}: RMSE {version.rmse:.3f} stars on held-out ratings; it is active.")
    if db.session.scalar(sa.select(User.id).where(User.list_version_id.is_not(None)).limit(1)) is None:
        written = suggestions.rescore(suggestions.all_user_ids(), on_progress=on_progress)
        coverage.measure()
        say(f"Wrote {written} suggestions.")
    return passwords


def load_data(data: Path | None, say: Say, on_progress: Progress) -> dict[str, Any]:
    """Load the best available data, say which, and return the training parameters that suit it."""
    if data is not None:
        say(f"Data: {data}")
        say(detection.load(data, Options("movielens"), on_progress).report.summary())
        return {}
    with tempfile.TemporaryDirectory() as folder:
        archive = download(Path(folder) / "ml-latest-small.zip")
        if archive is not None:
            say(f"Data: {MOVIELENS_URL}\n{MOVIELENS_NOTE}")
            say(detection.load(archive, Options("movielens"), on_progress).report.summary())
            return {}
    say(
        "Data: the bundled sample, because GroupLens could not be reached. It has 220 well-known films and SIMULATED "
        "ratings of 500 people who do not exist."
    )
    load_sample(on_progress)
    return dict(SAMPLE_PARAMETERS)


def download(target: Path) -> Path | None:
    """Download the MovieLens archive into this file; return None if the network does not allow it."""
    try:
        with urllib.request.urlopen(MOVIELENS_URL, timeout=DOWNLOAD_SECONDS) as answer:
            target.write_bytes(answer.read(LARGEST_DOWNLOAD_BYTES))
    except (OSError, http.client.HTTPException) as error:  # no name, no route, a timeout or a truncated response
        log.info("cannot download MovieLens: %s", error)
        return None
    # A network with a login page answers every request with that page.
    return target if zipfile.is_zipfile(target) else None


def load_sample(on_progress: Progress) -> None:
    """Import the bundled films and ratings in the same way as any data set."""
    films = [
        MovieFields(
            id=film.movie_id,
            title=film.title,
            overview=film.overview,
            release_date=film.release_date,
            genres="|".join(film.genres),
            movielens_id=film.movielens_id,
            imdb_id=film.imdb_id,
        )
        for film in sample.sample_movies()
    ]
    movie_rows.save_movies(films, lambda there, given: given, Count())
    movies.bump_catalog()
    db.session.commit()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ratings.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(("user_id", "movie_id", "rating", "timestamp"))
            for user_id, movie_id, value, at in sample.simulated_ratings(SAMPLE_SEED):
                rows.writerow((user_id, movie_id, value, int(at.timestamp())))
        detection.load(path, Options("ratings"), on_progress)


def create_logins() -> dict[str, str]:
    """Create an admin and a visitor with random passwords, if they do not exist; return the passwords by name.

    The passwords are stored beside the secret key, readable only by their owner, so that every start can print them.
    """
    path = Path(current_app.instance_path) / "demo_logins.json"
    passwords: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    for name in LOGINS:
        if accounts.find_user_or_none(name) is not None:
            continue
        passwords[name] = secrets.token_urlsafe(9)
        user = accounts.create_user(name, password=passwords[name], is_admin=name == "admin")
        if name == "visitor":
            suggestions.add_missing(user.id, VISITOR_RATINGS)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(passwords))
    return {name: passwords[name] for name in LOGINS if name in passwords}
