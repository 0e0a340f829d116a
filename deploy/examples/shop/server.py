"""A small shop that shows each customer the suggestions of a recsite on another address, under API_AUTH=required.

    RECSITE=http://127.0.0.1:5000 RECSITE_TOKEN=… WIDGET_KEY=… flask --app deploy/examples/shop/server.py run -p 8000

RECSITE_TOKEN is made by `flask tokens create --site shop --scopes ratings:write,catalog:write`; WIDGET_KEY is that of
recsite, whose CORS_ORIGINS must have this shop's address. Neither leaves this server: the page gets a token for its
customer alone, which expires after an hour.
"""

import json
import os
import time
import urllib.request
from pathlib import Path
from typing import Any

import jwt
from flask import Flask, Response, jsonify, request, send_file

RECSITE = os.environ["RECSITE"].rstrip("/")
FILMS = {"SKU-1": "Heat", "SKU-2": "Casino", "SKU-3": "Ronin", "SKU-4": "Amélie"}

app = Flask(__name__)


def customer() -> str:
    """Return the shop's own id of the customer; a real shop knows who is logged in."""
    return "cust-42"


def send(path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Send something to recsite as the shop, and return the answer."""
    headers = {"Authorization": f"Bearer {os.environ['RECSITE_TOKEN']}", "Content-Type": "application/json"}
    # RECSITE is the operator's own setting.
    sent = urllib.request.Request(f"{RECSITE}{path}", json.dumps(body).encode(), headers)  # noqa: S310
    with urllib.request.urlopen(sent, timeout=10) as response:  # noqa: S310
        answer: dict[str, Any] = json.load(response)
    return answer


@app.get("/")
def page() -> Response:
    """Show the shop, which is one static page."""
    return send_file(Path(__file__).with_name("shop.html"))


@app.get("/me")
def me() -> Response:
    """Tell the page whose it is: the films, and a token with which it reads and changes this customer's list."""
    claims = {"sub": customer(), "scope": "suggestions:read ratings:write", "exp": int(time.time()) + 3600}
    token = jwt.encode(claims, os.environ["WIDGET_KEY"], algorithm="HS256")
    response = jsonify(recsite=RECSITE, token=token, films=FILMS)
    response.headers["Cache-Control"] = "no-store"
    return response


@app.post("/films")
def send_films() -> dict[str, Any]:
    """Send the catalogue; a real shop does this when it changes. Sending it again changes nothing."""
    movies = [{"movie": f"site:{sku}", "title": title} for sku, title in FILMS.items()]
    return send("/api/movies/batch", {"movies": movies})


@app.post("/rate")
def rate() -> dict[str, Any]:
    """Pass on what the customer thinks of a film; many can go in one batch."""
    sku, stars = request.form["sku"], float(request.form["stars"])
    return send("/api/ratings/batch", {"ratings": [{"user": customer(), "movie": f"site:{sku}", "value": stars}]})
