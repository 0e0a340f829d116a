"""Form fields that validate strictly, for the WTForms of each package, and the path to continue to after a form."""

import re
from datetime import date
from typing import Any, Self

import wtforms
from flask import request
from wtforms.validators import Length, Optional

from recsite.errors import InvalidInput
from recsite.web.request.query_string import LONGEST_TEXT, parse_number, single_text


class Form(wtforms.Form):
    """A form whose first error becomes an InvalidInput that begins with the name of the field."""

    @classmethod
    def read(cls) -> Self:
        """Return the form that was sent; raise InvalidInput if a field is repeated or invalid."""
        form = cls(request.form)
        for name in form.data:
            if len(request.form.getlist(name)) > 1:
                raise InvalidInput(f"{name} is given more than once.")
        if not form.validate():
            wrong = next(each for each in form if each.errors)
            raise InvalidInput(f"{wrong.name} {wrong.errors[0]}")
        return form


class TextField(wtforms.StringField):
    """A text without NUL characters; '' when it was not sent."""

    def __init__(self, label: str = "", *, longest: int = LONGEST_TEXT, **options: Any) -> None:
        too_long = Length(max=longest, message="is longer than %(max)d characters.")
        super().__init__(label, [too_long], default="", **options)

    def process_formdata(self, valuelist: list[str]) -> None:
        """Accept the text unless it contains a NUL, which PostgreSQL cannot store."""
        super().process_formdata(valuelist)
        if "\0" in (self.data or ""):
            raise ValueError("has a NUL character in it.")


class NumberField(wtforms.Field):
    """A whole number from `least` to `most`, written in ASCII digits; None when the field was left empty."""

    def __init__(self, label: str = "", *, least: int, most: int, is_required: bool = False, **options: Any) -> None:
        super().__init__(label, [] if is_required else [Optional()], **options)
        self.least, self.most, self.is_required = least, most, is_required

    def process_formdata(self, valuelist: list[str]) -> None:
        """Accept digits only; int() alone would accept '+5' and '1_0'."""
        sent = valuelist[0] if valuelist else ""
        self.data = None
        if sent or self.is_required:
            try:
                self.data = parse_number("", sent, self.least, self.most)
            except InvalidInput as error:
                raise ValueError(str(error).strip()) from error


class DateField(wtforms.DateField):
    """A date in the form 1999-10-15; None when the field was left empty."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Accept YYYY-MM-DD only; strptime alone would accept days and months of one digit."""
        sent = valuelist[0].strip() if valuelist else ""
        self.data = None
        if not sent:
            return
        try:
            if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", sent):
                raise ValueError
            self.data = date.fromisoformat(sent)
        except ValueError as error:
            raise ValueError("must be a date such as 1999-10-15, or empty.") from error


def strip(text: str | None) -> str:
    """Return the text without surrounding spaces, and with the line ends of Unix instead of those of browsers."""
    return (text or "").replace("\r\n", "\n").strip()


def field(name: str, longest: int = LONGEST_TEXT) -> str:
    """Return the text of one form field, '' when it was not sent; raise InvalidInput if it is invalid."""
    return single_text(request.form, name, longest) or ""


def whole_fields(name: str, least: int, largest: int, *, most: int) -> list[int]:
    """Return the first `most` form fields of this name as whole numbers, or raise InvalidInput."""
    return [parse_number(name, sent, least, largest) for sent in request.form.getlist(name)[:most]]


def number_field(name: str) -> float:
    """Return the form field as a number such as 4 or 4.5, or raise InvalidInput."""
    sent = field(name)
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", sent):
        raise InvalidInput(f"{name} must be a number.")
    return float(sent)


def current_path() -> str:
    """Return the path of this request with its query and with the prefix of the site, for a later `next`."""
    return request.script_root + request.full_path.rstrip("?")


def next_path(default: str) -> str:
    r"""Return the path in the parameter `next`, or `default` if that is no path of this site, with its prefix.

    A browser reads `//evil.example`, `/\evil.example` and `/<tab>/evil.example` as another site.
    """
    path = request.values.get("next", "")
    is_local = (
        path.startswith(f"{request.script_root}/")
        and not path.startswith("//")
        and "\\" not in path
        and path.isprintable()
    )
    return path if is_local else default
