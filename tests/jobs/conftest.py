"""A receiver of webhooks."""

from collections.abc import Iterator

import pytest
from flask import Flask

from tests.jobs.receivers import KEY, Receiver, running_receiver


@pytest.fixture
def receiver(app: Flask) -> Iterator[Receiver]:
    """A running receiver that the site tells of its events."""
    with running_receiver() as found:
        app.config.update(WEBHOOK_URL=(found.url,), WEBHOOK_KEY=KEY)
        yield found
