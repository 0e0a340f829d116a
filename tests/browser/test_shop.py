"""The example in deploy/examples: a shop on another origin, while the API needs a login or a token."""

import importlib.util
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import jwt
import pytest
import requests
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from recsite.accounts import site_ids, site_tokens
from recsite.config import ROOT
from recsite.extensions import db
from tests.browser.conftest import PATIENCE_MS
from tests.conftest import TrainedWorld
from tests.processes.servers import find_free_port, running_site

KEY = "k" * 32
EXAMPLE = ROOT / "deploy" / "examples" / "shop" / "server.py"


@pytest.fixture
def shop(app: Flask, trained: TrainedWorld, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ModuleType, str, str]]:
    """The shop's module, its address, and that of recsite."""
    port = find_free_port()
    app.config.update(API_AUTH="required", WIDGET_KEY=(KEY,), CORS_ORIGINS=(f"http://127.0.0.1:{port}",))
    token = site_tokens.create("shop", ["ratings:write", "catalog:write"], None, "the tests")
    with running_site(app) as address:
        for name, value in (("RECSITE", address), ("RECSITE_TOKEN", token), ("WIDGET_KEY", KEY)):
            monkeypatch.setenv(name, value)
        module = load(EXAMPLE)
        server = make_server("127.0.0.1", port, module.app, threaded=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield module, f"http://127.0.0.1:{port}", address
        server.shutdown()


def load(path: Path) -> ModuleType:
    """Return the module in this file, run anew."""
    spec = importlib.util.spec_from_file_location("shop_example", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def shop_page(chromium: Browser, shop: tuple[ModuleType, str, str]) -> Iterator[Page]:
    """The shop's page in a browser that knows nothing of recsite."""
    context = chromium.new_context()
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(shop[1])
    yield page
    context.close()


def test_a_customer_sees_suggestions_rates_and_dismisses(shop: tuple[ModuleType, str, str], shop_page: Page) -> None:
    assert requests.post(f"{shop[1]}/films", timeout=10).json()["new"] == 4
    fetched = shop_page.locator("#fetched > li")
    expect(fetched).to_have_count(5)
    expect(shop_page.locator("#snippet li")).to_have_count(5)
    assert site_ids.find_user_id("cust-42") is None

    first = fetched.first.inner_text()
    fetched.first.get_by_role("button").click()

    expect(fetched.first).not_to_have_text(first)
    shop_page.get_by_label("Film").select_option("Ronin")
    shop_page.get_by_role("button", name="Rate").click()
    expect(shop_page.get_by_text("Saved.")).to_be_visible()
    db.session.rollback()
    assert site_ids.find_user_id("cust-42") is not None


def test_a_leaked_token_reads_one_list_until_it_expires(shop: tuple[ModuleType, str, str]) -> None:
    _, shop_address, address = shop
    me = requests.get(f"{shop_address}/me", timeout=10)
    token = me.json()["token"]
    assert me.headers["Cache-Control"] == "no-store"
    assert jwt.decode(token, KEY, algorithms=["HS256"]).keys() == {"sub", "scope", "exp"}

    def status(path: str) -> int:
        return requests.get(f"{address}{path}user_token={token}", timeout=10).status_code

    assert status("/api/suggestions?") == 200
    assert status("/api/suggestions?user_id=1&") == 403
    for path in (
        "/api/ratings?user=cust-42&",
        "/api/explain?user=cust-42&movie_id=550&",
        "/api/movies?",
        "/api/jobs/1?",
    ):
        assert status(path) in (400, 401), path
    assert requests.get(f"{address}/metrics?user_token={token}", timeout=10).status_code == 401
