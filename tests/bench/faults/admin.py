"""An admin at a browser, who moves the pointer."""

import http.client
import re
import threading
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from tests.bench.faults.site import ADMIN, PASSWORD

PATIENCE_SECONDS = 15


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """A 303 is an answer, not the way to another page."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """No further request."""


class Admin:
    """One at a time: asks for a version to be activated, without waiting for the answer."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(), NoRedirects)
        self.csrf_token = ""
        self.was_answered = True
        "Whether the last request was answered with success."
        self._thread: threading.Thread | None = None

    def log_in(self) -> None:
        """The session is the admin's; raises RuntimeError when it is not."""
        self._find_csrf_token("/accounts/login/")
        if self._post("/accounts/login/", {"username": ADMIN, "password": PASSWORD}) != 303:
            raise RuntimeError("The admin cannot log in.")
        self._find_csrf_token("/admin/models/")

    def ask_for(self, version_name: str) -> None:
        """The request is on its way."""
        fields = {"version_name": version_name, "confirmed": "true", "reason": "a try"}
        self.was_answered = False

        def post() -> None:
            self.was_answered = self._post("/admin/models/activate", fields) == 303

        self._thread = threading.Thread(target=post, daemon=True)
        self._thread.start()

    def is_waiting(self) -> bool:
        """Whether the last request has no answer yet."""
        return self._thread is not None and self._thread.is_alive()

    def _find_csrf_token(self, path: str) -> None:
        with self.browser.open(f"{self.address}{path}", timeout=PATIENCE_SECONDS) as page:
            (self.csrf_token,) = re.findall(r'name="csrf-token" content="([^"]+)"', page.read().decode())

    def _post(self, path: str, fields: dict[str, str]) -> int:
        """The status of the answer; 0 for none."""
        body = urllib.parse.urlencode(fields | {"csrf_token": self.csrf_token}).encode()
        try:
            with self.browser.open(f"{self.address}{path}", body, timeout=PATIENCE_SECONDS) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except (OSError, http.client.HTTPException):
            return 0
