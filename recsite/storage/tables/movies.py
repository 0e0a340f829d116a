"""Movies, ratings, dismissals and suggestions."""

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from recsite.extensions import db

from .columns import LONGEST_SITE_ID, UTCDateTime, now


class Movie(db.Model):  # type: ignore[name-defined,misc]
    """A movie. `rating_count`, `rating_avg` (in stars) and `score` are computed from the ratings."""

    __tablename__ = "movies"
    __table_args__ = (sa.Index("uq_movies_site_id", "site_id", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    title: Mapped[str] = mapped_column(sa.String(500))
    overview: Mapped[str] = mapped_column(sa.Text, default="", server_default="")
    release_date: Mapped[date | None]
    genres: Mapped[str] = mapped_column(sa.String(500), default="", server_default="")
    "Names joined by '|', as in 'Crime|Drama'."
    poster_path: Mapped[str | None] = mapped_column(sa.String(255))
    movielens_id: Mapped[int | None] = mapped_column(index=True)
    imdb_id: Mapped[str | None] = mapped_column(sa.String(12), index=True)
    site_id: Mapped[str | None] = mapped_column(sa.String(LONGEST_SITE_ID))
    "The id that the site itself gives to this movie; see `movies.ids`."
    link: Mapped[str | None] = mapped_column(sa.String(1000))
    "The address of the movie's page on the site."
    is_hidden: Mapped[bool] = mapped_column(default=False, server_default=sa.text("false"))
    rating_count: Mapped[int] = mapped_column(default=0, server_default=sa.text("0"), index=True)
    rating_avg: Mapped[float | None]
    score: Mapped[float | None] = mapped_column(index=True)
    "The mean rating, shrunken toward the mean of all ratings, in stars; NULL without ratings."

    @property
    def genre_names(self) -> list[str]:
        """Return the genres as a list."""
        return self.genres.split("|") if self.genres else []


class MovieAlias(db.Model):  # type: ignore[name-defined,misc]
    """Another MovieLens id of a movie: MovieLens lists some films twice, and its links give both one TMDB id."""

    __tablename__ = "movie_aliases"

    movielens_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    movie_id: Mapped[int] = mapped_column(sa.ForeignKey("movies.id", ondelete="CASCADE"), index=True)


class Rating(db.Model):  # type: ignore[name-defined,misc]
    """A user's rating of a movie, in stars."""

    __tablename__ = "ratings"
    __table_args__ = (
        sa.CheckConstraint(
            "value >= 0.5 AND value <= 5.0 AND value * 2 = CAST(value * 2 AS INTEGER)", name="value_in_half_stars"
        ),
        # The schedule and the admin pages count the ratings of the last days.
        sa.Index("ix_ratings_timestamp", "timestamp"),
    )

    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    movie_id: Mapped[int] = mapped_column(sa.ForeignKey("movies.id", ondelete="CASCADE"), primary_key=True, index=True)
    value: Mapped[float]
    timestamp: Mapped[datetime] = mapped_column(UTCDateTime, default=now)


class Dismissal(db.Model):  # type: ignore[name-defined,misc]
    """A movie that the user's review does not show again; with `is_unwanted`, their lists do not show it either."""

    __tablename__ = "dismissals"

    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    movie_id: Mapped[int] = mapped_column(sa.ForeignKey("movies.id", ondelete="CASCADE"), primary_key=True, index=True)
    is_unwanted: Mapped[bool] = mapped_column(default=False, server_default=sa.text("false"))
    timestamp: Mapped[datetime] = mapped_column(UTCDateTime, default=now)


class Suggestion(db.Model):  # type: ignore[name-defined,misc]
    """One movie in a user's list, scored by one version. Scoring again never changes the columns about ratings."""

    __tablename__ = "suggestions"
    __table_args__ = (
        sa.Index("ix_suggestions_user_id_did_rate_rank", "user_id", "did_rate", "rank"),
        # Covers the queries for online quality, which read the few suggestions that were rated.
        sa.Index(
            "ix_suggestions_rated",
            "did_rate_timestamp",
            "model_version_id",
            "value",
            "rating_value",
            "timestamp",
            sqlite_where=sa.text("did_rate = 1"),
            postgresql_where=sa.text("did_rate"),
        ),
    )

    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    movie_id: Mapped[int] = mapped_column(sa.ForeignKey("movies.id", ondelete="CASCADE"), primary_key=True)
    value: Mapped[float]
    "The predicted rating, in stars."
    rank: Mapped[int]
    "1 = best."
    active: Mapped[bool] = mapped_column(default=True, server_default=sa.text("true"))
    did_rate: Mapped[bool] = mapped_column(default=False, server_default=sa.text("false"))
    rating_value: Mapped[float | None]
    did_rate_timestamp: Mapped[datetime | None] = mapped_column(UTCDateTime)
    model_version_id: Mapped[int | None] = mapped_column(sa.ForeignKey("model_versions.id", ondelete="SET NULL"))
    timestamp: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    movie: Mapped[Movie] = relationship()


class Counter(db.Model):  # type: ignore[name-defined,misc]
    """A number by name. 'catalog' is incremented by every change of a movie that a list could show."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(sa.String(30), primary_key=True)
    value: Mapped[int] = mapped_column(default=0, server_default=sa.text("0"))
