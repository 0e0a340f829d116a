"""Each user's list of movies to see next: candidates, ranking, scoring, stored lists, reasons, the home page's rows.

It may import `accounts`, `versions` and everything below. Start with `lists/` (reading) and `scoring.py` (writing).
"""

from recsite.suggestions.candidates import stands_low
from recsite.suggestions.feedback import (
    add_missing,
    dismiss,
    put_back,
    rate,
    remove_rating,
    restore,
    save_import,
    undo_import,
    unrate,
)
from recsite.suggestions.freshness import Freshness, find_freshness
from recsite.suggestions.lists import ListOptions, Suggested, SuggestionList, best_for, best_from, lists_for
from recsite.suggestions.outlook import outlook_for
from recsite.suggestions.questions import questions_for
from recsite.suggestions.reasons import Explanation, explain, similar_to
from recsite.suggestions.scoring import (
    Plan,
    Prediction,
    all_user_ids,
    plan_scoring,
    predict_one,
    recent_user_ids,
    refresh,
    refresh_stale,
    require_user_ids,
    require_version,
    rescore,
    rescore_block,
    warm_up,
)
from recsite.suggestions.shelves import home_of, home_of_visitor

__all__ = [
    "Explanation",
    "Freshness",
    "ListOptions",
    "Plan",
    "Prediction",
    "Suggested",
    "SuggestionList",
    "add_missing",
    "all_user_ids",
    "best_for",
    "best_from",
    "dismiss",
    "explain",
    "find_freshness",
    "home_of",
    "home_of_visitor",
    "lists_for",
    "outlook_for",
    "plan_scoring",
    "predict_one",
    "put_back",
    "questions_for",
    "rate",
    "recent_user_ids",
    "refresh",
    "refresh_stale",
    "remove_rating",
    "require_user_ids",
    "require_version",
    "rescore",
    "rescore_block",
    "restore",
    "save_import",
    "similar_to",
    "stands_low",
    "undo_import",
    "unrate",
    "warm_up",
]
