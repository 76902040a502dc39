"""Real Jupyter servers beside a simulated engine of the test's own."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import stamina

from jupyter_runai.client import Client
from tests.kernels.jupyter import Jupyter

StartServer = Callable[..., Jupyter]


@pytest.fixture
def start_server(simulated: Path, tmp_path: Path) -> Iterator[StartServer]:
    """Start a server with these options; the next one finds what the one before has left."""
    started: list[Jupyter] = []

    def start(*options: str) -> Jupyter:
        started.append(Jupyter(tmp_path, *options))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture
def server(start_server: StartServer) -> Jupyter:
    """A server that offers kernels on half a device, and preemptible ones on both devices."""
    server = start_server("--RunaiProvisioner.queue_timeout=1")
    offer(server)
    return server


def offer(server: Jupyter) -> None:
    for words in (("half", "--gpu", "0.5"), ("one", "--gpu", "1"), ("both", "--gpu", "2", "--preemptible")):
        said = server.say("kernelspec", "install", "--profile", *words)
        assert said.returncode == 0, said.stderr


def another_python(folder: Path, *options: str) -> Path:
    """An interpreter of another path than this one, with what this one has."""
    python = folder / "another-python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} {" ".join(options)} "$@"\n')
    python.chmod(0o755)
    return python


def offer_environments(client: Client, engine: Path, templates: Mapping[str, object] = {}, **named: object) -> None:
    """Name environments and templates, and wait until the engine offers them: within a second."""
    (engine / "policies.yaml").write_text(json.dumps({"environments": named, "templates": templates}))
    for attempt in stamina.retry_context(on=AssertionError, attempts=100, timeout=30):
        with attempt:
            assert named.keys() <= {known.name for known in client.catalog().environments}
