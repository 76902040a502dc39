"""A shared engine of the tests' own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from jupyter_runai.client import Client
from tests.helpers import outcome


class Shared:
    """A shared engine of the tests' own, its daemon started by `start`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.directory = folder / "state"
        self.projects = folder / "projects.toml"
        self.configuration = folder / "engine.toml"
        self.configure()
        self.log = folder / "log"
        self._log = self.log.open("ab")
        self._daemon: subprocess.Popen[bytes] | None = None

    def configure(self, *lines: str) -> None:
        described = f'directory = "{self.directory}"\nsimulate = "2xA100-80GB"\n'
        self.configuration.write_text(described + "".join(f"{line}\n" for line in lines))

    def start(self, **variables: str) -> None:
        reader, writer = os.pipe()
        self._daemon = subprocess.Popen(
            [
                *(sys.executable, "-m", "scheduler_core.local"),
                *("--shared", str(self.configuration), "--ready-fd", str(writer)),
            ],
            stderr=self._log,
            pass_fds=[writer],
            env=os.environ | {"DAEMONS_OWN": "never-handed-on"} | variables,
        )
        os.close(writer)
        with os.fdopen(reader, "rb") as ready:
            assert ready.read(1) == b"1", self.log.read_text()

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        assert self._daemon is not None
        self._daemon.send_signal(number)
        self._daemon.wait()
        self._daemon = None

    def stop_everything(self) -> None:
        if self._daemon is not None:
            client = Client()
            for workload in client.list():
                client.stop(workload.id)
                outcome(client, workload.id)
            client.close()
            self.end()
        self._log.close()
