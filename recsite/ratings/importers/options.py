"""What the person who starts an import says about the file."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from recsite.errors import BrokenDataset
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
    "personal": "one person's ratings",
    "ratings": "a table of ratings",
}
IDS = ("tmdb", "movielens", "imdb", "site")


def unknown_users(site_ids: Collection[str]) -> dict[str, int]:
    """Raise BrokenDataset: the caller did not say how users get ids."""
    raise BrokenDataset(f"User ids such as {min(site_ids)!r} are no numbers.")


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
    user_id: int | None = None
    "The account whose ratings a person's export has."

    operator: str = ""
    "Who imports."
    source: str = ""
    "The path, and `sha256` that of its content; `detection.load` sets both, and the format that it found."
    sha256: str = ""
    add_site_users: Callable[[Collection[str]], dict[str, int]] = unknown_users
    "Returns the ids of users by the site's own ids, and creates those who are missing; does not commit."

    @property
    def scale(self) -> Scale | None:
        """Return the named scale."""
        return scales.named(self.scale_name) if self.scale_name else None
