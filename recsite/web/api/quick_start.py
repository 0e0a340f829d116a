"""The quick start of the page of the API: from a token to suggestions on a site's own page, in five steps to copy."""

import json
from dataclasses import dataclass
from typing import Any

SCOPES = "suggestions:read,ratings:write,catalog:write,jobs:write"
"What the token of the quick start may do."
MOVIES = {
    "movies": [
        {
            "movie": "site:SKU-12",
            "title": "Heat",
            "release_date": "1995-12-15",
            "genres": ["Crime", "Drama"],
            "link": "https://shop.example/film/SKU-12",
        },
        {"movie": "imdb:tt0137523", "title": "Fight Club"},
    ]
}
RATINGS = {
    "ratings": [
        {"user": "cust-42", "movie": "site:SKU-12", "value": 4.5},
        {"user": "cust-43", "movie": "imdb:tt0137523", "value": 3},
    ]
}


@dataclass(frozen=True)
class Step:
    """One step: what to do, and what to copy for it."""

    title: str
    text: str
    "What stands between backticks is code."
    lines: tuple[tuple[str, str], ...]
    "Texts to copy, each with its name."


def find_steps(root: str) -> list[Step]:
    """Return the steps for the site at this address."""
    list_address = f"{root}/api/suggestions?user=cust-42&limit=5"
    return [
        Step(
            "Make a token",
            "On the server of this site, or as an admin on the page of tokens. It is shown once. Put it in place of "
            "`TOKEN` in the next steps, and keep it on your server.",
            (("Command that makes a token", f"flask tokens create --site shop --scopes {SCOPES}"),),
        ),
        Step(
            "Send your movies",
            "Up to 10,000 at once, under your own ids. `link` is the movie's page on your site.",
            (("Command that sends movies", curl("POST", f"{root}/api/movies/batch", MOVIES)),),
        ),
        Step(
            "Send ratings",
            "Up to 10,000 at once. A user is created by the first rating; sending the same again changes nothing.",
            (("Command that sends ratings", curl("POST", f"{root}/api/ratings/batch", RATINGS)),),
        ),
        Step(
            "Train a model",
            "The answer names the job in `Location`; ask there until it is `finished`. New ratings count at once, "
            "without another training.",
            (
                (
                    "Command that starts a training",
                    curl("POST", f"{root}/api/jobs", {"kind": "train", "activate": True}),
                ),
                ("Command that follows the training", curl("GET", f"{root}/api/jobs/1")),
            ),
        ),
        Step(
            "Show the suggestions",
            "Read a list from your server, or put a widget on a page. A page of another site needs its origin in "
            "`CORS_ORIGINS`, and a signed user token where `API_AUTH=required`.",
            (
                ("Command that reads a list", curl("GET", list_address)),
                (
                    "Widget for a page",
                    f'<div hx-get="{list_address}" hx-trigger="load" hx-swap="innerHTML"></div>',
                ),
            ),
        ),
    ]


def curl(method: str, address: str, body: Any = None, *, needs_token: bool = True) -> str:
    """Return a command that sends this request."""
    words = ["curl"]
    if method != "GET":
        words.append(f"-X {method}")
    if needs_token:
        words.append("-H 'Authorization: Bearer TOKEN'")
    if body is not None:
        words += ["-H 'Content-Type: application/json'", f"-d '{json.dumps(body)}'"]
    words.append(f"'{address}'")
    return " ".join(words)
