"""What the API takes: each parameter declared once, read strictly, and described by the same object in the document."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from flask import request
from werkzeug.exceptions import BadRequest

from recsite.errors import InvalidInput
from recsite.web.request.query_string import LONGEST_TEXT, check_text, parse_number

LONGEST_BODY = 16 * 1024
"Bytes of a JSON body; the largest that anybody needs has about fifty."
LONGEST_LIST = 300
"Numbers in a list; gunicorn takes addresses of 8190 bytes, and a comma may come as three."
PLAIN = "^[^\\u0000]*$"
"No NUL, which PostgreSQL cannot hold."


@dataclass(frozen=True, kw_only=True)
class Parameter(ABC):
    """What is said of every parameter, wherever it stands."""

    name: str
    meaning: str
    "One sentence for the document."
    example: Any
    "A value, as JSON has it."

    @property
    def is_required(self) -> bool:
        """Whether a request without it is refused."""
        return False

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the values that are taken, and of no others."""


class InQuery(Parameter):
    """A parameter that can stand in a query, once or not at all."""

    longest: ClassVar[int] = LONGEST_TEXT
    "Characters that it may have."

    @abstractmethod
    def default_value(self) -> Any:
        """What stands in for one that was not sent; raises InvalidInput where nothing can."""

    @abstractmethod
    def from_text(self, sent: str) -> Any:
        """The value that this text spells; raises InvalidInput, naming the parameter."""


class InBody(Parameter):
    """A key that can stand in a JSON body."""

    @abstractmethod
    def from_json(self, sent: object) -> Any:
        """The value of this JSON; raises InvalidInput, naming the parameter."""


@dataclass(frozen=True, kw_only=True)
class Whole(InQuery, InBody):
    """A whole number from `least` to `most`; required when it has no default."""

    least: int
    most: int
    default: int | None = None

    @property
    def is_required(self) -> bool:
        return self.default is None

    def default_value(self) -> int:
        if self.default is None:
            raise InvalidInput(f"{self.name} is missing; give a whole number from {self.least} to {self.most}.")
        return self.default

    def from_text(self, sent: str) -> int:
        return parse_number(self.name, sent, self.least, self.most)

    def from_json(self, sent: object) -> int:
        # JSON does not tell 550.0 from 550.
        if isinstance(sent, float) and sent.is_integer():
            sent = int(sent)
        if isinstance(sent, bool) or not isinstance(sent, int) or not self.least <= sent <= self.most:
            raise InvalidInput(f"{self.name} must be a whole number from {self.least} to {self.most}.")
        return sent

    def schema(self) -> dict[str, Any]:
        limits = {"type": "integer", "minimum": self.least, "maximum": self.most}
        return limits if self.default is None else limits | {"default": self.default}


@dataclass(frozen=True, kw_only=True)
class Text(InQuery):
    """Any text of at most `longest` characters; None when it was not sent or is empty."""

    def default_value(self) -> None:
        return None

    def from_text(self, sent: str) -> str | None:
        return sent or None

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": self.longest, "pattern": PLAIN}


@dataclass(frozen=True, kw_only=True)
class Choice(InQuery):
    """One of these words."""

    words: Sequence[str]
    default: str | None = None

    def default_value(self) -> str | None:
        return self.default

    def from_text(self, sent: str) -> str:
        if sent not in self.words:
            raise InvalidInput(f"{self.name} must be one of: {', '.join(self.words)}.")
        return sent

    def schema(self) -> dict[str, Any]:
        words = {"type": "string", "enum": list(self.words)}
        return words if self.default is None else words | {"default": self.default}


@dataclass(frozen=True, kw_only=True)
class Choices(InQuery):
    """Some of these words, joined by commas, each once; in this order, whatever the order they came in."""

    words: Sequence[str]

    def default_value(self) -> list[str]:
        return []

    def from_text(self, sent: str) -> list[str]:
        found = sent.split(",") if sent else []
        if not set(found) <= set(self.words) or len(set(found)) < len(found):
            raise InvalidInput(f"{self.name} must be some of: {', '.join(self.words)}; joined by commas, each once.")
        return [word for word in self.words if word in found]

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "string", "enum": list(self.words)}, "uniqueItems": True}


@dataclass(frozen=True, kw_only=True)
class Wholes(InQuery):
    """Whole numbers joined by commas; each once, ascending."""

    least: int
    most: int
    longest: ClassVar[int] = LONGEST_LIST * 11

    def default_value(self) -> list[int]:
        return []

    def from_text(self, sent: str) -> list[int]:
        found = sent.split(",") if sent else []
        if len(found) > LONGEST_LIST:
            raise InvalidInput(f"{self.name} has more than {LONGEST_LIST} numbers.")
        return sorted({parse_number(self.name, number, self.least, self.most) for number in found})

    def schema(self) -> dict[str, Any]:
        number = {"type": "integer", "minimum": self.least, "maximum": self.most}
        return {"type": "array", "items": number, "maxItems": LONGEST_LIST}


@dataclass(frozen=True, kw_only=True)
class OneNumber(InBody):
    """One of these numbers; which ones is for the room to check that takes it."""

    numbers: Sequence[float]

    @property
    def is_required(self) -> bool:
        return True

    def from_json(self, sent: object) -> float:
        if isinstance(sent, bool) or not isinstance(sent, (int, float)) or not abs(sent) < 1e9:
            raise InvalidInput(f"{self.name} must be a number.")
        return float(sent)

    def schema(self) -> dict[str, Any]:
        return {"type": "number", "enum": list(self.numbers)}


def read_query(known: Mapping[str, InQuery]) -> dict[str, Any]:
    """The value of each of these parameters; raises InvalidInput for a bad, repeated, missing or unknown one."""
    sent: dict[str, str] = {}
    for name, text in sent_options():
        if name in sent:
            raise InvalidInput(f"{name[:50]} is given more than once.")
        if name not in known:
            options = f"the options are: {', '.join(sorted(known))}" if known else "there are none here"
            raise InvalidInput(f"Unknown option {name[:50]!r}; {options}.")
        sent[name] = text
    return {
        name: parameter.from_text(check_text(name, sent[name], parameter.longest))
        if name in sent
        else parameter.default_value()
        for name, parameter in known.items()
    }


def sent_options() -> Iterable[tuple[str, str]]:
    """The names and values of the query, in the order they came in."""
    query: str = request.environ.get("QUERY_STRING", "")
    if "%" in query or "+" in query or not query.isascii():
        return request.args.items(multi=True)
    # Nothing is to be decoded, and most queries are like that.
    return [(name, text) for name, _, text in (option.partition("=") for option in query.split("&") if option)]


def read_body(parameters: Sequence[InBody]) -> dict[str, Any]:
    """The same from the JSON object in the body; another content type is a 415, a body beyond LONGEST_BODY a 413."""
    request.max_content_length = LONGEST_BODY
    try:
        sent = request.get_json()
    except (BadRequest, RecursionError) as error:  # RecursionError: thousands of opening brackets
        raise InvalidInput("The body is not valid JSON.") from error
    names = [parameter.name for parameter in parameters]
    if not isinstance(sent, dict):
        raise InvalidInput(f"The body must be a JSON object with {' and '.join(names)}.")
    for name in sent:
        if name not in names:
            raise InvalidInput(f"Unknown key {name[:50]!r} in the body; the keys are: {', '.join(names)}.")
    for name in names:
        if name not in sent:
            raise InvalidInput(f"{name} is missing in the body.")
    return {parameter.name: parameter.from_json(sent[parameter.name]) for parameter in parameters}
