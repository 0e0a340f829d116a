"""Operations of the API: parameters, permitted callers and responses, for requests and for the OpenAPI document."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypedDict, Unpack, get_args, get_type_hints

import msgspec
from flask import Flask, Response
from msgspec import UNSET, UnsetType

from recsite import movies
from recsite.accounts import WidgetToken, site_ids
from recsite.errors import InvalidInput, UserNotFound
from recsite.storage.tables import LARGEST_ID
from recsite.web.api.answers import json_answer
from recsite.web.api.rows import LONGEST_BATCH, read_rows
from recsite.web.api.schema import LONGEST_BODY, NoParameters, properties, read_body, read_query
from recsite.web.request import access, limits
from recsite.web.request.query_string import parse_number

View = Callable[..., Any]
Who = Literal["anyone", "client", "list reader", "reader", "author", "site"]
"""Who may call an operation.

A client has a token or a login. A list reader may read the lists of all users that the query and the body name. With
API_AUTH=open, anyone is both. A reader may read what the query's user did. An author changes their own data, and the
site that of the user whom the query or the body names. The site is an admin or a token of the site. Wherever a token of
the site calls, it needs the operation's scope.
"""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One operation; its summary is the first sentence of the view's docstring."""

    view: View
    path: type[msgspec.Struct]
    "The arguments of the route, which has validated them."
    query: type[msgspec.Struct]
    body: type[msgspec.Struct] | None
    row: type[msgspec.Struct] | None
    "Of the rows in the body's only field, which are read one by one; None for other bodies."
    answers: Mapping[int, Any]
    "The type of the JSON by success status; None without a body."
    example: Any
    "The JSON of an example response."
    who: Who = "anyone"
    scope: str = "suggestions:read"
    "The scope that a token of the site needs."
    not_found: str = ""
    "What a 404 names as not found; '' without a look-up."
    conflict: str = ""
    "When the answer is a 409, as a sentence; '' for never."
    headers: Sequence[str] = ()
    "Headers of a success besides those of every response; `openapi.HEADERS` describes them."
    has_snippet: bool = False
    "Whether HTMX gets HTML."
    body_example: Any = None
    "An example of the body; None for one made of the examples of its fields."
    longest_body: int = LONGEST_BODY
    "In bytes."

    def answer(self, path: dict[str, Any]) -> Response:
        """Count the request, check the caller, read the parameters, and call the view."""
        has_user_token = self.takes_user_token and access.take_user_token()
        limits.count_api_request()
        arguments: dict[str, Any] = {}
        # A user token names its user, so that the parameters need not.
        found = access.caller() if has_user_token else None
        signed = found.named if isinstance(found, WidgetToken) else {}
        if self.who == "author":
            access.check_scope(access.require_caller(), self.scope)
        elif self.who == "site":
            access.require_scope(self.scope)
        query: Any = read_query(self.query, signed, (access.USER_TOKEN,) if has_user_token else ())
        if self.query is not NoParameters:
            arguments["query"] = query
        if self.who in ("client", "list reader"):
            access.may_ask(self.scope)
        if self.who in ("list reader", "reader") and "user" in properties(self.query):
            subject_id = arguments["subject_id"] = find_subject(query)
            (access.may_read_list if self.who == "list reader" else access.may_read)(subject_id, self.scope)
        if "together_with" in properties(self.query):
            arguments["companion_ids"] = find_users(query.together_with, are_numbers=query.user is UNSET)
        if self.body is not None and self.row is not None:
            arguments["rows"] = read_rows(next(iter(properties(self.body))), self.row, self.longest_body)
        elif self.body is not None:
            arguments["body"] = read_body(self.body, self.longest_body, signed)
            if "users" in properties(self.body):
                arguments["subject_ids"] = find_subjects(arguments["body"])
        if self.who == "author":
            named = arguments["body"] if self.body is not None else query
            arguments["subject_id"] = find_author(named, self.scope)
        for user_id in (*arguments.get("companion_ids", ()), *arguments.get("subject_ids", ())):
            access.may_read_list(user_id, self.scope)
        answer = self.view(**path, **arguments)
        return answer if isinstance(answer, Response) else json_answer(answer)

    @property
    def takes_user_token(self) -> bool:
        """Whether a signed user token may call it: the list of one user, and changes of their own."""
        return self.who == "author" or (self.who == "list reader" and self.body is None)


class NamesUser(Protocol):
    """Parameters of which exactly one names a user."""

    @property
    def user_id(self) -> int | UnsetType:
        """The number."""

    @property
    def user(self) -> str | UnsetType:
        """The id of the site."""


class NamesMovie(Protocol):
    """Parameters of which exactly one names a movie."""

    @property
    def movie_id(self) -> int | UnsetType:
        """The number."""

    @property
    def movie(self) -> str | UnsetType:
        """The id of the site or of others."""


def find_subject(named: NamesUser) -> int | None:
    """Return the id of the user that these parameters name; None for a user of the site who is not stored yet.

    Raises:
        Forbidden: the caller is a user token, and they name another user.
    """
    access.check_named(named.user or None, named.user_id or None)
    return site_ids.find_user_id(named.user) if named.user else named.user_id or None


def find_author(named: NamesUser, scope: str) -> int | None:
    """Return the id of the user whom a change is about: the one these parameters name, else the caller.

    None is a user of the site who is not stored yet.

    Raises:
        Forbidden: the caller may not change the data of this user, or a token of the site names none.
    """
    if named.user_id is UNSET and named.user is UNSET:
        return access.require_user().id
    subject_id = find_subject(named)
    access.may_change(subject_id, scope)
    return subject_id


def find_movie_id(named: NamesMovie) -> int:
    """Return the id of the movie that these parameters name; raise MovieNotFound for an unknown `movie`."""
    return movies.require_id(named.movie) if named.movie else named.movie_id or 0


def add_user(named: NamesUser, movie_id: int) -> int:
    """Return the id of a user of the site who is not stored yet, whom a change of this movie creates.

    Raises:
        MovieNotFound: no visible movie has this id; nobody is created.
    """
    movies.get_visible(movie_id)
    return site_ids.find_or_add_user_id(named.user or "")


def find_subjects(body: Any) -> Sequence[int | None]:
    """Return the ids of the users whom a body names by `user_ids` or `users`, in its order; None as in `find_users`."""
    return find_users(body.users, are_numbers=False) if body.users else body.user_ids or ()


def find_users(sent: Sequence[str], *, are_numbers: bool) -> list[int | None]:
    """Return the ids of users by number or by the site's ids; None for a user of the site who is not stored yet.

    Raises:
        UserNotFound: numbers are sent, and one of them is none.
    """
    if are_numbers:
        return [parse_user_id(each) for each in sent]
    found = site_ids.find_user_ids(sent)
    return [found.get(each) for each in sent]


def parse_user_id(sent: str) -> int:
    """Return the number of a user; raise UserNotFound for a text that cannot be a user's number."""
    try:
        return parse_number("", sent, 1, LARGEST_ID)
    except InvalidInput as error:
        raise UserNotFound(sent) from error


_operations: dict[View, Operation] = {}


class Options(TypedDict, total=False):
    """The fields of an Operation that have a default."""

    who: Who
    scope: str
    not_found: str
    conflict: str
    headers: Sequence[str]
    has_snippet: bool
    body_example: Any
    longest_body: int


def operation(
    *, answers: Mapping[int, Any], example: Any, batch: type[msgspec.Struct] | None = None, **options: Unpack[Options]
) -> Callable[[View], View]:
    """Make a view an operation.

    The view's arguments `query` and `body` are annotated with the Structs to read. `subject_id` is the id of the user
    whom the query names by `user_id` or `user`, or of the author, see `find_author`; `companion_ids` are those in the
    query's `together_with`, `subject_ids` those whom the body names by `user_ids` or `users`; None stands for a user of
    the site who is not stored yet. With `batch`, the Struct of a body with a list of rows, `rows` are its Rows. All
    others come from the route. A Struct that it returns becomes JSON with the status 200.
    """
    if batch:
        options["longest_body"] = LONGEST_BATCH

    def declare(view: View) -> View:
        declared = Operation(
            view=view, **read_hints(view, batch), answers=answers, example=msgspec.to_builtins(example), **options
        )

        @functools.wraps(view)
        def answer(**path: Any) -> Response:
            return declared.answer(path)

        _operations[answer] = declared
        return answer

    return declare


def read_hints(view: View, batch: type[msgspec.Struct] | None) -> dict[str, Any]:
    """Return the Structs `path`, `query`, `body` and `row` that a view's annotations and the batch describe."""
    hints = get_type_hints(view, include_extras=True)
    for name in ("return", "subject_id", "companion_ids", "subject_ids"):
        hints.pop(name, None)
    rows = hints.pop("rows", None)
    return {
        "query": hints.pop("query", NoParameters),
        "body": hints.pop("body", batch),
        "row": get_args(rows)[0] if rows else None,
        "path": msgspec.defstruct("Path", list(hints.items())),
    }


@dataclass(frozen=True)
class Found:
    """An operation and its route."""

    path: str
    "The path of the route, without a slash at the end."
    method: str
    endpoint: str
    operation: Operation


def find_operations(app: Flask) -> list[Found]:
    """Return every operation of the app once, ordered by path and method."""
    found = {}
    for rule in app.url_map.iter_rules():
        declared = _operations.get(app.view_functions[rule.endpoint])
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            if declared is not None:
                path = rule.rule.rstrip("/")
                found[path, method] = Found(path, method, rule.endpoint, declared)
    return [found[key] for key in sorted(found)]
