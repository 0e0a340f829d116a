"""My history from elsewhere: a file is sent, shown with what was found in it, saved, and undone."""

# flask-login ships no types.
# mypy: allow-untyped-decorators

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required
from werkzeug.wrappers import Response

from recsite import suggestions
from recsite.errors import BrokenDataset, InvalidInput
from recsite.ratings import history
from recsite.web.accounts.login import bp
from recsite.web.request import forms, query_string

LARGEST_FILE = 8 * 1024 * 1024
"Bytes; a Letterboxd export of ten thousand films has a tenth of that."
ROWS = 50
"Matched movies on a page."


@bp.get("/import/")
@login_required
def history_imports() -> str:
    """A form for a file, and what I brought along before."""
    return page_of_imports()


@bp.post("/import/")
@login_required
def propose_history() -> ResponseReturnValue:
    """What the file says is matched and waits for my word; a file that cannot be read is refused with the reason."""
    try:
        name, content = sent_file()
        batch = history.propose(current_user.id, name, content)
    except (BrokenDataset, InvalidInput) as error:
        return page_of_imports(problem=str(error)), 400
    return redirect(url_for(".history_import", import_id=batch.id), 303)


@bp.get("/import/<id:import_id>/")
@login_required
def history_import(import_id: int) -> str:
    """What was found in the file, what was not, and the button that comes next."""
    batch = history.find(current_user.id, import_id)
    page = query_string.page_number()
    return render_template(
        "accounts/import.html",
        batch=batch,
        report=batch.report,
        standing=history.standing_of(batch),
        found=history.rows_of(batch, page, ROWS),
    )


@bp.post("/import/<id:import_id>/save")
@login_required
def save_history(import_id: int) -> Response:
    """The ratings of the file are mine, and one new list follows from all of them."""
    batch = history.save(current_user.id, import_id, replace=forms.field("replace") == "true")
    suggestions.refresh(current_user.id)
    flash(f"Your ratings from {batch.file_name} are saved.")
    return redirect(url_for(".history_import", import_id=import_id), 303)


@bp.post("/import/<id:import_id>/undo")
@login_required
def undo_history(import_id: int) -> Response:
    """My ratings are as they were before the import, but for what I changed since."""
    batch = history.undo(current_user.id, import_id)
    suggestions.refresh(current_user.id)
    flash(f"The import of {batch.file_name} is undone.")
    return redirect(url_for(".history_import", import_id=import_id), 303)


@bp.post("/import/<id:import_id>/discard")
@login_required
def discard_history(import_id: int) -> Response:
    """The file is forgotten, and no rating came of it."""
    history.discard(current_user.id, import_id)
    flash("The file is forgotten; nothing was changed.")
    return redirect(url_for(".history_imports"), 303)


def sent_file() -> tuple[str, bytes]:
    """Name and content of the form's file; raises InvalidInput."""
    file = request.files.get("file")
    if file is None or not file.filename:
        raise InvalidInput("Choose a file first: a CSV, or the zip that Letterboxd gives you.")
    content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise InvalidInput(f"The file is larger than {LARGEST_FILE / 2**20:g} MB; send the ratings.csv alone.")
    if not content.strip():
        raise InvalidInput(f"{file.filename[:100]} is empty.")
    return file.filename, content


def page_of_imports(problem: str | None = None) -> str:
    """The page of all imports."""
    imports = history.list_imports(current_user.id)
    return render_template("accounts/imports.html", imports=imports, problem=problem, largest=LARGEST_FILE // 2**20)
