"""What the person who starts an import says about the file."""

from dataclasses import dataclass

from recsite.ratings.importers import scales
from recsite.ratings.importers.scales import Scale

FORMATS = {
    "movielens": "MovieLens",
    "movietweetings": "MovieTweetings",
    "movies-dataset": "The Movies Dataset",
    "tmdb": "TMDB's details of movies",
    "letterboxd": "Letterboxd",
    "imdb": "IMDb",
    "trakt": "Trakt",
    "ratings": "a table of ratings",
}
IDS = ("tmdb", "movielens", "imdb", "site")


@dataclass(frozen=True)
class Options:
    """What is known about a file; None is found out."""

    format: str | None = None
    "One of FORMATS."
    encoding: str | None = None
    scale_name: str | None = None
    "One of scales.NAMES."
    ids: str | None = None
    "Whose ids movies have, one of IDS."
    user_offset: int = 0
    "What is added to each user id."
    accept_refused: bool = False
    "Whether to save the rest where more than 5 % of the rows are refused."
    user: str | None = None
    "The name of the account whose ratings a personal export has."

    @property
    def scale(self) -> Scale | None:
        """Return the named scale."""
        return scales.named(self.scale_name) if self.scale_name else None
