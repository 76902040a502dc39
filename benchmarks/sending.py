"""Sends requests to an API server as fast as few cycles of ours allow: a process of its own, for kubernetes.py.

`python benchmarks/sending.py KUBECONFIG CONNECTIONS`: each line of the input is one request, a JSON list of its method,
its path and its body. It ends where the input ends, and fails where the API server refuses one.
"""

from __future__ import annotations

import base64
import json
import ssl
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPSConnection
from pathlib import Path
from threading import Lock
from urllib.parse import urlsplit


class Lines:
    """The lines of the input, each for one of many threads."""

    def __init__(self) -> None:
        self._lines = iter(sys.stdin.buffer)
        self._lock = Lock()

    def __iter__(self) -> Iterator[bytes]:
        while True:
            with self._lock:
                line = next(self._lines, None)
            if line is None:
                return
            yield line


def main() -> None:
    content = json.loads(Path(sys.argv[1]).read_text())
    cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
    trusted = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    headers = {"Authorization": f"Bearer {user['token']}", "Content-Type": "application/json"}
    lines = Lines()

    def send() -> None:
        connection = HTTPSConnection(urlsplit(cluster["server"]).netloc, context=trusted)
        for line in lines:
            method, path, body = json.loads(line)
            connection.request(method, path, json.dumps(body), headers)
            answer = connection.getresponse()
            said = answer.read()
            if answer.status >= 400:
                raise SystemExit(f"{method} {path}: {said.decode()}")

    with ThreadPoolExecutor() as threads:
        for done in [threads.submit(send) for _ in range(int(sys.argv[2]))]:
            done.result()


if __name__ == "__main__":
    main()
