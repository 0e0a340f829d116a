"""Print a line once a starting site is ready: `python -P deploy/devready.py http://127.0.0.1:5000/`."""

import sys
import time
import urllib.error
import urllib.request

WAIT_SECONDS = 60


def wait_until_ready(address: str) -> bool:
    """Return whether /readyz answers 200 within `WAIT_SECONDS`."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{address}readyz", timeout=2):  # noqa: S310 - the Makefile gives the address
                return True
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.2)
    return False


if __name__ == "__main__":
    address = sys.argv[1]
    if not wait_until_ready(address):
        sys.exit(f"The site at {address} was not ready within {WAIT_SECONDS} s.")
    sys.stdout.write(f"\n  Ready: {address}   (logins: see above; Ctrl-C stops everything)\n\n")
