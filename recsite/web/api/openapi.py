"""The OpenAPI 3.1 document of the running site, made from its operations."""

import re
from http import HTTPStatus
from typing import Any

import msgspec
from flask import current_app, request

from recsite.web.api import shapes
from recsite.web.api.operations import Found, Operation, find_operations
from recsite.web.api.schema import PAIRS, Json, OfAuthor, is_optional, pairs_of, properties
from recsite.web.request.limits import WINDOW_SECONDS

VERSION = "1"
"The version of the API; a breaking change increments it."
DESCRIPTION = """\
Movie suggestions, the movies and the ratings behind them.

Parameters are read strictly: one that is unknown, repeated or out of its limits is a 400 that names it. Every error is
`{"error": "…"}`. Addresses work with and without a slash at their end; `HEAD` works wherever `GET` does. Answers carry
an `ETag`; sent back as `If-None-Match` it saves the body. Large answers come as gzip to those who accept it."""
HEADERS: dict[str, Json] = {
    "ETag": {"description": "Names this answer; send it as `If-None-Match`.", "schema": {"type": "string"}},
    "Location": {"description": "Where to ask how far it is.", "schema": {"type": "string"}},
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
"Headers that a response lacks without a model or without a limit."
ERRORS = {
    400: "A parameter is missing, unknown, repeated or out of its limits; the error names it.",
    401: "Nobody is logged in, or the token is not known.",
    403: "It belongs to another user, or the token lacks the scope; the error names it.",
    404: "{not_found} not found.",
    409: "{conflict}",
    413: "The body is too large.",
    415: "The body is not JSON.",
    429: "Too many requests in this minute.",
    503: "The database does not answer, or Redis where it is needed.",
}
OF_ERRORS = {401: ("WWW-Authenticate",), 429: ("Retry-After", *ALLOWANCE), 503: ("Retry-After",)}
"Further headers of an error, by status."
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
        "description": "`flask tokens create NAME` makes one that reads everything and changes what is its user's. "
        "`flask tokens create --site LABEL --scopes …` makes one for the site; it needs the scopes named here.",
    },
    "user token": {
        "type": "apiKey",
        "in": "query",
        "name": "user_token",
        "description": "A JWT that the site's server signs with `WIDGET_KEY` (HS256) for one user, see `/widgets/`.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "session",
        "description": "Whoever is logged in reads their own. Changes need the header `X-CSRFToken` of a page as well.",
    },
}


def describe() -> Json:
    """Return the document; its security sections follow the site's API_AUTH."""
    operations = find_operations(current_app)
    types = [shapes.ErrorJson, *(each.operation.body for each in operations if each.operation.body)]
    types += [answer for each in operations for answer in each.operation.answers.values() if answer]
    authored = {each.__name__ for each in types if isinstance(each, type) and issubclass(each, OfAuthor)}
    references, schemas = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    schema_of = dict(zip(types, references, strict=True))
    for each in operations:
        if each.operation.body and each.operation.row:
            accept_any_rows(schemas[each.operation.body.__name__])
    paths: dict[str, Json] = {}
    for found in operations:
        paths.setdefault(path_of(found), {})[found.method.lower()] = {
            **describe_request(found, schema_of, is_open=current_app.config["API_AUTH"] == "open"),
            "responses": describe_answers(found, schema_of),
        }
    return {
        "openapi": "3.1.0",
        "info": {"title": "recsite", "version": VERSION, "description": DESCRIPTION},
        "servers": [{"url": request.root_path or "/"}],
        "paths": paths,
        "components": {
            "schemas": {name: closed(schema, is_authored=name in authored) for name, schema in schemas.items()},
            "headers": {name: header | {"required": name not in SOMETIMES} for name, header in HEADERS.items()},
            "securitySchemes": SECURITY,
        },
    }


def path_of(found: Found) -> str:
    """Return the path with its parameters in braces."""
    return re.sub(r"<[^:]*:(\w+)>", r"{\1}", found.path)


def describe_request(found: Found, schema_of: dict[Any, Json], *, is_open: bool) -> Json:
    """Return the operation's name, summary, parameters, body and permitted callers."""
    operation = found.operation
    summary, _, more = " ".join((operation.view.__doc__ or "").split()).partition(". ")
    described: Json = {
        "operationId": operation.view.__name__,
        "summary": summary.rstrip("."),
        "description": more,
        "tags": [found.path.split("/")[2]],
        "parameters": [
            *describe_parameters(operation.path, "path"),
            *join_pairs(describe_parameters(operation.query, "query"), operation.query),
            *([HX_REQUEST] if operation.has_snippet else ()),
        ],
        "security": [{"token": [] if operation.who == "anyone" else [operation.scope]}, {"session": []}],
    }
    if operation.takes_user_token:
        described["security"].append({"user token": []})
    if operation.who == "anyone" or (operation.who in ("client", "list reader") and is_open):
        described["security"].insert(0, {})
    if operation.body:
        described["requestBody"] = describe_body(operation, schema_of[operation.body])
    return described


def describe_parameters(schema: type[msgspec.Struct], place: str) -> list[Json]:
    """Return one entry for each field of the Struct, as parameters in this place ("path" or "query")."""
    required = {field.name for field in msgspec.structs.fields(schema) if field.required}
    described = []
    for name, property_ in properties(schema).items():
        limits = {key: value for key, value in property_.items() if key not in ("description", "examples")}
        described.append(
            {
                "name": name,
                "in": place,
                "description": property_["description"],
                "required": name in required,
                "schema": limits,
                "example": property_["examples"][0],
                # Lists are joined by commas.
                **({"style": "form", "explode": False} if limits.get("type") == "array" else {}),
            }
        )
    return described


def join_pairs(described: list[Json], schema: type[msgspec.Struct]) -> list[Json]:
    """Return the parameters with each pair as one object: OpenAPI has no other way to require exactly one of two.

    The style `form` with `explode` sends the object's property as a parameter of its own: `user_id=123`.
    """
    parameters = {each["name"]: each for each in described}
    for first, second in pairs_of(schema):
        may_lack = is_optional(schema, (first, second))
        choices = [
            {"properties": {name: parameters[name]["schema"]}, "required": [name], "additionalProperties": False}
            for name in (first, second)
        ]
        parameters[first] = parameters[first] | {
            "description": f"{'At most' if may_lack else 'Exactly'} one parameter, `{first}` or `{second}`.",
            "required": not may_lack,
            "schema": {"type": "object", "oneOf": choices},
            "example": {first: parameters[first]["example"]},
            "style": "form",
            "explode": True,
        }
        del parameters[second]
    return list(parameters.values())


def describe_body(operation: Operation, schema: Json) -> Json:
    """Return the description of the JSON object that the operation reads."""
    content = {"schema": schema, "example": body_example(operation)}
    return {"required": True, "content": {"application/json": content}}


def accept_any_rows(schema: Json) -> None:
    """Say that any row may stand in the list of a batch: a wrong one does not make the request invalid."""
    for rows in schema["properties"].values():
        rows["items"] = {"anyOf": [rows["items"], {"description": "Any other row is refused by its index."}]}


def body_example(operation: Operation) -> Json:
    """Return the example of the operation's body, else one made of the example of each field."""
    if operation.body is None or operation.body_example is not None:
        return dict(operation.body_example or {})
    return {name: property_["examples"][0] for name, property_ in properties(operation.body).items()}


def describe_answers(found: Found, schema_of: dict[Any, Json]) -> Json:
    """Return every status that the operation answers with."""
    operation = found.operation
    described = {
        str(status): describe_success(found, status, schema_of.get(kind)) for status, kind in operation.answers.items()
    }
    if found.method == "GET":
        described["304"] = {"description": "The client has it already.", "headers": headers("ETag", *ALLOWANCE)}
    for status in error_statuses(operation):
        content = {"application/json": {"schema": schema_of[shapes.ErrorJson]}}
        described[str(status)] = {
            "description": ERRORS[status].format(not_found=operation.not_found, conflict=operation.conflict),
            "content": content | (HTML if operation.has_snippet else {}),
            "headers": headers(*OF_ERRORS.get(status, ())),
        }
    return described


def describe_success(found: Found, status: int, schema: Json | None) -> Json:
    """Return the description of one successful answer."""
    operation = found.operation
    names = [*operation.headers, *(["ETag"] if found.method == "GET" else []), *ALLOWANCE]
    described: Json = {"description": HTTPStatus(status).phrase, "headers": headers(*names)}
    if schema is not None:
        content = {"application/json": {"schema": schema, "example": operation.example}}
        described["content"] = content | (HTML if operation.has_snippet else {})
    return described


def error_statuses(operation: Operation) -> list[int]:
    """Return the statuses of the errors that the operation may answer with."""
    return sorted(
        {400, 401, 429, 503}
        | ({403} if operation.who != "anyone" else set())
        | ({404} if operation.not_found else set())
        | ({409} if operation.conflict else set())
        | ({413, 415} if operation.body else set())
    )


def headers(*names: str) -> Json:
    """Return references to these headers."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def closed(schema: Json, *, is_authored: bool) -> Json:
    """Return the schema with its description on one line, no additional keys, and exactly one key of each pair.

    If it `is_authored`, it may lack the user.
    """
    described = {"description": " ".join(schema["description"].split())} if "description" in schema else {}
    if "properties" not in schema:
        return schema | described
    # An answer has both keys of a pair, a body one of them.
    pairs = [
        {"not": {"required": list(pair)}}
        if is_authored and pair[0] == "user_id"
        else {"oneOf": [{"required": [name]} for name in pair]}
        for pair in PAIRS
        if schema["properties"].keys() >= set(pair) and not set(pair) & set(schema.get("required", ()))
    ]
    return schema | described | {"additionalProperties": False} | ({"allOf": pairs} if pairs else {})
