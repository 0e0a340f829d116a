"""What a page or a form was sent, read strictly: a usable value comes back, or InvalidInput names the parameter."""

import re
from collections.abc import Collection

from flask import request
from werkzeug.datastructures import MultiDict

from recsite.errors import InvalidInput

DIGITS = re.compile("[0-9]{1,19}")
LONGEST_TEXT = 200
"Characters of an option or field, where its reader says nothing else."


def one(name: str) -> str | None:
    """The option's text, None when it was not sent; it comes once, is not too long, and a database can hold it."""
    return only_text(request.args, name, LONGEST_TEXT)


def field(name: str, longest: int = LONGEST_TEXT) -> str:
    """The form field's text, '' when it was not sent; checked like `one`."""
    return only_text(request.form, name, longest) or ""


def whole(name: str, least: int, most: int, default: int | None = None) -> int:
    """The option as a whole number; `default` when it was not sent, and required when there is no default."""
    sent = one(name)
    if sent is None:
        if default is None:
            raise InvalidInput(f"{name} is missing; give a whole number from {least} to {most}.")
        return default
    return parsed_whole(name, sent, least, most)


def whole_field(name: str, least: int, most: int) -> int:
    """The form field as a whole number."""
    return parsed_whole(name, field(name), least, most)


def whole_fields(name: str, least: int, largest: int, *, most: int) -> list[int]:
    """The form fields of this name as whole numbers; of more than `most` the first ones."""
    return [parsed_whole(name, sent, least, largest) for sent in request.form.getlist(name)[:most]]


def choice(name: str, choices: Collection[str], default: str) -> str:
    """The option, one of these words; `default` when it was not sent."""
    sent = one(name)
    if sent is None:
        return default
    if sent not in choices:
        raise InvalidInput(f"{name} must be one of: {', '.join(choices)}.")
    return sent


def number_field(name: str) -> float:
    """The form field as a number such as 4 or 4.5."""
    sent = field(name)
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", sent):
        raise InvalidInput(f"{name} must be a number.")
    return float(sent)


def is_htmx() -> bool:
    """HTMX asks, and wants a snippet."""
    return request.environ.get("HTTP_HX_REQUEST") == "true"


def next_path(default: str) -> str:
    """Where the form or link asks to go on (`next`), if that is a path of this site; else `default`.

    A browser reads `//evil.example`, `/\\evil.example` and `/<tab>/evil.example` as another site.
    """
    path = request.values.get("next", "")
    is_local = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if is_local else default


def only_text(sent: MultiDict[str, str], name: str, longest: int) -> str | None:
    """The only value of this name, None for none."""
    values = sent.getlist(name)
    if len(values) > 1:
        raise InvalidInput(f"{name} is given more than once.")
    if not values:
        return None
    return checked_text(name, values[0], longest)


def checked_text(name: str, sent: str, longest: int) -> str:
    """The same text, which is not too long, and a database can hold it."""
    if len(sent) > longest:
        raise InvalidInput(f"{name} is longer than {longest} characters.")
    # PostgreSQL cannot hold a NUL.
    if "\0" in sent:
        raise InvalidInput(f"{name} has a NUL character in it.")
    return sent


def parsed_whole(name: str, sent: str, least: int, most: int) -> int:
    """The number these digits spell: int() alone would take '+5', '1_0' and digits of any script."""
    if not DIGITS.fullmatch(sent) or not least <= int(sent) <= most:
        raise InvalidInput(f"{name} must be a whole number from {least} to {most}.")
    return int(sent)
