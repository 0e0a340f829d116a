"""Lists of movies to see next, read for one person or for many. It writes nothing.

It may import the other modules of `suggestions` and everything below. Start with `best.py`.
"""

from recsite.suggestions.lists.batch import lists_for
from recsite.suggestions.lists.best import best_for, best_from
from recsite.suggestions.lists.items import ListOptions, Suggested, SuggestionList
from recsite.suggestions.lists.live import popular_list

__all__ = ["ListOptions", "Suggested", "SuggestionList", "best_for", "best_from", "lists_for", "popular_list"]
