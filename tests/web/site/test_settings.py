"""Settings: where a value comes from, and what a bad one does."""

import contextlib
import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from recsite.config import DEFAULT_REDIS_URL, ROOT, SETTINGS, read
from recsite.config.parsers import BadSetting
from recsite.config.urls import database_uri, redis_url
from recsite.storage.cache import SafeRedisCache
from tests.processes.forks import Forked
from tests.processes.servers import RedisServer


def settings(tmp_path: Path, environ: dict[str, str] | None = None, **overrides: Any) -> dict[str, Any]:
    """Return the configuration of this environment."""
    return read(environ or {}, overrides, str(tmp_path))


def test_without_an_environment_every_setting_has_a_value(tmp_path: Path) -> None:
    config = settings(tmp_path)

    assert {name: config[name] for name in ("REDIS_URL", "TRAIN_FACTORS", "JOB_TIMEOUT_SECONDS", "MEDIA_ROOT")} == {
        "REDIS_URL": DEFAULT_REDIS_URL,
        "TRAIN_FACTORS": 100,
        "JOB_TIMEOUT_SECONDS": 7200,
        "MEDIA_ROOT": ROOT / "media",
    }


def test_the_environment_beats_the_default_and_an_override_beats_both(tmp_path: Path) -> None:
    environ = {"TRAIN_FACTORS": "7", "TRAIN_EPOCHS": "8"}

    config = settings(tmp_path, environ, TRAIN_EPOCHS=9)

    assert (config["TRAIN_FACTORS"], config["TRAIN_EPOCHS"], config["TRAIN_FOLDS"]) == (7, 9, 5)


def test_an_empty_value_is_the_default(tmp_path: Path) -> None:
    without = settings(tmp_path, SECRET_KEY="test")

    for setting in SETTINGS:
        assert settings(tmp_path, {setting.name: ""}, SECRET_KEY="test") == without, setting.name


@pytest.mark.parametrize(
    ("name", "value", "may_be"),
    (
        ("TRAIN_FACTORS", "many", "a whole number from 1 to 2000"),
        ("TRAIN_FACTORS", "0", "a whole number from 1 to 2000"),
        ("TRAIN_FACTORS", "2001", "a whole number from 1 to 2000"),
        ("TRAIN_FACTORS", "-5", "a whole number from 1 to 2000"),
        ("TRAIN_FACTORS", "--5", "a whole number from 1 to 2000"),
        ("TRAIN_FACTORS", "²", "a whole number from 1 to 2000"),
        ("TRAIN_FACTORS", "1.5", "a whole number from 1 to 2000"),
        ("SUGGESTIONS_CACHE_SECONDS", "-1", "a whole number from 0 to 604800"),
        ("TRAIN_LEARNING_RATE", "0", "a number from 1e-06 to 0.2"),
        ("TRAIN_LEARNING_RATE", "nan", "a number from 1e-06 to 0.2"),
        ("TRAIN_REGULARIZATION", "inf", "a number from 0.0001 to 10"),
        ("TRAIN_REGULARIZATION", "0", "a number from 0.0001 to 10"),
        ("TMDB_IMAGES", "image.tmdb.org", "an address such as 'https://image.tmdb.org/t/p/w342'"),
        ("TMDB_IMAGES", "https://evil.example; script-src *", "an address such as 'https://image.tmdb.org/t/p/w342'"),
        ("API_AUTH", "closed", "one of: required, open"),
        ("COOKIES_SECURE", "maybe", "'true' or 'false'"),
        ("CORS_ORIGINS", "www.example.org", "origins such as"),
        ("CORS_ORIGINS", "https://a.example/path", "origins such as"),
        ("CORS_ORIGINS", "https://a.example, *", "origins such as"),
        ("CORS_ORIGINS", "https://[.]*", "origins such as"),
    ),
)
def test_a_bad_value_stops_the_start_and_says_what_it_may_be(
    tmp_path: Path, name: str, value: str, may_be: str
) -> None:
    with pytest.raises(BadSetting, match=re.escape(f"Unexpected value {name}='{value}', use {may_be}")):
        settings(tmp_path, {name: value})


@pytest.mark.parametrize(
    ("url", "uri"),
    (
        ("postgres://me@host/db", "postgresql+psycopg://me@host/db"),
        ("postgresql://me@host/db", "postgresql+psycopg://me@host/db"),
        ("postgresql+psycopg://me@host/db", "postgresql+psycopg://me@host/db"),
        ("sqlite:////tmp/movies.sqlite3", "sqlite:////tmp/movies.sqlite3"),
    ),
)
def test_a_database_url_is_taken_as_hosts_write_it(tmp_path: Path, url: str, uri: str) -> None:
    assert settings(tmp_path, {"DATABASE_URL": url})["SQLALCHEMY_DATABASE_URI"] == uri


def test_without_a_database_url_the_database_is_a_file_of_the_instance(tmp_path: Path) -> None:
    assert settings(tmp_path)["SQLALCHEMY_DATABASE_URI"] == f"sqlite:///{tmp_path}/recsite.sqlite3"


@pytest.mark.parametrize(
    "url",
    (
        "mysql://me:secret@host/db",
        "postgresql+psycopg2://me:secret@host/db",
        "postgresql+asyncpg://me:secret@host/db",
        "postgresql://me:secret@host:port/db",
        "postgresql://me:secret@host:99999/db",
        "postgresql://me:secret@host:0x10/db",
        "secret",
    ),
)
def test_a_bad_database_url_is_a_sentence_without_its_password(tmp_path: Path, url: str) -> None:
    with pytest.raises(BadSetting, match=r"DATABASE_URL.*use 'postgresql://") as refused:
        settings(tmp_path, {"DATABASE_URL": url})

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "urls",
    (
        "shop.example/secret",
        "ftp://shop.example/secret",
        "https://me:secret@shop.example/",
        "https://shop.example:99999/a secret",
        "https://shop.example/hooks,secret",
    ),
)
def test_a_bad_address_of_a_webhook_is_a_sentence_without_it(tmp_path: Path, urls: str) -> None:
    with pytest.raises(BadSetting, match=r"^WEBHOOK_URL has a part that is no address, use 'https://") as refused:
        settings(tmp_path, {"WEBHOOK_URL": urls, "WEBHOOK_KEY": "k" * 16})

    assert "secret" not in str(refused.value)


def test_webhooks_take_several_addresses_and_a_key(tmp_path: Path) -> None:
    urls = "https://shop.example/hooks?a=b, http://[::1]:8080,https://shop.example/hooks?a=b"

    config = settings(tmp_path, {"WEBHOOK_URL": urls, "WEBHOOK_KEY": "k" * 16})

    assert config["WEBHOOK_URL"] == ("https://shop.example/hooks?a=b", "http://[::1]:8080")
    with pytest.raises(BadSetting, match="WEBHOOK_URL is set without WEBHOOK_KEY"):
        settings(tmp_path, {"WEBHOOK_URL": urls})
    with pytest.raises(BadSetting, match=r"^WEBHOOK_KEY must have 16 to 1000 characters: use a long random text.$"):
        settings(tmp_path, {"WEBHOOK_KEY": "short"})


REDIS_URLS = (
    "redis://127.0.0.1:6399",
    "redis://127.0.0.1:6399/",
    "redis://127.0.0.1:6399/0",
    "redis://127.0.0.1:6399/0/",
    "redis://127.0.0.1:6399/0?health_check_interval=30",
    "redis://127.0.0.1:6399?db=0",
    "redis://127.0.0.1:6399/15",
    "redis://:p%40ss@[::1]:6399/15",
    "rediss://127.0.0.1:6399/0?ssl_cert_reqs=none",
    "unix:///run/redis.sock",
    "unix:///run/redis.sock?db=0",
    "unix://user:pass@/run/redis.sock?db=3",
)


@pytest.mark.parametrize("url", REDIS_URLS)
def test_the_cache_uses_the_redis_of_the_queue_whatever_its_address_looks_like(tmp_path: Path, url: str) -> None:
    config = settings(tmp_path, {"REDIS_URL": url})

    assert config["REDIS_URL"] == config["CACHE_REDIS_URL"] == url
    Redis.from_url(config["CACHE_REDIS_URL"], socket_timeout=1).connection_pool.make_connection()


@pytest.mark.parametrize("name", ("REDIS_URL", "CACHE_REDIS_URL"))
@pytest.mark.parametrize(
    "url",
    (
        "secret",
        "http://:secret@host/0",
        "redis://",
        "redis://:secret@host:port/0",
        "redis://:secret@host:99999/0",
        "redis://:secret@host/zero",
        "redis://:secret@host/0/1",
        "redis://:secret@host?db=zero",
        "redis://:secret@host/0?unheard_of=1",
        "redis://:se/cret@host:6379/0",
        "redis://[secret/0",
        "unix://",
    ),
)
def test_a_bad_redis_url_is_a_sentence_without_its_password(tmp_path: Path, name: str, url: str) -> None:
    with pytest.raises(BadSetting, match=f"^{name} is no address of a Redis server, use 'redis://HOST") as refused:
        settings(tmp_path, {name: url})

    assert "secret" not in str(refused.value)


@given(
    st.text(max_size=60) | st.tuples(st.sampled_from(("redis://", "unix://", "postgresql://")), st.text()).map("".join)
)
def test_any_text_is_an_address_or_a_bad_setting(url: str) -> None:
    for parse in (lambda: redis_url("REDIS_URL", url), lambda: database_uri(url, "/nowhere")):
        with contextlib.suppress(BadSetting):
            parse()


def test_emptying_the_cache_leaves_the_queue_in_the_same_database(redis_server: RedisServer) -> None:
    redis_server.flush()
    with Redis.from_url(redis_server.url) as connection:
        connection.rpush("rq:queue:default", "job")
        kept = SafeRedisCache(redis_server.url, "recsite:", 60)
        kept.set("key", b"value")

        assert kept.clear()

        assert connection.keys() == [b"rq:queue:default"]


@pytest.mark.parametrize(
    ("name", "value"),
    (("REDIS_URL", "redis://host:port"), ("DATABASE_URL", "postgresql+psycopg2://host/db"), ("PROXIES", "many")),
)
def test_a_command_prints_a_bad_setting_as_one_sentence(name: str, value: str) -> None:
    with Forked(("flask", "doctor"), os.environ | {"SECRET_KEY": "test", name: value}) as process:
        output, _ = process.communicate(timeout=60)

    assert process.returncode == 1
    assert re.fullmatch(f"Error: .*{name}.*\n", output), output


def test_a_secret_that_cannot_be_kept_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(BadSetting, match="Set SECRET_KEY to a long random text"):
        settings(tmp_path / "file")


def test_a_cache_may_have_a_redis_of_its_own(tmp_path: Path) -> None:
    assert settings(tmp_path, {"CACHE_REDIS_URL": "redis://other/3"})["CACHE_REDIS_URL"] == "redis://other/3"


def test_the_secret_is_drawn_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    first, second = settings(tmp_path)["SECRET_KEY"], settings(tmp_path)["SECRET_KEY"]

    assert first == second
    assert len(first) == 64
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600


def test_two_sites_have_two_secrets(tmp_path: Path) -> None:
    here, there = settings(tmp_path / "here"), settings(tmp_path / "there")

    assert here["SECRET_KEY"] != there["SECRET_KEY"]


@pytest.mark.parametrize(
    ("environ", "overrides", "auth", "secure"),
    (
        ({}, {}, "required", True),
        ({"FLASK_DEBUG": "1"}, {}, "open", False),
        ({"FLASK_DEBUG": "0"}, {}, "required", True),
        ({}, {"TESTING": True}, "open", False),
        ({"FLASK_DEBUG": "1", "API_AUTH": "required", "COOKIES_SECURE": "true"}, {}, "required", True),
        ({"API_AUTH": "open", "COOKIES_SECURE": "false"}, {}, "open", False),
    ),
)
def test_a_site_is_guarded_unless_it_is_being_worked_on(
    tmp_path: Path, environ: dict[str, str], overrides: dict[str, Any], auth: str, secure: bool
) -> None:
    config = settings(tmp_path, environ, **overrides)

    assert (config["API_AUTH"], config["SESSION_COOKIE_SECURE"], config["REMEMBER_COOKIE_SECURE"]) == (
        auth,
        secure,
        secure,
    )


def test_scripts_cannot_read_the_cookies(tmp_path: Path) -> None:
    config = settings(tmp_path)

    assert config["SESSION_COOKIE_HTTPONLY"]
    assert config["REMEMBER_COOKIE_HTTPONLY"]
    assert config["SESSION_COOKIE_SAMESITE"] == "Lax"


def test_origins_are_written_as_browsers_write_them(tmp_path: Path) -> None:
    config = settings(tmp_path, {"CORS_ORIGINS": "https://A.example/, http://localhost:8000,"})

    assert config["CORS_ORIGINS"] == ("https://a.example", "http://localhost:8000")
