"""Everything that talks to the database, the cache, Redis and MEDIA_URL: tables, engine, queries, paging, queue, media.

Imports `ml` (number types), `config`, `errors` and `extensions` only. Start with `tables/`, then `engine.py`.
"""

from flask import Flask

from recsite import extensions
from recsite.storage import engine, media, timeouts
from recsite.storage.queue import queueing


def init_app(app: Flask) -> None:
    """Bind the database, the migrations, the cache and the queue to the app, and check MEDIA_URL."""
    media.init_app(app)
    engine.configure(app)
    extensions.db.init_app(app)
    extensions.migrate.init_app(app, extensions.db, render_as_batch=True)
    extensions.cache.init_app(app)
    queueing.init_app(app)
    timeouts.init_app(app)
