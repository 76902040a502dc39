"""Waits beside a task until that has ended, then says what it has left: its report, and its results.

A script of the standard library alone. It runs in the task's own image, under `python3 -c`. What is in the results is
not read but as bytes: a gzipped tar in base64, 900 characters a line, between two marks in this container's log. The
report, shortened to what Kubernetes takes, becomes this container's last message.
"""

from __future__ import annotations

import base64
import io
import json
import signal
import sys
import tarfile
from pathlib import Path
from typing import Any

RESULTS = Path("/runai/results")
REPORT = RESULTS / ".report.json"
LAST_MESSAGE = Path("/dev/termination-log")
LONGEST_MESSAGE = 4000
LARGEST = 5_000_000
LINE = 900
"""In bytes: a log of 10 MB is kept as one file."""


def packed() -> bytes:
    """All that lies there but what was said otherwise."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz", compresslevel=1) as archive:
        for path in sorted(RESULTS.rglob("*")):
            if path.is_file() and not path.is_symlink() and path != REPORT:
                archive.add(path, str(path.relative_to(RESULTS)), recursive=False)
    return content.getvalue()


def shortened(report: dict[str, Any]) -> bytes:
    """The report in so many bytes at most: of what an error says its end is kept."""
    kept = LONGEST_MESSAGE
    while len(text := json.dumps(report).encode()) > LONGEST_MESSAGE and kept > 8:
        kept //= 2
        error = report.get("error") or {}
        if len(report.get("results", ())) > kept:
            report["results"] = []
        report["error"] = {name: value[-kept:] for name, value in error.items()}
    return text


def collect(*_: object) -> None:
    """Say it all, and end."""
    content = packed()
    if len(content) > LARGEST:
        said = [f"!{len(content)}"]
    else:
        text = base64.b64encode(content).decode()
        said = ["<", *(text[start : start + LINE] for start in range(0, len(text), LINE)), ">"]
    sys.stdout.write("\n".join(said) + "\n")
    sys.stdout.flush()
    if REPORT.exists():
        LAST_MESSAGE.write_bytes(shortened(json.loads(REPORT.read_bytes())))
    sys.exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, collect)
    while True:
        signal.pause()
