"""The parameters of lists of suggestions, for queries and bodies."""

from typing import Annotated, Literal, get_args

import msgspec
from msgspec import UNSET, Meta, UnsetType

from recsite.suggestions import ListOptions
from recsite.web.api.filters import Filters, Precision
from recsite.web.api.schema import MovieId, MovieRef, SiteUser, Stars, UserId
from recsite.web.request.query_string import END

MAX_LIMIT = 100
MAX_OFFSET = 1_000
"Skipping movies takes time in proportion to their number."
CACHED_LIMITS = frozenset((5, 10, 12, 20, 24, 50))
"Values of `limit` whose responses are cached: the default, that of the widgets, and what fits a page."
Includable = Literal["value", "reason", "poster", "release_date", "genres", "ids"]
MOST_TOGETHER = 6
"Users of one list."
MOST_RATINGS = 1_000
"Of somebody who is not stored."
MOST_USERS = 1_000
"In one batch."
INCLUDABLE: tuple[Includable, ...] = get_args(Includable)
LONGEST_LINK = 1_000
LINKABLE = ("site_id", "id", "imdb_id", "title")
"What may stand in braces in a link."


Include = Annotated[
    tuple[Includable, ...],
    Meta(
        description="More keys for each movie.",
        examples=[["value", "reason"]],
        extra_json_schema={"uniqueItems": True},
    ),
]
Limit = Annotated[int, Meta(ge=1, le=MAX_LIMIT, description="How many at most.", examples=[2])]


class ListParameters(Filters, frozen=True, kw_only=True):
    """Which movies of a list to answer with, and in which form: for queries and bodies."""

    limit: Limit = 50
    offset: Annotated[int, Meta(ge=0, le=MAX_OFFSET, description="How many to leave out first.", examples=[0])] = 0
    include: Include = ()
    diversity: Annotated[
        float,
        Meta(ge=0, le=1, description="How much the movies differ: 0 is as ranked, 1 most.", examples=[0.3]),
    ] = 0
    sort: (
        Annotated[
            Literal["value", "score"],
            Meta(
                description="By predicted rating or by what everybody thinks, instead of the personal order.",
                examples=["value"],
            ),
        ]
        | UnsetType
    ) = UNSET

    def as_options(self, *, with_reasons: bool) -> ListOptions:
        """Return the options that these parameters describe."""
        return ListOptions(
            limit=self.limit,
            offset=self.offset,
            only=self.as_filter(),
            diversity=self.diversity,
            sort=self.sort or None,
            with_reasons=with_reasons,
        )

    @property
    def is_beginning(self) -> bool:
        """Return whether the answer is the beginning of the list as it stands."""
        return not (self.offset or self.sort or self.diversity) and self.as_filter().is_empty

    @property
    def is_cached(self) -> bool:
        """Return whether the answer is kept; a caller must not be able to fill the cache with variants."""
        return self.limit in CACHED_LIMITS and self.is_beginning and not self.precision


class SuggestionsQuery(ListParameters, frozen=True, kw_only=True):
    """The query of `GET /api/suggestions`."""

    user_id: UserId | UnsetType = UNSET
    user: SiteUser | UnsetType = UNSET
    together_with: Annotated[
        tuple[SiteUser, ...],
        Meta(
            max_length=MOST_TOGETHER - 1,
            description=(
                "More users, for one list that suits all of them: seen by none, liked by all. "
                "They are named as the first one, by number or by the site's own ids."
            ),
            examples=[["456", "789"]],
        ),
    ] = ()
    style: Annotated[
        Literal["list", "cards"],
        Meta(description="How the HTML for HTMX looks; JSON ignores it.", examples=["cards"]),
    ] = "list"
    link: (
        Annotated[
            str,
            Meta(
                max_length=LONGEST_LINK,
                pattern=f"^https?://([^\\s\\u0000{{}}]|\\{{({'|'.join(LINKABLE)})\\}})+{END}",
                title=(
                    f"an address of at most {LONGEST_LINK} characters that begins with https:// or http:// "
                    f"and has nothing in braces but {', '.join(f'{{{name}}}' for name in LINKABLE)}"
                ),
                description=(
                    "Where the movies of the HTML for HTMX lead; JSON ignores it. Without it, or where a movie lacks "
                    "the value in braces, they lead to the movie's own `link`, else to this site."
                ),
                examples=["https://shop.example/film/{site_id}"],
            ),
        ]
        | UnsetType
    ) = UNSET

    @property
    def is_beginning(self) -> bool:
        """Return whether the answer is the beginning of the user's own list as it stands."""
        return super().is_beginning and not self.together_with

    @property
    def is_cached(self) -> bool:
        """Return whether the answer is kept: of snippets, the plain one only."""
        return super().is_cached and self.style == "list" and not self.link


class RatedMovie(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rating of somebody who is not stored."""

    value: Stars
    movie_id: MovieId | UnsetType = UNSET
    movie: MovieRef | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Check that exactly one key names the movie."""
        if (self.movie_id is UNSET) == (self.movie is UNSET):
            raise ValueError("Exactly one key names the movie.")


class Newcomer(ListParameters, frozen=True, kw_only=True):
    """The body of `POST /api/suggestions`."""

    ratings: Annotated[
        tuple[RatedMovie, ...],
        Meta(
            max_length=MOST_RATINGS,
            description="What the person rated; of two ratings of a movie the last one counts. "
            "They have no times here, so that they count as equally old.",
            examples=[[{"movie_id": 550, "value": 4.5}]],
        ),
    ]


class BatchBody(Precision, frozen=True, kw_only=True):
    """The body of `POST /api/suggestions/batch`."""

    user_ids: (
        Annotated[
            tuple[UserId, ...],
            Meta(max_length=MOST_USERS, description="Whose lists, in the order of the answer.", examples=[[123, 456]]),
        ]
        | UnsetType
    ) = UNSET
    users: (
        Annotated[
            tuple[SiteUser, ...],
            Meta(
                max_length=MOST_USERS,
                description="The users by the site's own ids, in place of `user_ids`.",
                examples=[["cust-42", "cust-43"]],
            ),
        ]
        | UnsetType
    ) = UNSET
    limit: Limit = 50
    include: Annotated[
        tuple[Literal["value", "poster", "release_date", "genres", "ids"], ...],
        Meta(description="More keys for each movie.", examples=[["value"]], extra_json_schema={"uniqueItems": True}),
    ] = ()


class ExplanationQuery(Precision, frozen=True, kw_only=True):
    """The query of `GET /api/explain`."""

    user_id: UserId | UnsetType = UNSET
    user: SiteUser | UnsetType = UNSET
    movie_id: MovieId | UnsetType = UNSET
    movie: MovieRef | UnsetType = UNSET
