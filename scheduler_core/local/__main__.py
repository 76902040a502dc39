"""`python -m scheduler_core.local`: run the engine's daemon in the foreground."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from pathlib import Path

from scheduler_core.errors import RunaiError
from scheduler_core.local.serving.daemon import AlreadyServed, private_place, serve, shared_place

ALREADY_RUNNING = 3


def main(arguments: list[str] | None = None, prog: str = "python -m scheduler_core.local") -> int:
    """Serve until told to leave. Exit status: 0 left, 1 could not serve, 3 a daemon already serves."""
    parser = argparse.ArgumentParser(prog=prog, description="Run the engine's daemon in the foreground.")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument(
        "--shared", metavar="FILE", type=Path, help="for all users of this host, as this file says (root)"
    )
    kind.add_argument("--simulate", metavar="DEVICES", help="simulate devices from now on, such as 2xA100-80GB")
    parser.add_argument("--ready-fd", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("tornado.access").setLevel(logging.ERROR)
    try:
        place = private_place() if options.shared is None else shared_place(options.shared)
        asyncio.run(serve(place, options.ready_fd, options.simulate))
    except AlreadyServed as error:
        print(error, file=sys.stderr)  # noqa: T201 (this is a command)
        return ALREADY_RUNNING
    except RunaiError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
