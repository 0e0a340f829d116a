"""A bare Flask app with one route, for tests/bench/serving.py: it answers the bytes of the file BARE_BODY."""

import os
from pathlib import Path

from flask import Flask, Response

app = Flask(__name__)
body = Path(os.environ["BARE_BODY"]).read_bytes()


@app.get("/api/suggestions/")
def suggestions() -> Response:
    """The same bytes for everybody."""
    return Response(body, mimetype="application/json")
