"""Applications in test settings, made quickly: each test makes one."""

from pathlib import Path
from typing import Any, ClassVar

import sqlalchemy as sa
from flask import Flask
from jinja2 import FileSystemBytecodeCache
from werkzeug.routing import Rule

from recsite import create_app
from recsite.extensions import db
from tests.processes.servers import RedisServer
from tests.web.clients import Client, Runner


class RuleCompiledOnce(Rule):
    """A URL rule that reuses what Werkzeug compiled for the same rule in an earlier app.

    That takes four fifths of `create_app`.
    """

    builders: ClassVar[dict[Any, Any]] = {}
    compiled: ClassVar[dict[Any, dict[str, Any]]] = {}
    COMPILED = ("_parts", "_trace", "_converters", "arguments")

    def compile(self) -> None:
        """Do what Werkzeug does, or copy what it did for the same rule."""
        key = (self.rule, repr(self.defaults))
        if key not in self.compiled:
            super().compile()
            self.compiled[key] = {name: getattr(self, name) for name in self.COMPILED}
            return
        for name, value in self.compiled[key].items():
            setattr(self, name, value.copy())
        self._build = self._compile_builder(False).__get__(self, None)
        self._build_unknown = self._compile_builder(True).__get__(self, None)

    def _compile_builder(self, append_unknown: bool = True) -> Any:
        key = (self.rule, repr(self.defaults), append_unknown)
        if key not in self.builders:
            self.builders[key] = super()._compile_builder(append_unknown)
        return self.builders[key]


Flask.url_rule_class = RuleCompiledOnce

dialects: dict[str, sa.Dialect] = {}
compiled_statements: dict[Any, Any] = {}


def share_compiled_statements(engine: sa.Engine) -> None:
    """Let the engine reuse the statements that earlier ones compiled, which takes a third of a test otherwise.

    SQLAlchemy finds them by the dialect, so engines of a kind share the dialect, too.
    """
    if engine.name not in dialects:
        with engine.connect():
            # The first connection tells the dialect the server's version.
            dialects[engine.name] = engine.dialect
    engine.dialect = dialects[engine.name]
    engine.update_execution_options(compiled_cache=compiled_statements)


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
    with app.app_context():
        share_compiled_statements(db.engine)
    # Each app compiles its templates anew, which takes half of the time of a page.
    app.jinja_env.bytecode_cache = FileSystemBytecodeCache()
    app.test_client_class = Client
    app.test_cli_runner_class = Runner
    return app
