"""Says whether a task executes anything, in the file named by RUNAI_ACTIVITY."""

from __future__ import annotations

import json
import os
import time

_FILE = "RUNAI_ACTIVITY"


def say_kept(seconds: float) -> None:
    """Say that nothing runs here any more, and until when that is so."""
    path, now = os.environ.get(_FILE), time.time()
    if path is not None:
        fresh = f"{path}.new"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"executing": False, "since": now, "kept_until": now + seconds}, file)
        os.replace(fresh, path)


def say_busy() -> None:
    """Say nothing any more: it is as any other task."""
    path = os.environ.get(_FILE)
    if path is not None and os.path.exists(path):
        os.unlink(path)
