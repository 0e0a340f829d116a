"""The schema language of the API: msgspec Structs for queries, bodies and responses, and strict parsing of requests.

The same Struct checks a request and appears in the OpenAPI document, so that both always agree.
"""

import functools
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, Any, TypeVar

import msgspec
from flask import request
from msgspec import UNSET, Meta, UnsetType
from werkzeug.exceptions import UnsupportedMediaType

from recsite.errors import InvalidInput
from recsite.movies import ids as movie_ids
from recsite.storage.tables import LARGEST_ID, LONGEST_SITE_ID, SITE_ID, SITE_ID_IN_WORDS
from recsite.web.request.query_string import DIGITS, END, LONGEST_TEXT

LONGEST_BODY = 16 * 1024
"In bytes, unless an operation takes more."
LONGEST_LIST = 300
"Items of a list in a query; servers limit a request line to about 8 KB, and a comma may take three bytes."
LONGEST_REF = LONGEST_SITE_ID + len("movielens:")
NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,3})?")
"A number as JSON has it."
LATEST_TIMESTAMP = 4_102_444_799
"The last second of 2099."
NO_NUL = "^[^\\u0000]*$"
"PostgreSQL cannot store a NUL."

UserId = Annotated[int, Meta(ge=1, le=LARGEST_ID, description="The user.", examples=[123])]
MovieId = Annotated[int, Meta(ge=1, le=LARGEST_ID, description="The movie.", examples=[550])]
Stars = Annotated[float, Meta(ge=0.5, le=5, multiple_of=0.5, description="Stars, in halves.", examples=[4.5])]
Timestamp = Annotated[
    int,
    Meta(
        ge=0,
        le=LATEST_TIMESTAMP,
        description="When, in seconds since 1970 (UTC); now, if it is left out.",
        examples=[1_700_000_000],
    ),
]
SiteUser = Annotated[
    str,
    Meta(
        max_length=LONGEST_SITE_ID,
        pattern=f"^{SITE_ID}{END}",
        title=SITE_ID_IN_WORDS,
        description="The user, by the site's own id, in place of `user_id`.",
        examples=["cust-42"],
    ),
]
MovieRef = Annotated[
    str,
    Meta(
        max_length=LONGEST_REF,
        pattern=f"^({movie_ids.PATTERN}){END}",
        title=movie_ids.IN_WORDS,
        description="The movie, by an id of the site's own or of others, in place of `movie_id`.",
        examples=["imdb:tt0113277"],
    ),
]
Text = Annotated[str, Meta(max_length=LONGEST_TEXT, pattern=NO_NUL)]

Json = dict[str, Any]
S = TypeVar("S", bound=msgspec.Struct)
PAIRS = (("user_id", "user"), ("movie_id", "movie"), ("user_ids", "users"))
"Fields that name the same thing: of a Struct that has both, exactly one is sent; see `is_optional`."


class OfAuthor(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of a change that is about the caller, or about the user named by one of two ids."""

    user_id: UserId | UnsetType = UNSET
    user: SiteUser | UnsetType = UNSET


class NoParameters(msgspec.Struct):
    """The query of an operation without parameters."""


def read_query(schema: type[S], signed: Json | None = None, ignored: Collection[str] = ()) -> S:
    """Return the query string as this Struct, or raise InvalidInput that names the wrong parameter.

    Args:
        schema: the Struct.
        signed: the parameter that names the user of a user token, where the query names none.
        ignored: parameters that are read elsewhere, and may be sent once.
    """
    known = properties(schema)
    values: Json = {}
    for name, text in query_items():
        if name in ignored and name not in values:
            values[name] = text
            continue
        if name in values:
            raise InvalidInput(f"{name[:50]} is given more than once.")
        if name not in known:
            options = f"the options are: {', '.join(sorted(known))}" if known else "there are none here"
            raise InvalidInput(f"Unknown option {name[:50]!r}; {options}.")
        values[name] = parse_text(name, text, known[name])
    values = {name: value for name, value in values.items() if name not in ignored}
    return convert(with_signed(values, schema, signed), schema, strict=False)


def with_signed(values: Json, schema: type[msgspec.Struct], signed: Json | None) -> Json:
    """Return the values, with the name of a user token's user where the Struct takes one and none is given."""
    if not signed or "user" not in properties(schema) or values.keys() & {"user", "user_id"}:
        return values
    return signed | values


def query_items() -> Iterable[tuple[str, str]]:
    """Return the names and values in the query string, in order."""
    query: str = request.environ.get("QUERY_STRING", "")
    if "%" in query or "+" in query or not query.isascii():
        return request.args.items(multi=True)
    # Most queries need no decoding; werkzeug's parser would cost a third of a cached answer.
    return [(name, text) for name, _, text in (option.partition("=") for option in query.split("&") if option)]


def parse_text(name: str, text: str, schema: Json) -> Any:
    """Return a parameter's value: a list for an array, an int for digits, else the text; or raise InvalidInput."""
    is_list = schema.get("type") == "array"
    items: list[Any] = text.split(",") if is_list and text else [] if is_list else [text]
    if schema.get("items", schema).get("type") == "integer":
        # msgspec would also accept '1e3' and '1.0'.
        if not all(map(DIGITS.fullmatch, items)):
            raise InvalidInput(f"{name} must be {in_words(schema)}.")
        items = [int(item) for item in items]
    elif schema.get("type") == "number" and not NUMBER.fullmatch(text):
        # msgspec would also accept 'nan', and spaces.
        raise InvalidInput(f"{name} must be {in_words(schema)}.")
    return items if is_list else items[0]


def read_body(schema: type[S], longest: int, signed: Json | None = None) -> S:
    """Return the JSON body of at most `longest` bytes as this Struct; `signed` as in `read_query`.

    Raises:
        InvalidInput: it is not valid JSON, or not what the Struct describes.
        UnsupportedMediaType: it does not say that it is JSON.
        RequestEntityTooLarge: it is longer.
    """
    request.max_content_length = longest
    if not request.is_json:
        raise UnsupportedMediaType("Send the body as JSON, with the header 'Content-Type: application/json'.")
    sent = decode(request.get_data(), "The body is not valid JSON.")
    known = properties(schema)
    if not isinstance(sent, dict):
        raise InvalidInput(f"The body must be a JSON object with {keys_in_words(known)}.")
    check_keys(sent, known, " in the body")
    return convert(with_signed(sent, schema, signed), schema, strict=True)


def check_keys(sent: Json, known: Iterable[str], place: str = "") -> None:
    """Raise InvalidInput that names an unknown key."""
    for name in sent:
        if name not in known:
            raise InvalidInput(f"Unknown key {name[:50]!r}{place}; the keys are: {', '.join(known)}.")


def decode(sent: bytes, problem: str) -> Any:
    """Return the JSON value, or raise InvalidInput with this sentence."""
    try:
        return without_points(msgspec.json.decode(sent))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:  # thousands of opening brackets recurse
        raise InvalidInput(problem) from error


def without_points(value: Any) -> Any:
    """Return the JSON value with 550 for 550.0: JSON does not distinguish them, msgspec does."""
    if isinstance(value, dict):
        return {name: without_points(each) for name, each in value.items()}
    if isinstance(value, list):
        return [without_points(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def convert(values: Json, schema: type[S], *, strict: bool) -> S:
    """Return the values as this Struct, or raise InvalidInput; unless `strict`, texts become numbers."""
    try:
        converted = msgspec.convert(values, schema, strict=strict)
    except msgspec.ValidationError as error:
        check_pairs(values, schema, in_text=not strict)
        raise InvalidInput(explain(error, values, schema, in_text=not strict)) from error
    check_pairs(values, schema, in_text=not strict)
    for name, of in properties(schema).items():
        # msgspec does not check this. Only lists of texts are described so.
        if of.get("uniqueItems") and len(set(values.get(name, ()))) < len(values.get(name, ())):
            raise InvalidInput(f"{name} must be {in_words(of, in_text=not strict)}.")
    return converted


def check_pairs(values: Json, schema: type[msgspec.Struct], *, in_text: bool) -> None:
    """Raise InvalidInput unless exactly one field of each pair is given, at most one of an optional pair."""
    for pair in pairs_of(schema):
        given = [name for name in pair if name in values]
        if len(given) > 1:
            raise InvalidInput(f"{given[0]} is given, and {given[1]} as well; send one of them.")
        if not given and not is_optional(schema, pair):
            first, second = (in_words(properties(schema)[name], in_text=in_text) for name in pair)
            raise InvalidInput(f"{pair[0]} is missing; it must be {first}. Or send {pair[1]}: {second}.")


def pairs_of(schema: type[msgspec.Struct]) -> list[tuple[str, str]]:
    """Return the pairs of fields of which exactly one is sent."""
    return [pair for pair in PAIRS if properties(schema).keys() >= set(pair)]


def is_optional(schema: type[msgspec.Struct], pair: tuple[str, str]) -> bool:
    """Return whether both fields of the pair may be left out."""
    return pair[0] == "user_id" and issubclass(schema, OfAuthor)


def explain(error: msgspec.ValidationError, values: Json, schema: type[msgspec.Struct], *, in_text: bool) -> str:
    """Return a sentence that names the value that msgspec refused, by its place, and the valid ones."""
    for field in msgspec.structs.fields(schema):
        if field.required and field.name not in values:
            return f"{field.name} is missing; it must be {in_words(properties(schema)[field.name], in_text=in_text)}."
    # msgspec ends its message with the path of the value: "Expected `int` >= 1 - at `$.ratings[2].movie_id`".
    message, _, path = str(error).rpartition(" - at `$")
    if in_text:  # A parameter has no places in it.
        path = path.partition("[")[0]
    found: Json = {"properties": properties(schema)}
    for name, index in re.findall(r"\.(\w+)|\[(\d+)\]", path):
        found = found["items"] if index else found["properties"][name]
    place = path.strip(".`")
    key = re.fullmatch("Object (missing required|contains unknown) field `(.*)`", message, re.DOTALL)
    if key is None:
        return f"{place} must be {in_words(found, in_text=in_text)}." if place else str(error)
    wrong = "missing" if key[1] == "missing required" else "unknown"
    return f"{place}.{key[2][:50]} is {wrong}; {place} must be {in_words(found, in_text=in_text)}."


@functools.cache
def properties(schema: type[msgspec.Struct]) -> Mapping[str, Json]:
    """Return the JSON Schema of each field of the Struct, in their order, without references."""
    _, components = msgspec.json.schema_components([schema])
    found: Json = resolve(components[schema.__name__]["properties"], components)
    return {name: of_choices(each) for name, each in found.items()}


def of_choices(schema: Json) -> Json:
    """Return the schema; one of several choices, such as a text or null, with the description of its first."""
    described = {key: schema["anyOf"][0][key] for key in ("description", "examples")} if "anyOf" in schema else {}
    return described | schema


def resolve(schema: Any, components: Mapping[str, Json]) -> Any:
    """Return the schema with the components themselves in place of references to them."""
    if isinstance(schema, list):
        return [resolve(each, components) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return resolve(components[schema["$ref"].rpartition("/")[2]], components)
    return {name: resolve(each, components) for name, each in schema.items()}


def in_words(schema: Json, *, in_text: bool = True) -> str:
    """Return the valid values of this JSON Schema in words that follow "must be"; `in_text`: lists have commas."""
    if schema.get("type") == "array":
        each = in_words(schema["items"], in_text=in_text)
        return f"{array_in_words(schema)}, {'joined by commas, ' if in_text else ''}each {each}"
    if schema.get("type") == "object":
        return f"an object with {keys_in_words(schema['properties'])}"
    if "anyOf" in schema:
        choices = [each for each in schema["anyOf"] if each != {"type": "null"}]
        return " or ".join(in_words(each, in_text=in_text) for each in choices) + ", or null"
    if "enum" in schema:
        return f"one of: {', '.join(map(str, schema['enum']))}"
    if "title" in schema:
        title: str = schema["title"]
        return title
    if schema["type"] == "string":
        length = f"1 to {schema['maxLength']}" if schema.get("minLength") else f"at most {schema['maxLength']}"
        return f"text of {length} characters, without NUL"
    kind = "a whole number" if schema["type"] == "integer" else "a number"
    steps = f" in steps of {schema['multipleOf']:g}" if "multipleOf" in schema else ""
    return f"{kind} from {schema['minimum']} to {schema['maximum']}{steps}"


def keys_in_words(names: Iterable[str]) -> str:
    """Return the names of the keys of an object in words, those of a pair joined by "or"."""
    words = " and ".join(names)
    for first, second in PAIRS:
        words = words.replace(f"{first} and {second}", f"{first} or {second}")
    return words


def array_in_words(schema: Json) -> str:
    """Return the kind of list that this JSON Schema of an array describes."""
    if schema.get("uniqueItems"):
        return "a list without repetition"
    return f"a list of at most {schema['maxItems']}" if "maxItems" in schema else "a list"
