"""The admin page of imported data sets: author, report, and a button that takes the ratings back."""

from dataclasses import dataclass

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from recsite.errors import InvalidInput
from recsite.ratings.importers import kept, kept_files
from recsite.ratings.importers.options import FORMATS
from recsite.storage.tables import DatasetImport
from recsite.web.admin.overview import bp
from recsite.web.request import query_string

ROWS = 25
MOST_UNDONE = 100_000
"Ratings that one request takes back; SQLite needs 2 s for as many."


@dataclass(frozen=True)
class ImportRow:
    """An import as the page shows it."""

    made: DatasetImport
    format: str
    "The name of what was found."
    can_be_undone: bool
    is_large: bool
    "Whether a request may be too short to undo it."


@bp.get("/imports/")
def imports() -> str:
    """List the imports, newest first."""
    found = kept.list_page(query_string.page_number(), ROWS)
    kept_ids = kept_files.try_ids()
    rows = [
        ImportRow(
            made,
            FORMATS.get(made.format, made.format),
            kept.can_be_undone(made, kept_ids),
            kept.ratings_written(made) > MOST_UNDONE,
        )
        for made in found.items
    ]
    return render_template("admin/imports.html", found=found, rows=rows, kept=kept_files.FILES_KEPT, most=MOST_UNDONE)


@bp.post("/imports/<id:import_id>/undo")
def undo_import(import_id: int) -> ResponseReturnValue:
    """Take the ratings of an import back, except those that changed since."""
    try:
        left = kept.undo(import_id, current_user.username, most=MOST_UNDONE)
    except InvalidInput as error:
        flash(str(error), "error")
    else:
        flash("The import is undone." + (f" {left:,} ratings were changed since and stay." if left else ""))
    return redirect(url_for(".imports"), 303)
