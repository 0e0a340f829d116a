"""recsite: movie suggestions for a site, and control over the model behind them."""

import gc
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask, has_app_context

# scikit-surprise makes a folder for its data sets when it is imported, by default in the home of the user. A container
# may have none. This folder exists, and recsite loads no data set of Surprise.
os.environ.setdefault("SURPRISE_DATA_FOLDER", str(Path(__file__).parent))

# Garbage collections during the imports find nothing and take a third of their time. What is imported stays, so later
# collections, and the one at exit, leave it out.
gc.disable()
from recsite import cli, config, ml, storage, versions, web  # noqa: E402  see above

gc.enable()
gc.freeze()

__version__ = config.VERSION


def create_app(overrides: Mapping[str, Any] | None = None) -> Flask:
    """Return the application, configured by the environment with `overrides` on top.

    Raises:
        BadSetting: a setting has a value that cannot be used.
    """
    app = Flask(__name__, template_folder="web/templates", static_folder="web/static")
    app.config.update(config.read(os.environ, overrides or {}, app.instance_path))
    app.json.sort_keys = False  # type: ignore[attr-defined]  # responses keep the documented order of keys
    app.jinja_env.globals["version"] = __version__
    storage.init_app(app)
    versions.recommender.init_app(app)
    web.init_app(app)
    cli.init_app(app)
    return app


def find_model_store() -> ml.ModelStore:
    """Return what `ml.load_model` may open, by the database of the current app, or of a new app in a bare shell."""
    if has_app_context():
        return versions.find_store()
    with create_app().app_context():
        return versions.find_store()


ml.register_store(find_model_store)
