"""Each user's list of movies to see next: scoring it, keeping it as rows, reading it."""

from .lists import Freshness, SuggestionList, Suggested, best_for, find_freshness, popular_list
from .scoring import Plan, Prediction, all_user_ids, plan, predict_one, recent_user_ids, refresh, rescore

__all__ = [
    "Freshness",
    "Plan",
    "Prediction",
    "Suggested",
    "SuggestionList",
    "all_user_ids",
    "best_for",
    "find_freshness",
    "plan",
    "popular_list",
    "predict_one",
    "recent_user_ids",
    "refresh",
    "rescore",
]
