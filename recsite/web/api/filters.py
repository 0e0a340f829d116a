"""The parameters of every list of movies, for queries and bodies: the filters, and the decimals of numbers."""

from typing import Annotated, Literal, overload

import msgspec
from msgspec import UNSET, Meta, UnsetType

from recsite.movies import MovieFilter
from recsite.web.api.schema import LONGEST_LIST, MovieId
from recsite.web.request.query_string import END, YEARS, parse_years

DECIMALS = 2
"Of stars, unless a request wants all."
LONGEST_GENRE = 100
MOST_GENRES = 10
"In one list; each is looked for in every movie."

Genre = Annotated[
    str,
    # Commas separate names in queries and forms.
    Meta(
        min_length=1,
        max_length=LONGEST_GENRE,
        pattern="^[^,\\u0000]*$",
        title="a name of 1 to 100 characters, without commas",
    ),
]
Years = Annotated[
    str,
    Meta(
        max_length=9,
        pattern=f"^{YEARS.pattern}{END}",
        title="a year or two years, such as 1990-1999",
        description="Only movies released in these years.",
        examples=["1990-1999"],
    ),
]


class Precision(msgspec.Struct, frozen=True, kw_only=True):
    """How many decimals the numbers in stars have."""

    precision: (
        Annotated[
            Literal["full"],
            Meta(description="`full` gives stars with all decimals instead of two.", examples=["full"]),
        ]
        | UnsetType
    ) = UNSET

    @overload
    def rounded(self, stars: float) -> float: ...

    @overload
    def rounded(self, stars: float | None) -> float | None: ...

    def rounded(self, stars: float | None) -> float | None:
        """Return the number with as many decimals as it shall have."""
        return stars if stars is None or self.precision else round(stars, DECIMALS)


class Filters(Precision, frozen=True, kw_only=True):
    """The filters of a list of movies; each that is given has to hold."""

    years: Years | UnsetType = UNSET
    genre: Annotated[
        tuple[Genre, ...],
        Meta(
            max_length=MOST_GENRES,
            description="Only movies of at least one of these genres, in any case.",
            examples=[["Drama", "Crime"]],
        ),
    ] = ()
    without_genre: Annotated[
        tuple[Genre, ...],
        Meta(max_length=MOST_GENRES, description="No movies of any of these genres.", examples=[["Horror"]]),
    ] = ()
    fewest_ratings: Annotated[
        int,
        Meta(ge=0, le=1_000_000_000, description="Only movies with at least this many ratings.", examples=[20]),
    ] = 0
    exclude: Annotated[
        tuple[MovieId, ...],
        Meta(max_length=LONGEST_LIST, description="Movies to leave out, by id.", examples=[[13, 680]]),
    ] = ()

    def as_filter(self) -> MovieFilter:
        """Return the filter that these parameters describe."""
        return MovieFilter(
            years=parse_years(self.years) if self.years else None,
            genres=self.genre,
            without_genres=self.without_genre,
            fewest_ratings=self.fewest_ratings,
            exclude=self.exclude,
        )
