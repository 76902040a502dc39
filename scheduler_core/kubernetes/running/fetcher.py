"""Puts a workload's inputs together before its task starts: those of its Secret, and large ones from the controller.

A script of the standard library alone. It runs in the task's own image, under `python3 -c`. What it fetches it reads
but as bytes, and compares with what was promised. Its last words, should it fail, are for the workload's owner.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

SENT = Path("/runai/sent")
INPUTS = Path("/runai/inputs")
WITHIN_S = 60.0
TIMEOUT_S = 20.0
CHUNK = 1_000_000


def fetch(blob: dict[str, Any]) -> str:
    """Fetch one of them; why it cannot be had, empty where it is there."""
    target = INPUTS / blob["path"]
    target.parent.mkdir(parents=True, exist_ok=True)
    headers = {"X-Runai-Token": os.environ["RUNAI_BLOBS_TOKEN"]}
    address = f"{os.environ['RUNAI_BLOBS_URL']}/{blob['digest']}"
    request = urllib.request.Request(address, headers=headers)  # noqa: S310 (ours)
    found = hashlib.sha256()
    try:
        with (
            urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer,  # noqa: S310
            target.open("wb") as file,
        ):
            while data := answer.read(CHUNK):
                found.update(data)
                file.write(data)
    except (OSError, urllib.error.URLError) as error:
        return f"{error}"
    return "" if found.hexdigest() == blob["digest"] else "it is not what was sent"


def main() -> int:
    """0 when all of it is there."""
    shutil.copytree(SENT, INPUTS, dirs_exist_ok=True, ignore=shutil.ignore_patterns("..*"))
    until = time.monotonic() + WITHIN_S
    for blob in json.loads(os.environ["RUNAI_BLOBS"]):
        pause_s = 0.1
        while problem := fetch(blob):
            if time.monotonic() > until:
                sys.stderr.write(f"The value {blob['path']} cannot be had from the controller: {problem}.\n")
                return 1
            time.sleep(pause_s)
            pause_s = min(5.0, pause_s * 2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
