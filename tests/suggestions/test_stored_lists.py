"""Lists read from the table: found by an index, and never with a movie that is gone."""

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import movies
from recsite.extensions import db
from recsite.storage.tables import Movie, Suggestion
from recsite.suggestions.lists import stored
from tests.conftest import TrainedWorld
from tests.web.clients import Client, ids


@pytest.mark.both_databases
def test_another_text_of_a_movie_is_another_answer(client: Client, scored: TrainedWorld) -> None:
    etag = client.get("/api/suggestions/?user_id=1").headers["ETag"]
    db.session.get_one(Movie, 13).overview = "A man on a bench."
    movies.bump_catalog()
    db.session.commit()

    changed = client.get("/api/suggestions/?user_id=1", headers={"If-None-Match": etag})

    assert (changed.status_code, changed.json["suggestions"][0]["overview"]) == (200, "A man on a bench.")


@pytest.mark.both_databases
def test_others_stand_in_for_a_hidden_movie_of_a_stored_list(client: Client, scored: TrainedWorld) -> None:
    first, second, third = ids(client.get("/api/suggestions/?user_id=2"))[:3]
    with db.engine.begin() as connection:
        connection.execute(sa.update(Suggestion).where(Suggestion.user_id == 2).values(value=4.25))
        connection.execute(sa.update(Movie).where(Movie.id == first).values(is_hidden=True))
    movies.bump_catalog()
    db.session.commit()

    items = client.get("/api/suggestions/?user_id=2&limit=2&include=value").json["suggestions"]

    # The value tells that they come from the table, and were not scored anew.
    assert [(item["id"], item["value"]) for item in items] == [(second, 4.25), (third, 4.25)]


def test_a_stored_list_is_found_by_its_index(app: Flask, scored: TrainedWorld) -> None:
    sql = str(stored.STORED.compile(db.engine, compile_kwargs={"literal_binds": False}))

    plan = db.session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", (1, 1, 1, 1, 1, 0, 9, 0)).all()

    assert any("USING INDEX ix_suggestions_user_id_did_rate_rank (user_id=? AND did_rate=?)" in row[3] for row in plan)
    assert not any("TEMP B-TREE" in row[3] for row in plan)
