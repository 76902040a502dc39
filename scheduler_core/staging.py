"""Where the inputs of a workload are put before they travel to wherever it runs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def travelling_folder() -> Iterator[Path]:
    """A private folder, gone at exit: what is submitted of it is sent."""
    with tempfile.TemporaryDirectory(prefix="runai-inputs-") as folder:
        yield Path(folder)
