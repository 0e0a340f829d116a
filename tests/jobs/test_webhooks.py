"""Webhooks: what becomes of a receiver that fails, of a worker that dies, and of the button that sends one again."""

import socket
import threading
import time
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import jobs
from recsite.errors import NotFound
from recsite.extensions import db
from recsite.jobs import runs, tasks, webhooks
from recsite.jobs.webhooks import LEASE, RETRY_DELAYS
from recsite.storage.queue import queueing
from recsite.storage.tables import AuditEntry, WebhookDelivery, now
from tests.jobs.blocks_at_work import claim_block
from tests.jobs.receivers import KEY, Receiver, deliveries, record
from tests.processes.servers import RedisServer, find_free_port

both_databases = pytest.mark.both_databases


def make_due() -> None:
    """Let all deliveries that wait be due now."""
    db.session.execute(sa.update(WebhookDelivery).values(due_at=now() - timedelta(seconds=1)))
    db.session.commit()


@both_databases
def test_a_receiver_that_fails_gets_the_same_delivery_again_later(receiver: Receiver) -> None:
    receiver.statuses = [500]
    record()

    webhooks.send_next()

    (delivery,) = deliveries()
    assert (delivery.state, delivery.last_status, delivery.last_error) == ("waiting", 500, "The answer was 500.")
    assert RETRY_DELAYS[0] / 2 < delivery.due_at - now() <= RETRY_DELAYS[0]
    assert webhooks.send_next() is False
    make_due()
    assert webhooks.send_next() is True
    first, second = receiver.received
    assert first.body == second.body
    (delivery,) = deliveries()
    assert (delivery.state, delivery.attempts, delivery.last_error) == ("delivered", 2, "")


def test_the_intervals_grow_and_after_the_last_attempt_the_delivery_has_failed(receiver: Receiver) -> None:
    assert list(RETRY_DELAYS) == sorted(set(RETRY_DELAYS))
    receiver.statuses = [503] * 99
    record()

    waits = []
    while webhooks.send_next():
        waits.append(deliveries()[0].due_at - now())
        make_due()

    (delivery,) = deliveries()
    assert (delivery.state, delivery.attempts) == ("failed", len(RETRY_DELAYS) + 1)
    assert len(receiver.received) == len(RETRY_DELAYS) + 1
    assert all(delay / 2 < wait <= delay for wait, delay in zip(waits[:-1], RETRY_DELAYS, strict=True))


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.statuses = [307]
    record()

    webhooks.send_next()

    assert [each.path for each in receiver.received] == ["/hooks?token=secret-part"]
    assert deliveries()[0].last_error == "The answer was 307; redirects are not followed."


def test_a_receiver_that_is_not_there_is_tried_again_and_its_address_is_not_shown(app: Flask) -> None:
    url = f"http://127.0.0.1:{find_free_port()}/secret-part"
    app.config.update(WEBHOOK_URL=(url,), WEBHOOK_KEY=KEY)
    record()

    webhooks.send_next()

    (delivery,) = deliveries()
    assert (delivery.state, delivery.last_status) == ("waiting", None)
    assert delivery.last_error.startswith("ConnectionRefusedError: ")
    kept = str([getattr(delivery, column.key) for column in WebhookDelivery.__table__.columns])
    assert "secret-part" not in kept
    assert KEY not in kept


def test_a_receiver_that_answers_byte_by_byte_is_cut_off(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "LONGEST_SECONDS", 0.5)
    is_over = threading.Event()

    def drip(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection, listening:
            while not is_over.wait(0.1):
                try:
                    connection.sendall(b"H")
                except OSError:
                    return

    listening = socket.create_server(("127.0.0.1", 0))
    app.config.update(WEBHOOK_URL=(f"http://127.0.0.1:{listening.getsockname()[1]}/",), WEBHOOK_KEY=KEY)
    thread = threading.Thread(target=drip, args=(listening,))
    thread.start()
    record()

    started = time.monotonic()
    webhooks.send_next()

    assert time.monotonic() - started < 5
    is_over.set()
    thread.join()
    assert (deliveries()[0].state, deliveries()[0].last_status) == ("waiting", None)


def test_a_delivery_to_an_address_that_is_removed_is_not_sent(app: Flask, receiver: Receiver) -> None:
    record()
    app.config["WEBHOOK_URL"] = ()

    webhooks.send_next()

    assert receiver.received == []
    assert (deliveries()[0].state, deliveries()[0].last_error) == ("failed", webhooks.GONE)


@both_databases
def test_of_two_workers_one_sends_a_delivery(app: Flask, receiver: Receiver) -> None:
    record()

    first, second = webhooks.claim_next(), webhooks.claim_next()

    assert first is not None
    assert second is None


def test_a_delivery_whose_worker_died_is_due_again_after_the_lease(receiver: Receiver) -> None:
    record()
    lost = webhooks.claim_next()
    assert lost is not None

    (delivery,) = deliveries()

    assert (delivery.state, delivery.attempts) == ("waiting", 1)
    assert LEASE / 2 < delivery.due_at - now() <= LEASE
    make_due()
    webhooks.send_next()
    # The first worker was only slow: what it says counts no more.
    webhooks.record_outcome(lost, webhooks.Outcome(500, "late"))
    assert receiver.received[0].json["id"] == lost.key
    assert (deliveries()[0].state, deliveries()[0].last_error) == ("delivered", "")


def test_without_redis_a_delivery_waits_and_maintenance_enqueues_it(
    app: Flask, own_redis: RedisServer, receiver: Receiver
) -> None:
    own_redis.stop()
    record()
    assert len(deliveries()) == 1
    own_redis.start()

    runs.enqueue_due()

    assert queueing.count_jobs() == 1
    tasks.do_next("a-job")
    assert len(receiver.received) == 1


def test_the_job_that_ends_a_run_enqueues_one_that_tells_of_it(receiver: Receiver) -> None:
    jobs.start("averages", "alice")
    queueing.queue.empty()

    tasks.do_next("a-job")

    assert queueing.count_jobs() == 1


@both_databases
def test_a_delivery_is_sent_again_with_all_its_attempts(receiver: Receiver) -> None:
    record()
    webhooks.send_next()
    delivery_id = deliveries()[0].id

    said = webhooks.send_again(delivery_id, "alice")

    assert said == "It is sent at once if a worker is free."
    assert queueing.count_jobs() == 1
    tasks.do_next("a-job")
    first, second = receiver.received
    assert first.body == second.body
    entry = db.session.scalars(sa.select(AuditEntry)).one()
    assert (entry.by, entry.action, entry.kind, entry.subject) == ("alice", "send again", "webhook", str(delivery_id))
    assert "secret-part" not in entry.label


def test_a_delivery_that_is_not_there_cannot_be_sent_again(app: Flask) -> None:
    with pytest.raises(NotFound, match="Delivery not found"):
        webhooks.send_again(7, "alice")


def test_deliveries_go_before_blocks_and_every_job_does_one_thing(receiver: Receiver) -> None:
    run_id = jobs.start("averages", "alice")
    record()

    tasks.do_next("a-job")

    assert len(receiver.received) == 1
    assert claim_block(run_id, 0).run_id == run_id
