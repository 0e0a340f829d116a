"""The pages that import a user's ratings from a file: upload, preview, save and undo."""

# flask-login ships no types.
# mypy: allow-untyped-decorators

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required
from werkzeug.wrappers import Response

from recsite import movies, suggestions
from recsite.errors import BrokenDataset, InvalidInput
from recsite.ratings import history
from recsite.ratings.importers import scales
from recsite.storage.tables import LARGEST_ID
from recsite.web.accounts.login import bp
from recsite.web.request import forms, limits, query_string

MAX_FILE_BYTES = 8 * 1024 * 1024
"A Letterboxd export of ten thousand films has a tenth of that."
ROWS_PER_PAGE = 50
CANDIDATES = 8
"Movies offered for a title that somebody types."


@bp.get("/import/")
@login_required
def history_imports() -> str:
    """Show the upload form and the user's earlier imports."""
    return render_imports()


@bp.post("/import/")
@login_required
def propose_history() -> ResponseReturnValue:
    """Match the uploaded file and show the result; answer 400 with the reason if it cannot be read."""
    limits.count_upload()
    try:
        name, content = read_uploaded_file()
        scale = request.form.get("scale")
        import_id = history.propose(current_user.id, name, content, scale if scale in scales.NAMES else None)
    except (BrokenDataset, InvalidInput) as error:
        return render_imports(problem=str(error)), 400
    return redirect(url_for(".history_import", import_id=import_id), 303)


@bp.get("/import/<id:import_id>/")
@login_required
def history_import(import_id: int) -> str:
    """Show the found and the unknown movies of a file, and the buttons to save, discard or undo."""
    found = history.find_import(current_user.id, import_id)
    searched = query_string.text("title")
    if searched:
        limits.count_search()
    return render_template(
        "accounts/import.html",
        batch=found,
        report=found.report,
        standing=history.compare_with_ratings(found),
        found=history.list_matches(found, query_string.page_number(), ROWS_PER_PAGE),
        row=query_string.number("row", 1, LARGEST_ID, default=0),
        candidates=movies.search(searched, "popular", 1, CANDIDATES).items if searched else [],
    )


@bp.post("/import/<id:import_id>/match")
@login_required
def match_row(import_id: int) -> Response:
    """Give a row that was not found, or could mean several movies, the movie that the user chose."""
    (line,) = forms.whole_fields("line", 1, LARGEST_ID, most=1) or [0]
    (movie_id,) = forms.whole_fields("movie_id", 1, LARGEST_ID, most=1) or [0]
    history.match_by_hand(current_user.id, import_id, line, movie_id)
    return redirect(url_for(".history_import", import_id=import_id), 303)


@bp.post("/import/<id:import_id>/save")
@login_required
def save_history(import_id: int) -> Response:
    """Save the file's ratings as the user's."""
    saved = suggestions.save_import(current_user.id, import_id, replace=forms.field("replace") == "true")
    flash(f"Your ratings from {saved.file_name} are saved.")
    return redirect(url_for(".history_import", import_id=import_id), 303)


@bp.post("/import/<id:import_id>/undo")
@login_required
def undo_history(import_id: int) -> Response:
    """Undo a saved import, except for ratings that the user changed since."""
    undone = suggestions.undo_import(current_user.id, import_id)
    flash(f"The import of {undone.file_name} is undone.")
    return redirect(url_for(".history_import", import_id=import_id), 303)


@bp.post("/import/<id:import_id>/discard")
@login_required
def discard_history(import_id: int) -> Response:
    """Delete an import that was not saved."""
    history.discard(current_user.id, import_id)
    flash("The file is forgotten; nothing was changed.")
    return redirect(url_for(".history_imports"), 303)


def read_uploaded_file() -> tuple[str, bytes]:
    """Return name and content of the uploaded file; raise InvalidInput if it is missing, empty or too large."""
    file = request.files.get("file")
    if file is None or not file.filename:
        raise InvalidInput("Choose a file first: a CSV, or the zip that Letterboxd or Trakt gives you.")
    content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise InvalidInput(f"The file is larger than {MAX_FILE_BYTES / 2**20:g} MB; send the ratings.csv alone.")
    if not content.strip():
        raise InvalidInput(f"{file.filename[:100]} is empty.")
    return file.filename, content


def render_imports(problem: str | None = None) -> str:
    """Render the page of all imports, with the reason for a refused upload."""
    imports = history.list_imports(current_user.id)
    largest_mb = MAX_FILE_BYTES // 2**20
    return render_template("accounts/imports.html", imports=imports, problem=problem, largest=largest_mb)
