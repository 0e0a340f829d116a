"""The database tables. Other programs rely on the names and meanings of these columns.

Imports only `recsite.extensions`. Start with `movies.py`; `columns.py` has the column types that all share.
"""

from .audit import AuditEntry
from .columns import (
    FIRST_SITE_MOVIE_ID,
    LARGEST_ID,
    LARGEST_MOVIELENS_ID,
    LONGEST_SITE_ID,
    MOVIE_ID_WITHOUT_TMDB,
    SITE_ID,
    SITE_ID_IN_WORDS,
    UTCDateTime,
    now,
)
from .imports import DatasetImport
from .jobs import CANCELLED_BY, Run, RunBlock
from .movies import Counter, Dismissal, Movie, MovieAlias, Rating, Suggestion
from .users import FIRST_ACCOUNT_ID, ApiToken, Erasure, FeedToken, HistoryImport, HistoryRow, User, name_key_of
from .versions import Activation, ModelVersion, MovieReach, ReachMeasure
from .webhooks import WebhookDelivery

__all__ = [
    "CANCELLED_BY",
    "FIRST_ACCOUNT_ID",
    "FIRST_SITE_MOVIE_ID",
    "LARGEST_ID",
    "LARGEST_MOVIELENS_ID",
    "LONGEST_SITE_ID",
    "MOVIE_ID_WITHOUT_TMDB",
    "SITE_ID",
    "SITE_ID_IN_WORDS",
    "Activation",
    "ApiToken",
    "AuditEntry",
    "Counter",
    "DatasetImport",
    "Dismissal",
    "Erasure",
    "FeedToken",
    "HistoryImport",
    "HistoryRow",
    "ModelVersion",
    "Movie",
    "MovieAlias",
    "MovieReach",
    "Rating",
    "ReachMeasure",
    "Run",
    "RunBlock",
    "Suggestion",
    "UTCDateTime",
    "User",
    "WebhookDelivery",
    "name_key_of",
    "now",
]
