"""How much is kept of what tasks have said, and which of it goes first."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from kubernetes import client

from scheduler_core.kubernetes.api.connection import Connection
from scheduler_core.kubernetes.api.history import Said
from scheduler_core.kubernetes.history.log_keeper import LogKeeper
from scheduler_core.kubernetes.history.store import HistoryStore
from scheduler_core.kubernetes.running.runs import RunPod
from tests.cluster.control_plane import ControlPlane, wait_until
from tests.cluster.logs import say

LOG_BYTES, ALL_LOG_BYTES = 1000, 2500
LINE = f"{'x' * 99}\n"
"""Of 100 bytes."""
_numbers = count()


class Speaking:
    """A namespace in which pods have said something on a node that KWOK plays."""

    def __init__(self, cluster: ControlPlane, namespace: str) -> None:
        self.namespace = namespace
        self._cluster = cluster
        self._core = client.CoreV1Api(cluster.api())
        cluster.add_namespace(namespace)

    def pod(self, name: str, lines: int, created: float) -> RunPod:
        """One that has ended, and has said so many lines; as our controller would see it."""
        say(self._cluster, self.namespace, name, [LINE.rstrip()] * lines, "task")
        spec = {"nodeName": "node-0", "schedulerName": "nobody", "containers": [{"name": "task", "image": "none"}]}
        made = self._core.create_namespaced_pod(self.namespace, {"metadata": {"name": name}, "spec": spec})
        wait_until("its node has it", lambda: self._core.read_namespaced_pod(name, self.namespace).status.start_time)
        return RunPod(
            workload=name,
            run=0,
            name=name,
            uid=made.metadata.uid,
            index=0,
            created=created,
            phase="Succeeded",
            node="node-0",
            ip="",
            leaves=False,
            started=created,
            container="task",
        )

    def key(self, name: str) -> str:
        return f"{self.namespace}/{name}"


@pytest.fixture
def speaking(installed: ControlPlane) -> Iterator[Speaking]:
    speaking = Speaking(installed, f"speaking-{next(_numbers)}")
    yield speaking
    client.CoreV1Api(installed.api()).delete_namespace(speaking.namespace)


@pytest.fixture
def keeper(
    installed: ControlPlane,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    jp_asyncio_loop: asyncio.AbstractEventLoop,
) -> Iterator[LogKeeper]:
    monkeypatch.setenv("KUBECONFIG", str(installed.kubeconfig))
    connection = jp_asyncio_loop.run_until_complete(Connection.open())
    store = HistoryStore(tmp_path / "history.sqlite")
    keeper = LogKeeper(connection, store, tmp_path / "logs", LOG_BYTES, ALL_LOG_BYTES)
    jp_asyncio_loop.run_until_complete(keeper.open())
    yield keeper
    store.close()
    jp_asyncio_loop.run_until_complete(connection.close())


async def kept_of(keeper: LogKeeper, speaking: Speaking, pod: RunPod) -> Said:
    """What is kept of a pod, once it is: its node may not know at once what it says."""
    async with asyncio.timeout(60):
        while (found := keeper.log(speaking.namespace, pod.workload, 0, 0.0)) is None:
            keeper.seen({speaking.key(pod.name): pod})
            await asyncio.sleep(0.05)
        return found


async def test_of_a_long_log_the_end_is_kept_and_where_that_begins(keeper: LogKeeper, speaking: Speaking) -> None:
    assert await kept_of(keeper, speaking, speaking.pod("long", 50, 1.0)) == Said(4000, LINE.encode() * 10)


async def test_beyond_what_is_kept_of_all_the_oldest_go_first(keeper: LogKeeper, speaking: Speaking) -> None:
    names = ("first", "second", "third")
    for created, name in enumerate(names):
        await kept_of(keeper, speaking, speaking.pod(name, 10, float(created)))

    def kept() -> list[str]:
        return [name for name in names if keeper.log(speaking.namespace, name, 0, 0.0) is not None]

    await keeper.sweep([speaking.key(name) for name in names])
    assert kept() == ["second", "third"]
    await keeper.sweep([speaking.key("second")])
    assert kept() == ["second"]
