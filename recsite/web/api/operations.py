"""An operation of the API: what it takes, who may ask, what it answers; said once, for requests and the document."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from flask import Flask, Response

from recsite.web.api.answers import json_answer
from recsite.web.api.parameters import InBody, InQuery, Whole, read_body, read_query
from recsite.web.request import access, limits

View = Callable[..., Any]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One operation; its summary is the first sentence of the view's docstring."""

    view: View
    answers: Mapping[int, Any]
    "The type of the JSON of each status of success; None for one without a body."
    example: Any
    "An answer."
    query: Sequence[InQuery] = ()
    path: Sequence[Whole] = ()
    "Checked by the route, which is made from the same limits."
    body: Sequence[InBody] = ()
    who: Literal["anyone", "reader", "caller"] = "anyone"
    "reader: who may read what belongs to `user_id`; caller: whoever changes something of their own."
    not_found: str = ""
    "What may not exist; '' where nothing is looked up."
    headers: Sequence[str] = ()
    "Of its success, beside those of every answer; in HEADERS of `openapi`."
    has_snippet: bool = False
    "Whether HTMX gets HTML."

    @functools.cached_property
    def query_by_name(self) -> Mapping[str, InQuery]:
        """The parameters of the query."""
        return {parameter.name: parameter for parameter in self.query}

    def answer(self, path: dict[str, Any]) -> Response:
        """The whole way of a request: count it, see who asks, read what was sent, let the view answer."""
        limits.count_api_request()
        if self.who == "caller":
            access.require_caller()
        values = read_query(self.query_by_name)
        if self.who == "reader":
            access.may_read(values["user_id"])
        if self.body:
            values |= read_body(self.body)
        found = self.view(**path, **values)
        return found if isinstance(found, Response) else json_answer(found)


_operations: dict[View, Operation] = {}


def operation(**said: Any) -> Callable[[View], View]:
    """Make a view an operation: it gets each parameter by its name, and may return what is to be JSON."""

    def declare(view: View) -> View:
        described = Operation(view=view, **said)

        @functools.wraps(view)
        def answer(**path: Any) -> Response:
            return described.answer(path)

        _operations[answer] = described
        return answer

    return declare


@dataclass(frozen=True)
class Found:
    """An operation and where it stands."""

    path: str
    "As the routes have it, without a slash at the end."
    method: str
    endpoint: str
    operation: Operation


def find_operations(app: Flask) -> list[Found]:
    """Every operation of the app once, in the order of the paths."""
    found = {}
    for rule in app.url_map.iter_rules():
        declared = _operations.get(app.view_functions[rule.endpoint])
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            if declared is not None:
                path = rule.rule.rstrip("/")
                found[path, method] = Found(path, method, rule.endpoint, declared)
    return [found[key] for key in sorted(found)]
