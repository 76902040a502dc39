"""Large values that the controller keeps go with their workloads, and with no other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler_core.kubernetes.api.connection import Connection
from scheduler_core.kubernetes.api.resources import GROUP, VERSION, WORKLOADS
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
