"""Strict reading of form fields: a usable value, or InvalidInput that names the field and what it may be."""

import re

from flask import request

from recsite.errors import InvalidInput
from recsite.web.request.query_string import LONGEST_TEXT, parse_number, single_text


def field(name: str, longest: int = LONGEST_TEXT) -> str:
    """Return the form field's text, '' when it was not sent.

    Raises:
        InvalidInput: it is repeated, too long, or contains a NUL character.
    """
    return single_text(request.form, name, longest) or ""


def whole_field(name: str, least: int, most: int) -> int:
    """Return the form field as a whole number from `least` to `most`; raises InvalidInput."""
    return parse_number(name, field(name), least, most)


def whole_fields(name: str, least: int, largest: int, *, most: int) -> list[int]:
    """Return the form fields of this name as whole numbers; of more than `most` only the first ones."""
    return [parse_number(name, sent, least, largest) for sent in request.form.getlist(name)[:most]]


def number_field(name: str) -> float:
    """Return the form field as a number such as 4 or 4.5; raises InvalidInput."""
    sent = field(name)
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", sent):
        raise InvalidInput(f"{name} must be a number.")
    return float(sent)


def next_path(default: str) -> str:
    r"""Return the path that the form or link names as `next`, or `default` when it is no path of this site.

    A browser reads `//evil.example`, `/\evil.example` and `/<tab>/evil.example` as another site.
    """
    path = request.values.get("next", "")
    is_local = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if is_local else default
