"""Names of accounts: which are acceptable, and which look alike.

The rules for scripts follow Unicode Technical Standard 39, "highly restrictive": https://www.unicode.org/reports/tr39/
"""

import re
import unicodedata

from recsite.errors import InvalidInput

NAME_LENGTH = range(1, 151)
IMPORTED_NAME = re.compile(r"user-[0-9]+", re.IGNORECASE)
"Names of users that an import creates; a sign-up cannot use them."
INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"Characters that are letters, marks or symbols by their category, and show nothing."
SCRIPTS_TOGETHER = (
    {"LATIN", "CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"},
    {"LATIN", "CJK", "HANGUL"},
    {"LATIN", "CJK", "BOPOMOFO"},
)
"Scripts that one name may mix, because their languages do."


def clean_name(name: str) -> str:
    """Return the name as it is stored: NFKC, without surrounding spaces."""
    return unicodedata.normalize("NFKC", name).strip()


def check_name(name: str) -> None:
    """Raise InvalidInput unless a new user may have this cleaned name, which appears in URLs and log lines."""
    if len(name) not in NAME_LENGTH:
        raise InvalidInput(f"A user name has {NAME_LENGTH[0]} to {NAME_LENGTH[-1]} characters.")
    if not is_plain(name) or INVISIBLE.search(name):
        raise InvalidInput("A user name has no spaces, no slashes and no invisible characters.")
    if IMPORTED_NAME.fullmatch(name):
        raise InvalidInput(f"The user name {name!r} is kept for imported users; choose another.")
    scripts = scripts_of(name)
    if len(scripts) > 1 and not any(scripts <= together for together in SCRIPTS_TOGETHER):
        raise InvalidInput("A user name does not mix letters of different alphabets, which look alike.")


def is_plain(name: str) -> bool:
    """Return whether the name has no slash, space or control character (a database refuses NUL)."""
    return not any(char in "/\\" or unicodedata.category(char)[0] in "CZ" for char in name)


def scripts_of(name: str) -> set[str]:
    """Return the scripts of the letters: the first words of their Unicode names, such as LATIN."""
    return {unicodedata.name(char, "?").split()[0] for char in name if unicodedata.category(char).startswith("L")}
