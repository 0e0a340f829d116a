"""Users and movies by the site's own ids."""

from recsite import movies
from recsite.extensions import db
from recsite.storage.tables import Movie
from tests.conftest import TrainedWorld
from tests.web.clients import Client


def test_include_ids_names_the_movie_as_others_do(client: Client, scored: TrainedWorld) -> None:
    movie = db.session.get_one(Movie, 13)
    movie.imdb_id, movie.site_id = "tt0109830", "SKU-13"
    movies.bump_catalog()
    db.session.commit()

    (item,) = client.get("/api/suggestions/?user_id=1&include=ids").json["suggestions"]

    assert item["ids"] == {"tmdb": 13, "imdb": "tt0109830", "movielens": None, "site": "SKU-13"}
