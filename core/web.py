"""The web server's process: it imports the app once, and forks its workers from that."""

import importlib
import os
import signal
import sys
from functools import partial

from granian.cli import entrypoint

from core.process import end_with_parent


def main() -> None:
    """Serve with granian's own command line; leave without taking the app apart at the end."""
    importlib.import_module("wsgi")
    os.register_at_fork(after_in_child=partial(end_with_parent, signal.SIGTERM))
    try:
        entrypoint()  # type: ignore[no-untyped-call]  # granian does not annotate it
    except SystemExit as ending:
        sys.stderr.flush()
        os._exit(ending.code if isinstance(ending.code, int) else 1)


if __name__ == "__main__":
    main()
