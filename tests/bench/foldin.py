"""Time from a POST /api/ratings to the new list in the database: 10,000 movies, SQLite, one process."""

import tempfile
import time
from pathlib import Path

import flask_migrate
import numpy as np
import sqlalchemy as sa

from recsite import accounts, create_app, movies, versions
from recsite.config import ROOT
from recsite.extensions import db
from recsite.storage.tables import Movie, Rating, User, now
from recsite.versions import training

USERS, MOVIES, RATED = 2_000, 10_000, 60
POSTS = 300


def fill() -> str:
    """Fill the site with movies, users, ratings and an active version; return the token of a user."""
    rng = np.random.default_rng(1)
    db.session.execute(sa.insert(Movie), [{"id": m, "title": f"Movie {m}"} for m in range(1, MOVIES + 1)])
    db.session.execute(sa.insert(User), [{"id": u, "username": f"user-{u}"} for u in range(1, USERS + 1)])
    rows = [
        {"user_id": u, "movie_id": int(m), "value": float(rng.integers(1, 11)) / 2, "timestamp": now()}
        for u in range(1, USERS + 1)
        for m in rng.choice(MOVIES, RATED, replace=False) + 1
    ]
    db.session.execute(sa.insert(Rating), rows)
    movies.refresh_all_averages()
    version = training.train(training.set_up_from_settings(folds=2, epochs=2))
    versions.activate(version.version_name, "bench")
    return accounts.create_token(accounts.create_user("rater"))


def main() -> None:
    """Print percentiles of the time of a rating, without the first fifty."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {"DATABASE_URL": f"sqlite:///{folder}/db", "MEDIA_ROOT": Path(folder), "SECRET_KEY": "bench"}
        app = create_app(settings | {"TESTING": True, "RANKER_MOST_MOVIES": 3_000})
        with app.app_context():
            flask_migrate.upgrade(directory=str(ROOT / "migrations"))
            token = fill()
        client, headers = app.test_client(), {"Authorization": f"Bearer {token}"}
        milliseconds = []
        for post in range(POSTS):
            body = {"movie_id": post % 100 + 1, "value": 0.5 + post % 10 / 2}
            started = time.perf_counter()
            answer = client.post("/api/ratings", json=body, headers=headers)
            milliseconds.append((time.perf_counter() - started) * 1000)
            assert answer.status_code in (200, 201), answer.text
        p50, p95, p99 = np.percentile(milliseconds[50:], (50, 95, 99))
        print(f"A rating, {MOVIES:,} movies, up to 100 own: p50 {p50:.1f}, p95 {p95:.1f}, p99 {p99:.1f} ms")  # noqa: T201


if __name__ == "__main__":
    main()
