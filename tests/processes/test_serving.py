"""`flask serve`: real workers that are stopped, killed and sent what a browser never sends."""

import contextlib
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # ships no types
import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from recsite import accounts
from recsite.config import ROOT, SETTINGS
from tests.conftest import World
from tests.processes.servers import (
    answers,
    as_text,
    ask_raw,
    find_free_port,
    running_command,
    running_server,
    running_site,
    wait_until,
)

HALF_SENT = 64
"Connections of each kind in the test of half-sent requests."


def count_listeners(port: int) -> int:
    """Return how many sockets of this machine listen on this port, from the kernel's table."""
    return len(re.findall(rf"^ *\d+: \w+:{port:04X} \S+ 0A ", Path("/proc/net/tcp").read_text(), re.MULTILINE))


def status_of(port: int, path: str) -> int:
    """Return the status of a GET request on a new connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with contextlib.closing(connection):
        connection.request("GET", path)
        return connection.getresponse().status


def worker_ids(server: int) -> set[int]:
    """Return the process ids of the server's workers."""
    return {child.pid for child in psutil.Process(server).children()}


def head_of(request_line: str, *headers: str) -> bytes:
    """Return a request without a body, as bytes; the server closes the connection afterwards."""
    return "\r\n".join((request_line, "Host: localhost", "Connection: close", *headers, "", "")).encode()


def rating_request(app: Flask, body: bytes) -> bytes:
    """Return the head of a rating by bob, which asks the server to say when it reads the body."""
    token = accounts.create_token(accounts.find_user("bob"))
    return head_of(
        "POST /api/ratings HTTP/1.1",
        f"Authorization: Bearer {token}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Expect: 100-continue",
    )


@pytest.mark.skipif(sys.platform != "linux", reason="one socket for all workers elsewhere")
def test_every_worker_has_its_own_listening_socket(app: Flask) -> None:
    with running_site(app, workers=3) as address:
        wait_until(lambda: count_listeners(int(address.rpartition(":")[2])) == 3, within_seconds=10)


def test_a_taken_address_is_an_error_although_workers_could_share_it(runner: FlaskCliRunner) -> None:
    with socket.create_server(("127.0.0.1", find_free_port())) as other:
        host, port = other.getsockname()
        result = runner.invoke(args=["serve", "--host", host, "--port", str(port)])

    assert result.exit_code == 1
    assert f"Cannot listen on {host}:{port}: Address already in use." in result.stderr


def test_a_bad_number_of_workers_in_the_environment_is_an_error(runner: FlaskCliRunner) -> None:
    result = runner.invoke(args=["serve"], env={"WEB_CONCURRENCY": "many"})

    assert result.exit_code == 1
    assert "Unexpected value WEB_CONCURRENCY='many', use a number from 1 to 1024." in result.stderr


def test_the_production_server_refuses_debug_settings(app: Flask, runner: FlaskCliRunner) -> None:
    app.debug = True

    result = runner.invoke(args=["serve"])

    assert result.exit_code == 1
    assert "For debugging, use 'flask --debug run'." in result.stderr


def test_sigterm_lets_a_running_request_finish(app: Flask, world: World) -> None:
    body = b'{"movie_id": 550, "value": 4.0}'
    with running_server(app) as (process, port), socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(rating_request(app, body))
        answer = client.makefile("rb")
        assert answer.readline().split()[1] == b"100"  # the application reads the body now

        process.send_signal(signal.SIGTERM)
        wait_until(lambda: not answers(f"http://127.0.0.1:{port}/healthz"), within_seconds=10)
        client.sendall(body)
        final = answer.read()

        assert b"HTTP/1.1 201 Created" in final
        assert process.wait(20) == 0


def test_a_killed_worker_is_replaced_and_the_others_go_on(app: Flask) -> None:
    with running_server(app, "--workers", "2") as (process, port):
        wait_until(lambda: len(worker_ids(process.pid)) == 2, within_seconds=20)
        killed = min(worker_ids(process.pid))
        psutil.Process(killed).kill()
        wait_until(lambda: killed not in worker_ids(process.pid), within_seconds=10)

        meanwhile = [status_of(port, "/healthz") for _ in range(20)]
        wait_until(lambda: len(worker_ids(process.pid)) == 2, within_seconds=20)

        assert set(meanwhile) == {200}
        assert process.poll() is None


def test_workers_stop_when_the_server_process_is_killed(app: Flask) -> None:
    with running_server(app, "--workers", "2") as (process, port):
        wait_until(lambda: len(worker_ids(process.pid)) == 2, within_seconds=20)
        workers = worker_ids(process.pid)
        process.kill()

        wait_until(lambda: not any(map(psutil.pid_exists, workers)), within_seconds=20)
        assert not answers(f"http://127.0.0.1:{port}/healthz")


@pytest.mark.skipif(sys.platform != "linux", reason="reads the kernel's list of child processes")
def test_a_worker_that_starts_while_its_server_is_killed_stops_too(app: Flask) -> None:
    with running_server(app, "--workers", "1") as (process, _):
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        first = children.read_text()
        psutil.Process(int(first)).kill()
        # No pause: the next worker has to be caught before it looks who its server is.
        while (second := children.read_text()) in ("", first):
            pass
        worker = psutil.Process(int(second))
        worker.suspend()
        process.kill()
        process.wait(10)
        worker.resume()

        worker.wait(20)


@pytest.mark.slow
def test_half_sent_requests_hold_up_nobody(app: Flask, world: World) -> None:
    body = b'{"movie_id": 550, "value": 4.0}'
    start, half_body = rating_request(app, body), body[:9]
    with running_server(app, "--workers", "2") as (_, port), contextlib.ExitStack() as stack:
        for sent in (b"G", start + half_body):
            for _ in range(HALF_SENT):
                client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
                client.sendall(sent)

        # Each of these would wait for its timeout of 20 s if no thread were free.
        assert {status_of(port, "/api/movies") for _ in range(20)} == {200}


def test_half_of_the_chosen_threads_wait_for_bodies_and_the_others_answer(app: Flask, world: World) -> None:
    request = rating_request(app, b'{"movie_id": 550, "value": 4.0}')
    app.config["PROXIES"] = 1
    with (
        running_server(app, "--workers", "1", "--threads", "4") as (_, port),
        socket.create_connection(("127.0.0.1", port), timeout=10) as first,
        socket.create_connection(("127.0.0.1", port), timeout=10) as second,
    ):
        for client, address in ((first, b"192.0.2.1"), (second, b"192.0.2.2")):
            client.sendall(request.removesuffix(b"\r\n") + b"X-Forwarded-For: " + address + b"\r\n\r\n")
            assert client.recv(100).split()[1] == b"100"  # a thread reads the body now

        assert ask_raw(port, request.removesuffix(b"\r\n") + b"X-Forwarded-For: 192.0.2.3\r\n\r\n") == 503
        assert status_of(port, "/api/movies") == 200


def test_requests_past_a_limit_get_the_status_that_names_it(app: Flask) -> None:
    with running_server(app, "--workers", "1") as (_, port):
        statuses = {
            "long value": ask_raw(port, head_of(f"GET /api/suggestions?exclude={'1' * 20_000} HTTP/1.1")),
            "long line": ask_raw(port, head_of(f"GET /?{'a' * 66_000} HTTP/1.1")),
            "long header": ask_raw(port, head_of("GET / HTTP/1.1", f"X-Long: {'a' * 66_000}")),
            "many headers": ask_raw(port, head_of("GET / HTTP/1.1", *(f"X-{n}: 1" for n in range(200)))),
            "not HTTP": ask_raw(port, b"\x00\x01\r\n\r\n"),
            "two lengths": ask_raw(port, head_of("POST / HTTP/1.1", "Content-Length: 1", "Content-Length: 2")),
        }

    assert statuses.pop("long line") in (414, 431)
    assert statuses == {
        "long value": 400,
        "long header": 431,
        "many headers": 431,
        "not HTTP": 400,
        "two lengths": 400,
    }


def test_a_client_cannot_move_the_site_with_a_script_name_header(app: Flask) -> None:
    with running_site(app, workers=1) as address:
        request = urllib.request.Request(f"{address}/movies/", headers={"SCRIPT_NAME": "/evil", "Script-Name": "/evil"})
        with urllib.request.urlopen(request, timeout=10) as response:
            page = response.read().decode()

    assert "/evil" not in page


@pytest.mark.parametrize(("proxies", "remaining"), ((0, "98"), (1, "99")))
def test_the_client_address_comes_from_as_many_proxies_as_are_set(app: Flask, proxies: int, remaining: str) -> None:
    app.config.update(PROXIES=proxies, API_READS_PER_MINUTE=100)
    with running_site(app, workers=1) as address:
        for client in ("192.0.2.1", "192.0.2.2"):
            request = urllib.request.Request(f"{address}/api/movies", headers={"X-Forwarded-For": client})
            with urllib.request.urlopen(request, timeout=10) as response:
                left = response.headers["X-RateLimit-Remaining"]

    assert left == remaining


def status_on_socket(path: Path) -> int:
    """Return the status of a request from behind a proxy on this unix socket; 0 while nothing listens there."""
    connection = http.client.HTTPConnection("localhost")
    with socket.socket(socket.AF_UNIX) as connection.sock, contextlib.suppress(OSError):
        connection.sock.settimeout(5)
        connection.sock.connect(str(path))
        connection.request("GET", "/api/movies", headers={"X-Forwarded-For": "192.0.2.1"})
        return connection.getresponse().status
    return 0


def test_a_socket_that_another_server_uses_is_an_error(runner: FlaskCliRunner, tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        result = runner.invoke(args=["serve", "--uds", str(path)])

    assert result.exit_code == 1
    assert f"Cannot listen on {path}: Address already in use." in result.stderr


def test_the_socket_of_a_killed_server_is_replaced(app: Flask, tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
    with running_command(app, "serve", "--uds", str(path), "--workers", "1"):
        wait_until(lambda: status_on_socket(path) == 200, within_seconds=30)


def test_a_unix_socket_serves_and_is_removed_at_the_end(app: Flask, tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    app.config["PROXIES"] = 1
    with running_command(app, "serve", "--uds", str(path), "--workers", "2") as process:
        wait_until(lambda: status_on_socket(path) == 200, within_seconds=30)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0

    assert not path.exists()


def test_standard_error_has_json_lines_only_and_the_counts_go_away_at_the_end(app: Flask, tmp_path: Path) -> None:
    settings = {setting.name: as_text(app.config[setting.name]) for setting in SETTINGS}
    port, temporary = find_free_port(), tmp_path / "tmp"
    temporary.mkdir()
    command = [sys.executable, "-m", "flask", "serve", "--port", str(port), "--workers", "2"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(temporary)} | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/healthz"), within_seconds=30)
        process.terminate()
        stdout, stderr = process.communicate(timeout=20)

    assert stdout == f"Serving on http://127.0.0.1:{port} with 2 workers.\n"
    assert "GET /healthz 200" in [json.loads(line) for line in stderr.splitlines()][-1]["message"]
    assert list(temporary.iterdir()) == []
