"""Applications in test settings, made quickly: each test makes one."""

from pathlib import Path
from typing import Any, ClassVar

from flask import Flask
from jinja2 import FileSystemBytecodeCache
from werkzeug.routing import Rule

from recsite import create_app
from tests.processes.servers import RedisServer
from tests.web.clients import Client, Runner


class RuleCompiledOnce(Rule):
    """A URL rule that reuses the URL builders of the same rule in an earlier app.

    Werkzeug compiles them for each app anew, which takes three quarters of `create_app`.
    """

    builders: ClassVar[dict[Any, Any]] = {}

    def _compile_builder(self, append_unknown: bool = True) -> Any:
        key = (self.rule, repr(self.defaults), append_unknown)
        if key not in self.builders:
            self.builders[key] = super()._compile_builder(append_unknown)
        return self.builders[key]


Flask.url_rule_class = RuleCompiledOnce


def make_app(database_url: str, redis_server: RedisServer, media_root: Path, **settings: Any) -> Flask:
    """Return an application in test settings."""
    app = create_app(
        {
            "TESTING": True,
            "WTF_CSRF_ENABLED": False,
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_server.url,
            "CACHE_REDIS_URL": redis_server.cache_url,
            "MEDIA_ROOT": media_root,
            "SECRET_KEY": "test",
        }
        | settings
    )
    # Each app compiles its templates anew, which takes half of the time of a page.
    app.jinja_env.bytecode_cache = FileSystemBytecodeCache()
    app.test_client_class = Client
    app.test_cli_runner_class = Runner
    return app
