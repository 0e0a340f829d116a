"""What the tests of imports share."""

from datetime import date

import pytest
from flask import Flask

from recsite.extensions import db
from recsite.storage.tables import Movie, MovieAlias
from tests.ratings.importing import GODFATHER, HEAT, PULP_FICTION, TOY_STORY


@pytest.fixture
def four_films(app: Flask) -> None:
    """Four films, of which three have ids of MovieLens and IMDb; Heat has a second one of MovieLens."""
    films = (
        Movie(id=HEAT, title="Heat", release_date=date(1995, 12, 15), movielens_id=6, imdb_id="tt0113277"),
        Movie(
            id=PULP_FICTION, title="Pulp Fiction", release_date=date(1994, 9, 10), movielens_id=296, imdb_id="tt0110912"
        ),
        Movie(id=TOY_STORY, title="Toy Story", release_date=date(1995, 10, 30), movielens_id=1, imdb_id="tt0114709"),
        Movie(id=GODFATHER, title="The Godfather", release_date=date(1972, 3, 14), site_id="SKU-12"),
    )
    db.session.add_all(films)
    db.session.flush()
    db.session.add(MovieAlias(movielens_id=144606, movie_id=HEAT))
    db.session.commit()
