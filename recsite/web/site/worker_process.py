"""The set-up of a worker process of `flask serve`, before it makes the application."""

import multiprocessing
import os
import signal
import threading
import time

from threadpoolctl import threadpool_limits

from recsite.web.site import metrics, request_log

PARENT_CHECK_SECONDS = 1
STOP_SECONDS = 30
WAKE = signal.SIGUSR2
"Wakes the main thread; it means nothing else here."


def set_up() -> None:
    """Prepare this process: JSON log lines, counts shared with the other workers, one BLAS thread, a watched parent."""
    # granian sets its handlers once the application is loaded. Until then the handlers are those of the server process,
    # which would swallow the signal, and the server would wait for this worker in vain.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    request_log.log_to_stderr()
    metrics.count_in_shared_folder()
    # Each worker already occupies a core. BLAS threads would compete with it.
    threadpool_limits(1)
    signal.signal(WAKE, do_nothing)
    threading.Thread(target=watch, daemon=True).start()


def do_nothing(_signal: int, _frame: object) -> None:
    """Handle WAKE."""


def watch() -> None:
    """Stop this process after the server process has ended: a remaining worker would keep the address."""
    parent = multiprocessing.parent_process()
    main_thread = threading.main_thread().ident or 0
    # A server that is killed while this worker starts is not its parent any more.
    while parent is not None and os.getppid() == parent.pid:
        time.sleep(PARENT_CHECK_SECONDS)
        # Python handles a signal in the main thread, which granian lets wait for a lock. If SIGTERM comes just before
        # that wait, nothing wakes the thread: right after the start, a third of the stops on a busy machine lasted
        # until the worker was killed.
        signal.pthread_kill(main_thread, WAKE)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_SECONDS)
    # Requests that still wait, such as for the rest of a body, are given up.
    os.kill(os.getpid(), signal.SIGKILL)
