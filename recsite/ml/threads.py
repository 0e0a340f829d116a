"""The number of threads that a process may keep busy."""

import os


def count_cores() -> int:
    """Return the number of cores that this process may use."""
    # macOS and Windows have no sched_getaffinity.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
