"""The OpenAPI 3.1 document of the running site, made from its operations."""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from flask import current_app, request

from recsite.web.api import shapes
from recsite.web.api.operations import Found, Operation, find_operations
from recsite.web.api.parameters import InBody, Parameter
from recsite.web.request.limits import WINDOW_SECONDS

Json = dict[str, Any]

VERSION = "1"
"Of the API; a change that an old client cannot live with makes it 2."
DESCRIPTION = """\
Movie suggestions, the movies and the ratings behind them.

Parameters are read strictly: one that is unknown, repeated or out of its limits is a 400 that names it. Every error is
`{"error": "…"}`. Addresses work with and without a slash at their end; `HEAD` works wherever `GET` does. Answers carry
an `ETag`; sent back as `If-None-Match` it saves the body. Large answers come as gzip to those who accept it."""
HEADERS: dict[str, Json] = {
    "ETag": {"description": "Names this answer; send it as `If-None-Match`.", "schema": {"type": "string"}},
    "Link": {"description": "The pages `first`, `prev`, `next` and `last` (RFC 8288).", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}},
    "WWW-Authenticate": {"description": "`Bearer`.", "schema": {"type": "string"}},
    "X-Model-Version": {
        "description": "The model version that answered; not there without one.",
        "schema": {"type": "string"},
    },
    "X-Suggestion-Source": {
        "description": "`model`: as trained; `fold-in`: with ratings since; `popular`: nothing is known of the user.",
        "schema": {"type": "string", "enum": ["model", "fold-in", "popular"]},
    },
    "X-RateLimit-Limit": {"description": "Requests a minute.", "schema": {"type": "integer", "minimum": 1}},
    "X-RateLimit-Remaining": {"description": "Left in this minute.", "schema": {"type": "integer", "minimum": 0}},
    "X-RateLimit-Reset": {
        "description": "Seconds until the count starts anew.",
        "schema": {"type": "integer", "minimum": 0, "maximum": WINDOW_SECONDS},
    },
}
ALLOWANCE = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
SOMETIMES = ("X-Model-Version", *ALLOWANCE)
"Headers that are not always there: without a model, without a limit."
ERRORS = {
    400: "A parameter is missing, unknown, repeated or out of its limits; the error names it.",
    401: "Nobody is logged in, or the token is not known.",
    403: "It belongs to another user.",
    404: "{} not found.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    429: "Too many requests in this minute.",
    503: "The database does not answer.",
}
OF_ERRORS = {401: ("WWW-Authenticate",), 429: ("Retry-After", *ALLOWANCE), 503: ("Retry-After",)}
"Headers of errors."
HTML: Json = {"text/html": {"schema": {"type": "string"}}}
HX_REQUEST: Json = {
    "name": "HX-Request",
    "in": "header",
    "description": "`true`, as HTMX sends it, asks for an HTML snippet.",
    "schema": {"type": "string"},
}
SECURITY: dict[str, Json] = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "`flask tokens create NAME` makes one. It reads everything and changes what is its user's.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "session",
        "description": "Whoever is logged in reads their own. Changes need the header `X-CSRFToken` of a page as well.",
    },
}


def describe() -> Json:
    """The document; who may do what follows the site's API_AUTH."""
    operations = find_operations(current_app)
    kinds = [shapes.ErrorJson, *(kind for each in operations for kind in each.operation.answers.values() if kind)]
    references, schemas = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    schema_of = dict(zip(kinds, references, strict=True))
    paths: dict[str, Json] = {}
    for found in operations:
        paths.setdefault(path_of(found), {})[found.method.lower()] = {
            **describe_request(found, is_open=current_app.config["API_AUTH"] == "open"),
            "responses": describe_answers(found, schema_of),
        }
    return {
        "openapi": "3.1.0",
        "info": {"title": "recsite", "version": VERSION, "description": DESCRIPTION},
        "servers": [{"url": request.root_path or "/"}],
        "paths": paths,
        "components": {
            "schemas": {name: closed(schema) for name, schema in schemas.items()},
            "headers": {name: header | {"required": name not in SOMETIMES} for name, header in HEADERS.items()},
            "securitySchemes": SECURITY,
        },
    }


def path_of(found: Found) -> str:
    """The path with its parameters in braces."""
    return re.sub(r"<[^:]*:(\w+)>", r"{\1}", found.path)


def describe_request(found: Found, *, is_open: bool) -> Json:
    """Name, words, parameters, body and who may ask."""
    operation = found.operation
    summary, _, more = " ".join((operation.view.__doc__ or "").split()).partition(". ")
    described: Json = {
        "operationId": operation.view.__name__,
        "summary": summary.rstrip("."),
        "description": more,
        "tags": [found.path.split("/")[2]],
        "parameters": [
            *(describe_parameter(parameter, "path") for parameter in operation.path),
            *(describe_parameter(parameter, "query") for parameter in operation.query),
            *([HX_REQUEST] if operation.has_snippet else ()),
        ],
        "security": [{"token": []}, {"session": []}],
    }
    if operation.who == "anyone" or (operation.who == "reader" and is_open):
        described["security"].insert(0, {})
    if operation.body:
        described["requestBody"] = describe_body(operation.body)
    return described


def describe_parameter(parameter: Parameter, place: str) -> Json:
    """One parameter of a path or a query."""
    described = {
        "name": parameter.name,
        "in": place,
        "description": parameter.meaning,
        "required": place == "path" or parameter.is_required,
        "schema": parameter.schema(),
        "example": parameter.example,
    }
    # Lists are joined by commas.
    return described | ({"style": "form", "explode": False} if described["schema"]["type"] == "array" else {})


def describe_body(fields: Sequence[InBody]) -> Json:
    """The one JSON object that is taken."""
    schema = {
        "type": "object",
        "properties": {field.name: field.schema() | {"description": field.meaning} for field in fields},
        "required": [field.name for field in fields],
        "additionalProperties": False,
    }
    example = {field.name: field.example for field in fields}
    return {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}


def describe_answers(found: Found, schema_of: dict[Any, Json]) -> Json:
    """Every status that the operation answers with."""
    operation = found.operation
    described = {
        str(status): describe_success(found, status, schema_of.get(kind)) for status, kind in operation.answers.items()
    }
    if found.method == "GET":
        described["304"] = {"description": "The client has it already.", "headers": headers("ETag", *ALLOWANCE)}
    for status in error_statuses(operation):
        content = {"application/json": {"schema": schema_of[shapes.ErrorJson]}}
        described[str(status)] = {
            "description": ERRORS[status].format(operation.not_found),
            "content": content | (HTML if operation.has_snippet else {}),
            "headers": headers(*OF_ERRORS.get(status, ())),
        }
    return described


def describe_success(found: Found, status: int, schema: Json | None) -> Json:
    """One answer of success."""
    operation = found.operation
    names = [*operation.headers, *(["ETag"] if found.method == "GET" else []), *ALLOWANCE]
    described: Json = {"description": HTTPStatus(status).phrase, "headers": headers(*names)}
    if schema is not None:
        content = {"application/json": {"schema": schema, "example": operation.example}}
        described["content"] = content | (HTML if operation.has_snippet else {})
    return described


def error_statuses(operation: Operation) -> list[int]:
    """What may go wrong."""
    return sorted(
        {400, 401, 429, 503}
        | ({403} if operation.who == "reader" else set())
        | ({404} if operation.not_found else set())
        | ({413, 415} if operation.body else set())
    )


def headers(*names: str) -> Json:
    """References to these headers."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def closed(schema: Json) -> Json:
    """The schema of objects with exactly the keys that it names, and words without their line breaks."""
    told = {"description": " ".join(schema["description"].split())} if "description" in schema else {}
    return schema | told | ({"additionalProperties": False} if "properties" in schema else {})
