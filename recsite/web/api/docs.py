"""The API's OpenAPI document, and a page to read and try it."""

from dataclasses import dataclass
from urllib.parse import urlencode

import msgspec
from flask import Blueprint, Response, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from recsite.errors import NotFound
from recsite.web.api import openapi
from recsite.web.api.answers import json_answer
from recsite.web.api.operations import Found, find_operations
from recsite.web.api.quick_start import curl, find_steps
from recsite.web.api.schema import Json, convert, in_words, pairs_of, parse_text, properties

bp = Blueprint("docs", __name__, url_prefix="/api")

FIRST_TAG = "suggestions"
"What most readers look for; the other operations follow by path."


@dataclass(frozen=True)
class Section:
    """A section of the page: one operation."""

    found: Found
    path: str
    described: Json
    "The operation's part of the document."
    curl: str

    @property
    def tag(self) -> str:
        """The kind of thing that the operation is about."""
        tag: str = self.described["tags"][0]
        return tag

    @property
    def fields(self) -> list[Json]:
        """The rows of the table: every parameter, then every key of the body as a parameter."""
        operation = self.found.operation
        places = (("path", operation.path), ("query", operation.query), ("body", operation.body))
        return [each for place, schema in places if schema for each in openapi.describe_parameters(schema, place)]

    @property
    def alternatives(self) -> dict[str, str]:
        """The parameters of which one of two is required, each with the other."""
        pairs = pairs_of(self.found.operation.query)
        return dict(pairs) | {second: first for first, second in pairs}


@bp.get("/openapi.json", strict_slashes=False)
def document() -> Response:
    """Answer with the OpenAPI 3.1 document."""
    return json_answer(openapi.describe())


@bp.get("/", strict_slashes=False)
def page() -> str:
    """Show the quick start, and of every operation its parameters and responses, a command and a form to try it."""
    described = openapi.describe()
    sections = [
        Section(found, path, operation, curl_line(found, path, needs_token={} not in operation["security"]))
        for found in find_operations(current_app)
        for path in (openapi.path_of(found),)
        for operation in (described["paths"][path][found.method.lower()],)
    ]
    sections.sort(key=lambda section: section.tag != FIRST_TAG)
    return render_template(
        "api/docs.html",
        document=described,
        steps=find_steps(site_root()),
        sections=sections,
        in_words=in_words,
        with_code=with_code,
    )


@bp.get("/try/<name>", strict_slashes=False)
def try_it(name: str) -> ResponseReturnValue:
    """Redirect to the GET operation of this name with the form's values, except those left empty."""
    for found in find_operations(current_app):
        operation = found.operation
        if operation.view.__name__ == name and found.method == "GET":
            sent = {
                key: parse_text(key, request.args.get(key, ""), of) for key, of in properties(operation.path).items()
            }
            options: Json = msgspec.to_builtins(convert(sent, operation.path, strict=False))
            query = {key: ",".join(request.args.getlist(key)) for key in properties(operation.query)}
            options |= {key: text for key, text in query.items() if text}
            return redirect(url_for(found.endpoint, **options), 303)
    raise NotFound("There is no such operation to try.")


def curl_line(found: Found, path: str, *, needs_token: bool) -> str:
    """Return a command that calls the operation on this site with the examples of the required values."""
    operation = found.operation
    for name, property_ in properties(operation.path).items():
        path = path.replace(f"{{{name}}}", str(property_["examples"][0]))
    described = openapi.describe_parameters(operation.query, "query")
    chosen = {first for first, _ in pairs_of(operation.query)}
    query = urlencode(
        {each["name"]: each["example"] for each in described if each["required"] or each["name"] in chosen}
    )
    address = f"{site_root()}{path}{'?' if query else ''}{query}"
    body = openapi.body_example(operation) if operation.body else None
    return curl(found.method, address, body, needs_token=needs_token)


def site_root() -> str:
    """Return the address of the site as the client names it."""
    return request.url_root.rstrip("/")


def with_code(text: str) -> Markup:
    """Return the text with everything between backticks set as code."""
    parts = text.split("`")
    return Markup("").join(Markup("<code>{}</code>").format(part) if i % 2 else part for i, part in enumerate(parts))
