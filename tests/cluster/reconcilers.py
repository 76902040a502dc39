"""The part of the controller that makes of workloads what runs, alone: which pods start is said by a test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.cluster.control_plane import ControlPlane

RECONCILER = """
import asyncio
from scheduler_core.kubernetes.api.connection import Connection
from scheduler_core.kubernetes.running.reconciler import Reconciler

async def main():
    await Reconciler(await Connection.open()).run()

asyncio.run(main())
"""


class Reconcilers:
    """Those that run now."""

    def __init__(self, cluster: ControlPlane) -> None:
        self._environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}
        self._log = (cluster.folder / "reconciler.log").open("ab")
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        self.running.append(
            subprocess.Popen([sys.executable, "-c", RECONCILER], env=self._environment, stderr=self._log)
        )

    @contextmanager
    def paused(self) -> Iterator[None]:
        """As if they had no time meanwhile."""
        for process in self.running:
            process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for process in self.running:
                process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        process = self.running.pop()
        process.kill()
        process.wait()
