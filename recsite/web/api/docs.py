"""The API's OpenAPI document, and a page to read and try it."""

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup, escape

from recsite.errors import NotFound
from recsite.web.api import openapi
from recsite.web.api.answers import json_answer
from recsite.web.api.operations import Found, find_operations
from recsite.web.api.parameters import Choice, Choices, InQuery, Parameter

bp = Blueprint("docs", __name__, url_prefix="/api")


@dataclass(frozen=True)
class Section:
    """An operation as the page shows it."""

    found: Found
    path: str
    described: dict[str, Any]
    "Its part of the document."
    curl: str


@bp.get("/openapi.json", strict_slashes=False)
def document() -> Response:
    """The OpenAPI 3.1 document."""
    return json_answer(openapi.describe())


@bp.get("/", strict_slashes=False)
def page() -> str:
    """Every operation with its parameters, its answers, a line to copy and a form to try it."""
    described = openapi.describe()
    sections = [
        Section(found, path, operation, curl_line(found, path, needs_token={} not in operation["security"]))
        for found in find_operations(current_app)
        for path in (openapi.path_of(found),)
        for operation in (described["paths"][path][found.method.lower()],)
    ]
    return render_template(
        "api/docs.html",
        document=described,
        sections=sections,
        values_in_words=values_in_words,
        field_kind=field_kind,
        with_code=with_code,
    )


@bp.get("/try/<name>", strict_slashes=False)
def try_it(name: str) -> ResponseReturnValue:
    """On to the operation of this name with what a form holds; fields left empty are left out.

    A form alone could neither put a field into the path nor leave an empty one out.
    """
    for found in find_operations(current_app):
        operation = found.operation
        if operation.view.__name__ == name and found.method == "GET":
            path = {part.name: part.from_text(request.args.get(part.name, "")) for part in operation.path}
            query = {each.name: ",".join(request.args.getlist(each.name)) for each in operation.query}
            options: dict[str, Any] = path | {key: value for key, value in query.items() if value}
            return redirect(url_for(found.endpoint, **options), 303)
    raise NotFound("There is no such operation to try.")


def curl_line(found: Found, path: str, *, needs_token: bool) -> str:
    """A command that asks with the examples of what is required, of this very site."""
    operation = found.operation
    for part in operation.path:
        path = path.replace(f"{{{part.name}}}", str(part.example))
    query = urlencode({each.name: each.example for each in operation.query if each.is_required})
    words = ["curl"]
    if found.method != "GET":
        words.append(f"-X {found.method}")
    if needs_token:
        words.append("-H 'Authorization: Bearer TOKEN'")
    if operation.body:
        body = json.dumps({each.name: each.example for each in operation.body})
        words += ["-H 'Content-Type: application/json'", f"-d '{body}'"]
    words.append(f"'{request.url_root.rstrip('/')}{path}{'?' if query else ''}{query}'")
    return " ".join(words)


def values_in_words(parameter: Parameter) -> str:
    """What a parameter may be."""
    schema = parameter.schema()
    one = schema.get("items", schema)
    if "enum" in one:
        words = ", ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in one["enum"])
    elif "minimum" in one:
        words = f"{one['minimum']} to {one['maximum']}"
    else:
        words = f"at most {one['maxLength']} characters"
    return f"{words}; joined by commas" if schema["type"] == "array" else words


def field_kind(parameter: InQuery) -> str:
    """How the form asks for it: 'select', 'checkboxes' or 'text'."""
    if isinstance(parameter, Choice):
        return "select"
    return "checkboxes" if isinstance(parameter, Choices) else "text"


def with_code(text: str) -> Markup:
    """The text with what stands between backticks set as code."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(text))))
