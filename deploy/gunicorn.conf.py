"""How gunicorn serves recsite: `gunicorn --config deploy/gunicorn.conf.py wsgi:app`.

The command line and GUNICORN_CMD_ARGS go before what stands here; WEB_CONCURRENCY sets the number of workers.
"""

import os
import shutil
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

# Each worker is one core's worth of Python; BLAS threads of their own would only take turns with it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Where the workers write down what they count, so that any of them can answer GET /metrics for all. Made anew at each
# start: figures begin at zero then, as Prometheus expects.
os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="recsite-metrics-")

bind = "127.0.0.1:8000"
workers = int(os.environ.get("WEB_CONCURRENCY") or max(2, len(os.sched_getaffinity(0))))
worker_class = "gthread"
# While one request waits for the database, Redis or a slow reader, others go on.
threads = 4
# Each worker listens by itself, and Linux deals connections out to them. With one listening socket for all, a worker
# may take every connection of a proxy that keeps them open; the other cores then do nothing for as long as it does.
# The price: a worker that leaves drops the connections that wait for it alone. So none leaves after so many requests
# (max_requests), and a new release or a leak takes a restart of the whole server.
reuse_port = sys.platform == "linux"
# Libraries, templates and the model's index are loaded once and shared by the workers as they fork; its arrays are
# mapped files, which processes share anyway. A new release takes a restart, not a reload.
preload_app = True

# Seconds without a sign of life after which a worker is killed: one that is stuck, for a busy one shows signs.
timeout = 30
# After SIGTERM, what was begun is finished.
graceful_timeout = 30
# Longer than proxies keep an idle connection (nginx: 60 s), so that it is never closed under a request of theirs.
keepalive = 75
# Bytes of a request's first line: 300 movies to leave out (`exclude`) are 4,000 of them where a comma comes as `%2C`.
limit_request_line = 8190

# A heartbeat on a disk could wait for that disk.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None
# Its default is a socket in the home folder, through which the server can be steered.
control_socket_disable = True


def on_starting(server: Any) -> None:
    """The addresses are free, which workers that share them do not notice; a file or a given socket is one for all."""
    if any(isinstance(address, str) for address in server.cfg.address) or "LISTEN_FDS" in os.environ:
        server.cfg.set("reuse_port", False)
    # A server that takes over from another one, after USR2, finds that one there.
    if server.cfg.reuse_port and "GUNICORN_PID" not in os.environ:
        for host, port in server.cfg.address:
            family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(address)
                except OSError as error:
                    sys.exit(f"gunicorn cannot listen at {host}:{port}: {error.strerror}.")


def post_worker_init(worker: Any) -> None:
    """A worker writes the site's log, uses no connection of its parent's, and starts with the active version."""
    # Not at the top: this file is read before the project's folder is where Python looks for modules.
    from recsite.versions.active import start_anew_after_fork
    from recsite.web.site.tracing import log_to_stderr

    log_to_stderr()
    start_anew_after_fork(worker.wsgi)


def on_exit(_server: Any) -> None:
    """The counters go away with the server that they counted for."""
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
