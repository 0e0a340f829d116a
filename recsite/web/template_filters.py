"""What every template can use: filters for numbers and dates, the path of the request, constants of texts."""

from datetime import date

from flask import Flask

from recsite.accounts.passwords import PASSWORD_LENGTH
from recsite.web.request import forms


def init_app(app: Flask) -> None:
    """Register the filters and globals."""
    app.jinja_env.filters.update(thousands=thousands, plural=plural, day=day)
    app.jinja_env.globals["current_path"] = forms.current_path
    app.jinja_env.globals["shortest_password"] = PASSWORD_LENGTH[0]


def thousands(number: float) -> str:
    """Return a whole number with commas between thousands, another one in its shortest form: 1,234 and 0.5."""
    return f"{number:,}" if isinstance(number, int) else f"{number:g}"


def plural(number: float, noun: str) -> str:
    """Return the number with its noun: 0 ratings, 1 rating, 1,234 ratings."""
    return f"{thousands(number)} {noun if number == 1 else f'{noun}s'}"


def day(moment: date) -> str:
    """Return the day as 5 January 2026. No format of strftime for it works on Windows as well as elsewhere."""
    return f"{moment.day} {moment:%B %Y}"
