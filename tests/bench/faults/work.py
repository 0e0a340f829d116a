"""What goes on while a process is killed, when it is done, and how it differs from the same undisturbed."""

import csv
import json
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import sqlalchemy as sa

from recsite import jobs, movies, versions
from recsite.extensions import db
from recsite.storage.tables import Activation, ModelVersion, Movie, Rating, User
from tests.bench.faults.admin import Admin
from tests.bench.faults.compare import agrees, averages, broken_versions, differing_lists, lists_by
from tests.bench.faults.load import Told
from tests.bench.faults.site import MOVIES, Site, is_alive, looping


class Serving:
    """Nothing but readers and raters; what the other activities have in common."""

    victims: Sequence[str] = ("worker", "web", "redis", "postgresql")
    keeps_ratings = False
    "Whether raters say again what they said before."
    has_jobs = False
    "Whether workers do it."
    midway_seconds = 3.0

    def __init__(self, site: Site, undisturbed: "Serving | None") -> None:
        """`undisturbed` is the same activity, done before with nobody killed."""
        self.site, self.undisturbed = site, undisturbed
        self.seconds = 0.0
        "How long it took, once it is done."

    def begin(self) -> None:
        """It goes on when this returns."""
        self.began_at = time.monotonic()

    def is_midway(self) -> bool:
        """Whether it is time to kill."""
        return time.monotonic() - self.began_at >= self.midway_seconds

    def is_done(self) -> bool:
        """Whether all that was asked for is done."""
        return True

    def find_differing(self, told: Sequence[Told]) -> list[str]:
        """Rows, lists and files that are not what they are when nobody is killed; `told` is what readers got."""
        return differing_lists(self.site)

    def end(self) -> None:
        """The site is as the next activity expects it."""


class Scoring(Serving):
    """Everybody is scored by a queued run."""

    victims = ("worker", "horse", "web", "redis", "postgresql")
    has_jobs = True
    kind = "score"
    parameters: ClassVar[Mapping[str, Any]] = {}
    midway = 0.3

    def begin(self) -> None:
        super().begin()
        self.run_id = jobs.start(self.kind, "bench", **self.parameters)

    def is_midway(self) -> bool:
        run = jobs.find(self.run_id)
        if not run.is_live:
            raise RuntimeError(f"The {self.kind} run was over before its middle was seen; it takes more work.")
        return bool(run.total and run.done >= self.midway * run.total)

    def is_done(self) -> bool:
        return not jobs.find(self.run_id).is_live

    def find_differing(self, told: Sequence[Told]) -> list[str]:
        return self.find_unfinished() + super().find_differing(told)

    def find_unfinished(self) -> list[str]:
        """The run, unless it did all that was asked for."""
        run = jobs.find(self.run_id)
        return [] if run.is_whole else [f"the run {run.state_text}: {run.error}"]


class Training(Scoring):
    """A version is trained by a queued run, on ratings that stay as they are."""

    kind = "train"
    parameters: ClassVar[Mapping[str, Any]] = {"folds": 10, "epochs": 100}
    "Enough for some seconds."
    keeps_ratings = True

    def begin(self) -> None:
        self.known = set(versions.names())
        super().begin()

    def find_differing(self, told: Sequence[Told]) -> list[str]:
        """One new version, the same to the byte, and no file of another."""
        new = [version for version in versions.list_versions() if version.version_name not in self.known]
        self.sha256 = [version.sha256 for version in new]
        wanted = self.undisturbed.sha256 if isinstance(self.undisturbed, Training) else self.sha256[:1]
        found = [] if self.sha256 == wanted else [f"new versions are {[version.version_name for version in new]}"]
        return found + self.find_unfinished() + broken_versions()


class Importing(Serving):
    """A MovieLens folder of new people, new movies and known ones is imported, again until it succeeds."""

    victims = ("command", "web", "redis", "postgresql")
    users, rated, offset = 3_000, 60, 100_000
    new_movies = range(2_001, 2_201)
    midway_seconds = 2.5

    def begin(self) -> None:
        folder = self.site.folder / "movielens"
        folder.mkdir(exist_ok=True)
        rng = np.random.default_rng(5)
        movie_ids = [*range(1, MOVIES + 1), *self.new_movies]
        self.ratings = {
            (user + self.offset, int(movie)): float(rng.integers(1, 11)) / 2
            for user in range(1, self.users + 1)
            for movie in rng.choice(movie_ids, self.rated, replace=False)
        }
        write(folder / "movies.csv", "movieId,title,genres", [(m, f"Movie {m} (1999)", "Drama") for m in movie_ids])
        write(folder / "links.csv", "movieId,imdbId,tmdbId", [(m, "", m) for m in movie_ids])
        rows = [(u - self.offset, m, value, 1_000_000_000) for (u, m), value in self.ratings.items()]
        write(folder / "ratings.csv", "userId,movieId,rating,timestamp", rows)
        self.midway_seconds = self.undisturbed.seconds * 0.6 if self.undisturbed else self.midway_seconds
        super().begin()
        self.loop = ExitStack()
        command = (sys.executable, "-m", "flask", "import", "movielens", str(folder), "--user-offset", str(self.offset))
        self.loop.enter_context(looping(self.site, "command", *command))

    def is_done(self) -> bool:
        # The loop ends with the command's success.
        return not any(is_alive(pid) for pid in self.site.loops["command"])

    def find_differing(self, told: Sequence[Told]) -> list[str]:
        """Ratings and movies are those of the files, and the averages those of the ratings."""
        of_new = sa.select(Rating.user_id, Rating.movie_id, Rating.value).where(Rating.user_id > self.offset)
        there = {(user, movie): value for user, movie, value in db.session.execute(of_new)}
        titled = sa.select(Movie.id).where(Movie.title == sa.func.concat("Movie ", Movie.id))
        wrong_movies = set(db.session.scalars(titled)) ^ {*range(1, MOVIES + 1), *self.new_movies}
        before = averages()
        movies.refresh_all_averages()
        found = [f"rating {pair}" for pair in there.items() ^ self.ratings.items()]
        found += [f"movie {movie_id}" for movie_id in wrong_movies]
        found += [f"averages of movie {pair}" for pair in before.items() ^ averages().items()]
        return found + super().find_differing(told)

    def end(self) -> None:
        self.loop.close()
        del self.site.loops["command"]
        db.session.execute(sa.delete(User).where(User.id > self.offset))
        db.session.execute(sa.delete(Movie).where(Movie.id.in_(self.new_movies)))
        movies.refresh_all_averages()
        db.session.commit()


class Activating(Serving):
    """An admin moves the pointer to and fro, and asks again where no answer came; then everybody is scored."""

    victims = ("web", "redis", "postgresql")
    midway_seconds = 4.0
    pause_seconds, moves = 1.5, 4

    def begin(self) -> None:
        self.names = [version.version_name for version in reversed(versions.list_versions())][:2]
        self.expected = {name: lists_by(name) for name in reversed(self.names)}
        self.admin = Admin(self.site.address)
        self.admin.log_in()
        self.moved = 0
        super().begin()

    def is_midway(self) -> bool:
        """Moves the pointer meanwhile; the kill comes while the second move is on its way."""
        if self.moved < 2 and time.monotonic() - self.began_at >= self.moved * self.pause_seconds:
            self.moved += 1
            self.admin.ask_for(self.names[self.moved % 2])
            return self.moved == 2
        return False

    def is_done(self) -> bool:
        if self.admin.is_waiting():
            return False
        if self.moved < self.moves or not self.admin.was_answered:
            self.moved += self.admin.was_answered
            self.admin.ask_for(self.names[self.moved % 2])
            return False
        return not any(run.is_live for run in jobs.list_latest(5))

    def find_differing(self, told: Sequence[Told]) -> list[str]:
        """One version is active, the last one asked for; latest.pkl and the history say so; no answer mixed two."""
        active = list(db.session.scalars(sa.select(ModelVersion.version_name).where(ModelVersion.is_active)))
        last = db.session.scalar(sa.select(Activation).order_by(Activation.id.desc()).limit(1))
        assert last is not None
        if not active == [self.names[self.moved % 2]] == [last.version.version_name]:
            return [f"{active} is active, {last.version.version_name} was activated"]
        mixed = [
            f"{each.version_name} for user {each.user_id}"
            for each in told
            if not agrees(json.loads(each.body), self.expected.get(each.version_name or "", {}).get(each.user_id, []))
        ]
        return mixed + broken_versions() + super().find_differing(told)


def write(path: Path, header: str, lines: Sequence[tuple[Any, ...]]) -> None:
    """A CSV file."""
    with path.open("w", newline="") as file:
        file.write(f"{header}\n")
        csv.writer(file).writerows(lines)


ACTIVITIES: dict[str, type[Serving]] = {
    "score": Scoring,
    "train": Training,
    "import": Importing,
    "activate": Activating,
    "serving": Serving,
}
