"""Readers and raters at a fixed rate, who remember what was answered, when, and which ratings were taken."""

import http.client
import itertools
import json
import random
import select
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from recsite import ratings
from recsite.extensions import db
from recsite.storage.tables import Rating, now
from tests.bench.faults.site import MOVIES, RATERS, USERS, token_of

CLIENTS = 32
RATING_SHARE = 0.1
PATIENCE_SECONDS = 10
"Who has no answer by then goes away, and counts as failed."
WATCHED_SHARE = 0.2
"Of the reads: those of users whose ratings do not change, with the values; what they were told is kept."

Pair = tuple[int, int]


@dataclass(frozen=True)
class Answered:
    """One request."""

    sent_at: float
    ended_at: float
    "Both by time.monotonic()."
    status: int
    "0 where the connection broke or nothing came in time."
    can_wait: bool
    "Whether a 503 said when to come again."

    @property
    def is_put_off(self) -> bool:
        """Whether the site said that it cannot answer now, and when it can."""
        return self.status == 503 and self.can_wait

    @property
    def is_failed(self) -> bool:
        """Whether it was neither answered well nor put off."""
        return self.status not in (200, 201) and not self.is_put_off


@dataclass(frozen=True)
class Told:
    """A list as a reader got it."""

    user_id: int
    version_name: str | None
    body: bytes


class Load:
    """So many requests a second by `CLIENTS` connections that are kept alive; `stop` ends it."""

    def __init__(self, port: int, rate: float, seed: str, known: Mapping[int, Sequence[tuple[int, float]]] | None):
        """With `known` (movies and values by user) raters say again what they said before, so that nothing changes."""
        self.port, self.rate, self.known = port, rate, known
        self.answered: list[Answered] = []
        self.told: list[Told] = []
        self.taken: dict[Pair, tuple[float, datetime]] = {}
        "The last value that was acknowledged, and when it was sent."
        self.unsure: dict[Pair, set[float]] = defaultdict(set)
        "Values that were sent and of which nobody said whether they were taken."
        self.n_taken = 0
        self._slots = itertools.count()
        self._began = time.monotonic()
        self._is_over = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=(random.Random(f"{seed}-{n}"), list(RATERS)[n::CLIENTS]))
            for n in range(CLIENTS)
        ]
        for thread in self._threads:
            thread.daemon = True
            thread.start()

    def stop(self) -> None:
        """Every request that was sent has ended."""
        self._is_over.set()
        for thread in self._threads:
            thread.join(2 * PATIENCE_SECONDS)

    def seconds_until_well(self, since: float) -> float:
        """From then to the end of the last request that was not answered well."""
        return max((each.ended_at - since for each in self.answered if each.is_failed or each.is_put_off), default=0.0)

    def count_lost(self) -> int:
        """How many acknowledged ratings the database does not have."""
        db.session.rollback()
        rows = db.session.execute(
            sa.select(Rating.user_id, Rating.movie_id, Rating.value, Rating.timestamp).where(Rating.user_id.in_(RATERS))
        )
        there = {(row.user_id, row.movie_id): (row.value, row.timestamp) for row in rows}
        lost = 0
        for pair, (value, sent_at) in self.taken.items():
            kept, at = there.get(pair, (None, sent_at))
            # The time tells a rating that came twice with one value from the first of the two.
            lost += not ((kept == value and at >= sent_at) or kept in self.unsure[pair])
        return lost

    def _work(self, rng: random.Random, raters: Sequence[int]) -> None:
        """One client: takes the next place in the schedule, waits for its time, asks."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        while True:
            wait = self._began + next(self._slots) / self.rate - time.monotonic()
            if self._is_over.wait(max(wait, 0)):
                break
            if rng.random() < RATING_SHARE:
                # A user's ratings come from one client, and so one after another.
                self._rate(connection, rng, rng.choice(raters))
            else:
                self._read(connection, rng)
        connection.close()

    def _rate(self, connection: http.client.HTTPConnection, rng: random.Random, user_id: int) -> None:
        if self.known is None:
            movie_id, value = rng.randint(1, MOVIES), rng.choice(ratings.VALUES)
        else:
            movie_id, value = rng.choice(self.known[user_id])
        headers = {"Authorization": f"Bearer {token_of(user_id)}", "Content-Type": "application/json"}
        body, sent_at = json.dumps({"movie_id": movie_id, "value": value}).encode(), now()
        # Written down before, for the answer may never come.
        self.unsure[user_id, movie_id].add(value)
        answered, _, _ = self._ask(connection, "POST", "/api/ratings", body, headers)
        if answered.status in (200, 201):
            self.unsure[user_id, movie_id].discard(value)
            self.taken[user_id, movie_id] = (value, sent_at)
            self.n_taken += 1

    def _read(self, connection: http.client.HTTPConnection, rng: random.Random) -> None:
        is_watched = rng.random() < WATCHED_SHARE
        user_id = rng.randint(RATERS[-1] + 1, USERS) if is_watched else rng.randint(1, USERS)
        path = f"/api/suggestions/?user_id={user_id}" + ("&include=value&precision=full" if is_watched else "")
        answered, body, version_name = self._ask(connection, "GET", path)
        if is_watched and answered.status == 200:
            self.told.append(Told(user_id, version_name, body))

    def _ask(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[Answered, bytes, str | None]:
        """What came of the request, the body and the version that it names."""
        if connection.sock is not None and select.select([connection.sock], [], [], 0)[0]:
            # The server closed it while it was idle: as any client does, connect anew.
            connection.close()
        sent_at = time.monotonic()
        status, can_wait, content, version_name = 0, False, b"", None
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            content, status = answer.read(), answer.status
            can_wait, version_name = "Retry-After" in answer.headers, answer.headers["X-Model-Version"]
        except (OSError, http.client.HTTPException):
            connection.close()
        answered = Answered(sent_at, time.monotonic(), status, can_wait)
        self.answered.append(answered)
        return answered, content, version_name
