"""The application for gunicorn and the flask command."""

from recsite import create_app

app = create_app()
