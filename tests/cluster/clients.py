"""What people do with the client on a cluster, and wait for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from jupyter_runai.client import Client


@contextmanager
def client_that_tidies() -> Iterator[Client]:
    """A client, of whose namespace nothing is left running."""
    client = Client()
    yield client
    for workload in client.list():
        client.stop(workload.id)
        until(client, workload.id, "completed", "stopped", "failed")
    client.close()


def until(client: Client, workload_id: str, *states: str) -> None:
    """Wait until a workload is in one of these states."""
    for workload in client.changes(workload_id):
        if workload is not None and workload.state in states:
            return
    raise AssertionError(client.get(workload_id))
