"""Large values that the controller keeps go with their workloads, and with no other."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tornado.httpclient import AsyncHTTPClient
from tornado.testing import bind_unused_port

from scheduler_core.kubernetes.api.blobs import TOKEN_HEADER, token_digest
from scheduler_core.kubernetes.api.connection import Connection
from scheduler_core.kubernetes.api.resources import GROUP, VERSION, WORKLOADS
from scheduler_core.kubernetes.running import blob_service
from scheduler_core.kubernetes.running.blob_service import BlobService
from tests.cluster.control_plane import ControlPlane
from tests.cluster.controlled import Team


@pytest.fixture
def team(installed: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> Iterator[Team]:
    """A namespace in which nothing runs."""
    monkeypatch.setenv("KUBECONFIG", str(installed.kubeconfig))
    team = Team(installed)
    yield team
    team.clear()


async def test_what_is_kept_goes_with_its_workload_alone(team: Team, tmp_path: Path) -> None:
    team.workload("again")
    where = (GROUP, VERSION, team.namespace, WORKLOADS.plural, "again")
    uid = team.custom.get_namespaced_custom_object(*where)["metadata"]["uid"]
    kept = tmp_path / team.namespace / "again"
    for owner in ("of-an-earlier-one", uid):
        (kept / owner).mkdir(parents=True)
        (kept / owner / ("0" * 64)).write_bytes(b"value")
    connection = await Connection.open()
    try:
        service = BlobService(connection, tmp_path)
        await service.sweep()
        assert [folder.name for folder in kept.iterdir()] == [uid]
        team.custom.delete_namespaced_custom_object(*where)
        await service.sweep()
        assert list(kept.iterdir()) == []
    finally:
        await connection.close()


async def test_no_more_is_taken_than_there_is_room_for_also_after_a_restart(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blob_service, "_MOST_KEPT", 25)
    contents = [bytes([number]) * 10 for number in range(3)]
    blobs = [
        {"path": str(number), "digest": hashlib.sha256(content).hexdigest(), "size": len(content)}
        for number, content in enumerate(contents)
    ]
    key = token_digest("token")
    for name in ("first", "second"):
        team.workload(name, blobs=blobs, blobs_key=key)

    async def put(port: int, owner: str, number: int, content: bytes | None = None) -> int:
        url = f"http://127.0.0.1:{port}/blobs/{team.namespace}/{owner}/{blobs[number]['digest']}"
        answer = await AsyncHTTPClient().fetch(
            url, method="PUT", body=content or contents[number], headers={TOKEN_HEADER: "token"}, raise_error=False
        )
        return answer.code

    connection = await Connection.open()
    try:
        async with served(connection, tmp_path) as (_, port):
            # What is refused, and what is there already, takes no room.
            assert await put(port, "first", 0, b"something ") == 400
            assert [await put(port, "first", number) for number in (0, 0, 1)] == [201, 201, 201]
            assert await put(port, "second", 2) == 507
        async with served(connection, tmp_path) as (service, port):
            assert await put(port, "second", 2) == 507
            team.custom.delete_namespaced_custom_object(GROUP, VERSION, team.namespace, WORKLOADS.plural, "first")
            await service.sweep()
            assert [await put(port, "second", number) for number in (2, 1, 0)] == [201, 201, 507]
    finally:
        await connection.close()


@asynccontextmanager
async def served(connection: Connection, folder: Path) -> AsyncIterator[tuple[BlobService, int]]:
    """The service, and the port that it serves at."""
    probe, port = bind_unused_port()
    probe.close()
    service = BlobService(connection, folder, port)
    serving = asyncio.ensure_future(service.run())
    await asyncio.sleep(0)
    try:
        yield service, port
    finally:
        serving.cancel()
        await asyncio.wait((serving,))
