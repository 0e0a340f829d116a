"""Each user's list of movies to see next: scoring it, keeping it as rows, reading it."""

from .freshness import Freshness, find_freshness
from .lists import Suggested, SuggestionList, best_for, best_from, popular_list
from .outlook import Outlook, outlook_for
from .questions import questions_for
from .reasons import Contribution, Explanation, explain, similar_to
from .scoring import (
    Plan,
    Prediction,
    all_user_ids,
    plan,
    predict_one,
    recent_user_ids,
    refresh,
    refresh_behind,
    require_version,
    rescore,
    rescore_block,
    warm_up,
)
from .shelves import Home, Shelf, home_of, home_of_visitor

__all__ = [
    "Contribution",
    "Explanation",
    "Freshness",
    "Home",
    "Outlook",
    "Plan",
    "Prediction",
    "Shelf",
    "Suggested",
    "SuggestionList",
    "all_user_ids",
    "best_for",
    "best_from",
    "explain",
    "find_freshness",
    "home_of",
    "home_of_visitor",
    "outlook_for",
    "plan",
    "popular_list",
    "predict_one",
    "questions_for",
    "recent_user_ids",
    "refresh",
    "refresh_behind",
    "require_version",
    "rescore",
    "rescore_block",
    "similar_to",
    "warm_up",
]
