"""All settings with their defaults and units. Values come from the environment; an invalid one stops the start.

Imports nothing of recsite. Start with `SETTINGS`; `parsers.py` and `urls.py` say which values are allowed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from recsite.config.parsers import (
    BadSetting,
    boolean,
    folder_url,
    number,
    one_of,
    origins,
    secret,
    secret_list,
    text,
    whole,
)
from recsite.config.secret_key import kept_secret
from recsite.config.urls import database_uri, media_url, redis_url, webhook_urls

VERSION = "2.0.0"
"The version of recsite, which is also `recsite.__version__`."
ROOT = Path(__file__).resolve().parent.parent.parent
DEFAULT_REDIS_URL = "redis://127.0.0.1:6399/0"


class Limits(NamedTuple):
    """The smallest and the largest value of a number."""

    least: int
    most: int


EPOCHS, FACTORS, FOLDS, SEED = Limits(1, 1000), Limits(1, 2000), Limits(2, 20), Limits(0, 2**32 - 1)
TRAINING_LIMITS = {"epochs": EPOCHS, "factors": FACTORS, "folds": FOLDS, "seed": SEED}
"Limits of the parameters of a training, for settings, commands and forms alike."
LIST_LENGTH_LIMITS = Limits(1, 1000)
"Limits of the number of suggestions that are stored for one user."


@dataclass(frozen=True)
class Setting:
    """A setting, which is one row of the table of settings in the documentation."""

    name: str
    default: str
    "The default as a value in the environment; '' if it is determined when the app starts."
    parse: Callable[[str, str], Any]
    meaning: str


PER_MINUTE = whole(0, 1_000_000_000)
"A limit; 0 stands for none."
SETTINGS = (
    Setting(
        "DATABASE_URL", "", text, "Database; SQLite in `instance/recsite.sqlite3` when not set, else `postgresql://…`"
    ),
    Setting(
        "DATABASE_TIMEOUT_SECONDS",
        "5",
        number(4, 300),
        "Time limit for all waits of a web request for the database, seconds; then a 503. Jobs and commands have none",
    ),
    Setting("DATABASE_PREPARED_STATEMENTS", "true", boolean, "`false` behind PgBouncer in transaction mode"),
    Setting("REDIS_URL", DEFAULT_REDIS_URL, redis_url, "Redis of the queue"),
    Setting("CACHE_REDIS_URL", "", redis_url, "Redis of the cache; the queue's when not set"),
    Setting("SECRET_KEY", "", text, "Signs sessions; when not set, drawn once and kept in `instance/secret_key`"),
    Setting("MEDIA_ROOT", "media", text, "Folder of model files and exports; relative to the project"),
    Setting(
        "MEDIA_URL",
        "",
        media_url,
        "Where hosts without a shared disk keep versions and exports: `s3://bucket/folder`, `file:///folder`",
    ),
    Setting(
        "TMDB_IMAGES",
        "",
        folder_url,
        "Where browsers fetch posters, as `https://image.tmdb.org/t/p/w342`; without it posters are drawn",
    ),
    Setting(
        "API_AUTH",
        "",
        one_of("required", "open"),
        "Who reads the API: `required` = own lists only, `open` = anyone; `open` under `--debug`",
    ),
    Setting(
        "CORS_ORIGINS",
        "",
        origins,
        "Other sites whose pages may read the API, as `https://www.example.org`, joined by commas",
    ),
    Setting(
        "WEBHOOK_URL",
        "",
        webhook_urls,
        "Addresses that are told of activated versions and ended jobs, joined by commas",
    ),
    Setting("WEBHOOK_KEY", "", secret, "Signs what is sent to WEBHOOK_URL; at least 16 characters"),
    Setting(
        "WIDGET_KEY",
        "",
        secret_list,
        "Signs the user tokens of widgets; at least 32 characters; during a change `new,old`, both are accepted",
    ),
    Setting("API_READS_PER_MINUTE", "900", PER_MINUTE, "API reads of one address or login, a minute and web process"),
    Setting("API_WRITES_PER_MINUTE", "300", PER_MINUTE, "API changes of one address or login, a minute"),
    Setting("API_TOKEN_READS_PER_MINUTE", "60000", PER_MINUTE, "API reads by the tokens of one user"),
    Setting("API_TOKEN_WRITES_PER_MINUTE", "6000", PER_MINUTE, "API changes by the tokens of one user"),
    Setting("PAGES_PER_MINUTE", "300", PER_MINUTE, "Pages of one address or login, a minute"),
    Setting("FORMS_PER_MINUTE", "120", PER_MINUTE, "Forms sent by one address or login, a minute"),
    Setting("UPLOADS_PER_MINUTE", "10", PER_MINUTE, "Files of ratings sent by one login, a minute"),
    Setting("SEARCHES_PER_MINUTE", "60", PER_MINUTE, "Searches and filtered lists, likewise"),
    Setting(
        "LOGINS_PER_MINUTE",
        "20",
        PER_MINUTE,
        "Attempts to log in or sign up from one address, or to log in under one name, a minute",
    ),
    Setting(
        "PROXIES",
        "0",
        whole(0, 9),
        "Proxies in front, whose `X-Forwarded-For`, `-Proto`, `-Host` are believed; too many let clients forge them",
    ),
    Setting("COOKIES_SECURE", "", boolean, "Send cookies over HTTPS only; `false` under `--debug`"),
    Setting("SUGGESTIONS_PER_USER", "100", whole(*LIST_LENGTH_LIMITS), "Rows kept for each user"),
    Setting(
        "SUGGESTIONS_CACHE_SECONDS",
        "3600",
        whole(0, 604_800),
        "How long an answer stays in the cache, seconds; 0 = no cache",
    ),
    Setting("SCORE_BLOCK_USERS", "2048", whole(1, 100_000), "Users scored and committed together"),
    Setting("TRAIN_FACTORS", "100", whole(*FACTORS), "Factors of the rating model"),
    Setting("TRAIN_EPOCHS", "40", whole(*EPOCHS), "Passes of SGD over the ratings"),
    Setting("TRAIN_LEARNING_RATE", "0.03", number(1e-6, 0.2), "Step size of SGD in the first epoch"),
    Setting("TRAIN_FINAL_LEARNING_RATE", "0.003", number(1e-6, 0.2), "Step size in the last epoch; it falls evenly"),
    Setting("TRAIN_REGULARIZATION", "0.1", number(1e-4, 10), "L2 penalty of user biases and of all factors"),
    Setting(
        "TRAIN_MOVIE_REGULARIZATION",
        "0.4",
        number(0, 10),
        "L2 penalty of movie biases; more keeps rarely rated movies near the mean",
    ),
    Setting("TRAIN_FOLDS", "5", whole(*FOLDS), "Held-out folds on which RMSE and MAE are measured"),
    Setting("TRAIN_SEED", "42", whole(*SEED), "Seed of the split and of the factors' start"),
    Setting(
        "RANKING",
        "ease",
        one_of("ease", "value"),
        "What orders a list: the `ease` ranker, or the predicted rating (`value`)",
    ),
    Setting("RANKER_REGULARIZATION", "120", number(1e-3, 1e6), "λ of the ranker; more = closer to what is popular"),
    Setting("RANKER_FEWEST_RATINGS", "5", whole(1, 1_000_000), "Ratings a movie needs to be in the ranker"),
    Setting(
        "RANKER_MOST_MOVIES",
        "10000",
        whole(1, 50_000),
        "The ranker covers the most rated ones; training takes 9 bytes × movies²",
    ),
    Setting(
        "RANKER_POPULARITY_DAMPING",
        "0.15",
        number(0, 2),
        "Exponent that holds back what everybody rates; more = more of the catalogue",
    ),
    Setting("RANKER_RATING_CENTRE", "2.5", number(0, 4.5), "Stars of a rating that counts for nothing"),
    Setting("RANKER_LOWEST_WEIGHT", "-0.3", number(-1, 1), "Least weight of a rating; below 0, dislikes push down"),
    Setting("RANKER_RECENCY_EXPONENT", "0.15", number(0, 2), "Weights × (1 + newer ratings)^-this; 0 = all ages alike"),
    Setting("RANKER_NEWCOMERS", "3", number(0, 100), "n ratings: (this/n)³ × the mean scores of all users is added"),
    Setting("RANKER_DIAGONAL", "0", number(0, 100), "λ of a movie grows by this × its sum of squared weights"),
    Setting("RANKER_FLOOR", "3", number(0, 5), "Predicted stars under which a movie stands behind all others; 0 = off"),
    Setting(
        "RANKER_WEIGHTS",
        "2000000",
        whole(1, 1_000_000_000),
        "Weights kept in all, the strongest of each movie; 8 bytes each",
    ),
    Setting(
        "AUTO_ACTIVATE",
        "if-not-worse",
        one_of("never", "if-better", "if-not-worse"),
        "What a scheduled training does with its version, by the comparison with the active one",
    ),
    Setting(
        "VERSIONS_KEPT",
        "10",
        whole(0, 100_000),
        "Versions whose files a queued training keeps, the newest, active and previous one always; 0 = all",
    ),
    Setting(
        "EXPORTS_KEPT",
        "30",
        whole(0, 100_000),
        "Dated files of each kind and format of export that the next one keeps; 0 = all",
    ),
    Setting(
        "RETRAIN_NEW_RATINGS",
        "100",
        whole(0, 1_000_000_000),
        "So many ratings since the last training let `flask cron` queue another one; 0 = never",
    ),
    Setting("WEB_THREADS", "256", whole(4, 512), "Threads per web process; half of them may wait for request bodies"),
    Setting("WORKER_THREADS", "1", whole(1, 256), "Threads per worker for scoring; raise it where cores are idle"),
    Setting("JOB_TIMEOUT_SECONDS", "7200", whole(10, 604_800), "A job that runs longer is stopped and fails"),
)


def read(environ: Mapping[str, str], overrides: Mapping[str, Any], instance_path: str) -> dict[str, Any]:
    """Return Flask's configuration from the environment, with `overrides` on top.

    Raises:
        BadSetting: a value is invalid.
    """
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        given = environ.get(setting.name) or setting.default
        values[setting.name] = setting.parse(setting.name, given) if given else None
    values.update(overrides)
    unguarded = bool(
        values.get("DEBUG") or values.get("TESTING") or environ.get("FLASK_DEBUG", "0") not in ("", "0", "false")
    )
    if values["API_AUTH"] is None:
        values["API_AUTH"] = "open" if unguarded else "required"
    if values["COOKIES_SECURE"] is None:
        values["COOKIES_SECURE"] = not unguarded
    values["CORS_ORIGINS"] = values["CORS_ORIGINS"] or ()
    values["WEBHOOK_URL"] = values["WEBHOOK_URL"] or ()
    values["WIDGET_KEY"] = values["WIDGET_KEY"] or ()
    if values["WEBHOOK_URL"] and not values["WEBHOOK_KEY"]:
        raise BadSetting(
            "WEBHOOK_URL is set without WEBHOOK_KEY, which signs what is sent: set it to a long random text."
        )
    values["TMDB_IMAGES"] = values["TMDB_IMAGES"] or ""
    values["MEDIA_URL"] = values["MEDIA_URL"] or ""
    values["MEDIA_ROOT"] = ROOT / values["MEDIA_ROOT"]
    values.setdefault("SQLALCHEMY_DATABASE_URI", database_uri(values["DATABASE_URL"], instance_path))
    # Their keys begin differently, and emptying the cache removes only its own: one database is enough for both.
    values["CACHE_REDIS_URL"] = values["CACHE_REDIS_URL"] or values["REDIS_URL"]
    values["SECRET_KEY"] = values["SECRET_KEY"] or kept_secret(Path(instance_path) / "secret_key")
    return values | derive_flask_settings(values)


def derive_flask_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration of Flask and its extensions that follows from the settings."""
    return {
        "CACHE_TYPE": "recsite.storage.cache.SafeRedisCache",
        "CACHE_DEFAULT_TIMEOUT": values["SUGGESTIONS_CACHE_SECONDS"],
        "CACHE_KEY_PREFIX": "recsite:",
        "SESSION_COOKIE_SECURE": values["COOKIES_SECURE"],
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "REMEMBER_COOKIE_SECURE": values["COOKIES_SECURE"],
        "REMEMBER_COOKIE_HTTPONLY": True,
        "REMEMBER_COOKIE_SAMESITE": "Lax",
        "REMEMBER_COOKIE_DURATION": timedelta(days=90),
        # CSRF tokens are valid as long as the session, so a page that was open for hours still works.
        "WTF_CSRF_TIME_LIMIT": None,
        # The token suffices. Over HTTPS, Flask-WTF would also compare Referer with Host, and so refuse browsers that
        # send no Referer, and proxies that leave out the port.
        "WTF_CSRF_SSL_STRICT": False,
        "MAX_CONTENT_LENGTH": 16 * 1024 * 1024,
    }
