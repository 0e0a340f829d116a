"""The OpenAPI document says all that the API does, and the API does what it says."""

import contextlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args, get_type_hints

import jsonschema_rs
import pytest
from flask import Flask

from recsite import accounts, movies, ratings, suggestions
from recsite.accounts import site_tokens, widget_tokens
from recsite.errors import InvalidInput
from recsite.extensions import db
from recsite.storage.tables import User
from recsite.web.api.endpoints import MoviesQuery, NewRating
from recsite.web.api.schema import convert
from tests.conftest import TrainedWorld, World
from tests.processes.servers import running_site
from tests.web.clients import Client

NOT_OPERATIONS = {"docs.document", "docs.page", "docs.try_it"}
THOROUGH = ("--max-examples", "8")
"So many random requests of an operation in each phase, on top of those that go to its limits one by one."
BRIEF = ("--phases", "fuzzing", "--max-examples", "1")


@pytest.fixture
def document(client: Client) -> dict[str, Any]:
    """The document of the running site."""
    response = client.get("/api/openapi.json")
    assert response.status_code == 200
    found: dict[str, Any] = response.json
    return found


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Each operation by its method and path."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_the_document_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert document["components"]["securitySchemes"].keys() == {"token", "user token", "session"}


def test_every_operation_of_the_api_is_in_the_document(app: Flask, document: dict[str, Any]) -> None:
    routes = {
        f"{method} " + re.sub("<[^:]*:([a-z_]+)>", r"{\1}", rule.rule.rstrip("/"))
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api") and rule.endpoint not in NOT_OPERATIONS
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }

    assert routes == operations(document).keys()


def test_every_parameter_says_what_it_is_and_what_it_may_be(document: dict[str, Any]) -> None:
    for operation in operations(document).values():
        for parameter in operation["parameters"]:
            assert parameter["description"]
            for schema in schemas_of(parameter):
                limits = schema.get("items", schema)
                assert {"minimum", "enum", "maxLength"} & limits.keys() or parameter["in"] == "header"


def schemas_of(parameter: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the schema of each parameter that this one stands for: one, or either of two."""
    choices = parameter["schema"].get("oneOf", ())
    return [schema for choice in choices for schema in choice["properties"].values()] or [parameter["schema"]]


def test_every_example_is_what_it_is_an_example_of(document: dict[str, Any]) -> None:
    for operation in operations(document).values():
        for parameter in operation["parameters"]:
            if "example" in parameter:
                jsonschema_rs.validate(parameter["schema"], parameter["example"])
        for answer in [*operation["responses"].values(), operation.get("requestBody", {})]:
            content = answer.get("content", {}).get("application/json", {})
            if "example" in content:
                jsonschema_rs.validate(content["schema"] | {"components": document["components"]}, content["example"])


def test_the_orders_of_movies_are_those_of_the_search() -> None:
    assert get_args(get_type_hints(MoviesQuery)["sort"]) == tuple(movies.SORTS)


def test_the_stars_of_a_rating_are_those_of_ratings() -> None:
    for tenths in range(60):
        body = {"movie_id": 550, "value": tenths / 10}
        with contextlib.nullcontext() if tenths / 10 in ratings.VALUES else pytest.raises(InvalidInput):
            convert(body, NewRating, strict=True)


@pytest.mark.parametrize(("mode", "is_open"), (("open", True), ("required", False)))
def test_the_document_says_who_may_read(app: Flask, client: Client, mode: str, is_open: bool) -> None:
    app.config["API_AUTH"] = mode

    found = operations(client.get("/api/openapi.json").json)

    assert ({} in found["GET /api/suggestions"]["security"]) is is_open
    assert {} in found["GET /api/movies"]["security"]
    assert {} not in found["POST /api/ratings"]["security"]


@pytest.mark.parametrize("accept", ("gzip", ""))
def test_a_client_that_has_the_document_gets_a_304(client: Client, world: World, accept: str) -> None:
    headers = {"Accept-Encoding": accept}
    etag = client.get("/api/openapi.json", headers=headers).headers["ETag"]

    assert client.get("/api/openapi.json", headers=headers | {"If-None-Match": etag}).status_code == 304


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "bearer", "effort", "fewest"),
    (
        ("open", "user", THOROUGH, 900),
        ("required", "site", THOROUGH, 900),
        # Of these only the refusals are new, and a request of each operation reaches them.
        ("required", None, BRIEF, 10),
        ("required", "user", BRIEF, 10),
        ("required", "signed", BRIEF, 10),
    ),
    ids=(
        "open",
        "required with a token of the site",
        "required",
        "required with a user's token",
        "required with a signed user token",
    ),
)
def test_the_running_site_keeps_to_the_document(
    app: Flask,
    trained: TrainedWorld,
    tmp_path: Path,
    mode: str,
    bearer: str | None,
    effort: tuple[str, ...],
    fewest: int,
) -> None:
    suggestions.rescore(suggestions.all_user_ids())
    # More than schemathesis asks, so that every answer is counted and none is refused for it.
    many = 1_000_000
    app.config.update(API_AUTH=mode, WIDGET_KEY=("k" * 32,))
    app.config.update(API_READS_PER_MINUTE=many, API_WRITES_PER_MINUTE=many, SEARCHES_PER_MINUTE=0)
    tokens = {
        "user": accounts.create_token(db.session.get_one(User, trained.bob)),
        "site": site_tokens.create("a test", accounts.SCOPES, None, "the tests"),
    }
    options = [*effort, *(["-H", f"Authorization: Bearer {tokens[bearer]}"] if bearer in tokens else [])]
    if bearer == "signed":
        claims = {"user_id": trained.bob, "scope": " ".join(widget_tokens.SCOPES)}
        signed = widget_tokens.make("k" * 32, claims)
        (tmp_path / "schemathesis.toml").write_text(f'[auth.openapi."user token"]\napi_key = "{signed}"\n')

    with running_site(app, workers=1) as address:
        done = run_schemathesis(f"{address}/api/openapi.json", tmp_path, *options)

    assert done.returncode == 0, done.stdout
    (count,) = re.findall(r"(\d+) generated, \1 passed", done.stdout)
    assert int(count) > fewest


def run_schemathesis(document: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Every check of schemathesis against this document's site, from a fixed seed."""
    command = [sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"]
    chosen = ["--checks", "all", "--seed", "1", "--continue-on-failure"]
    return subprocess.run(
        [*command, "run", document, *chosen, *options], cwd=folder, capture_output=True, text=True, check=False
    )
