"""The ratings that a user brings along from elsewhere: read, matched, shown, saved at once, undone at once."""

from recsite.ratings.history.batches import (
    Standing,
    discard,
    find,
    list_imports,
    propose,
    rows_of,
    save,
    standing_of,
    undo,
)

__all__ = ["Standing", "discard", "find", "list_imports", "propose", "rows_of", "save", "standing_of", "undo"]
