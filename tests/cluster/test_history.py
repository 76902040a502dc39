"""What a controller keeps of the past: who used what, by the times of their pods, and who may read it."""

from __future__ import annotations

import socket
import stat
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kubernetes import client

from jupyter_runai.reports.table import UsageTable
from scheduler_core.accounting.past import QueueStep
from scheduler_core.accounting.usage import Usage, UsageBy, UsageRow
from scheduler_core.errors import EngineUnavailable, InvalidRequest, NotAllowed
from scheduler_core.kubernetes.api.blobs import PROXY, SERVICE, TOKEN_HEADER
from scheduler_core.kubernetes.api.connection import Connection
from scheduler_core.kubernetes.api.resources import RESERVATIONS
from scheduler_core.kubernetes.engine import KubernetesEngine
from scheduler_core.kubernetes.sharing.reservation_pods import Slot, reservation_name
from tests.cluster.control_plane import ControlPlane, wait_until
from tests.cluster.controlled import SYSTEM, Controller, Team, allocation, install, queues
from tests.cluster.logs import reading, say

HALF = {"gpu-fraction": "0.5"}


class Kept:
    """A controller that keeps history in a folder."""

    def __init__(self, cluster: ControlPlane, folder: Path) -> None:
        self.cluster = cluster
        self.folder = folder
        self.controller = Controller(cluster, history=folder)

    def team(self) -> Team:
        return Team(self.cluster)

    async def engine_of(self, monkeypatch: pytest.MonkeyPatch, namespace: str, role: str = "edit") -> KubernetesEngine:
        monkeypatch.setenv("KUBECONFIG", str(self.cluster.user_of(namespace, role)))
        return await KubernetesEngine.open()


def own_address() -> str:
    """One by which the API server, which calls nobody at a loopback address, reaches this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no network")
        return str(probe.getsockname()[0])


def serve(cluster: ControlPlane, port: int) -> None:
    """Let the controller's Service lead to this port here: the API server wants a pod that has the address."""
    core, address = client.CoreV1Api(cluster.api()), own_address()
    relay = {"schedulerName": "nobody", "containers": [{"name": "relay", "image": "none"}]}
    core.create_namespaced_pod(SYSTEM, {"metadata": {"name": "relay"}, "spec": relay})
    status = {"status": {"podIP": address, "podIPs": [{"ip": address}]}}
    core.patch_namespaced_pod_status("relay", SYSTEM, status)
    changes = {"spec": {"selector": None, "ports": [{"name": "blobs", "port": 8095, "targetPort": port}]}}
    core.patch_namespaced_service(SERVICE, SYSTEM, changes)
    with suppress(client.exceptions.NotFoundException):
        core.delete_namespaced_endpoints(SERVICE, SYSTEM)
    it = {"ip": address, "targetRef": {"kind": "Pod", "namespace": SYSTEM, "name": "relay"}}
    subset = {"addresses": [it], "ports": [{"name": "blobs", "port": port}]}
    core.create_namespaced_endpoints(SYSTEM, {"metadata": {"name": SERVICE}, "subsets": [subset]})


@pytest.fixture(scope="module")
def kept(installed: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    install(installed, "--history", "volume")
    kept = Kept(installed, tmp_path_factory.mktemp("history"))
    serve(installed, kept.controller.values_port)
    kept.controller.start()
    try:
        yield kept
        assert "Traceback" not in kept.controller.said, kept.controller.said[-3000:]
    finally:
        kept.controller.stop()
        client.CoreV1Api(installed.api()).delete_namespaced_pod("relay", SYSTEM, grace_period_seconds=0)


@pytest.fixture
def team(kept: Kept) -> Iterator[Team]:
    team = kept.team()
    yield team
    team.clear()


async def usage_once(engine: KubernetesEngine, by: UsageBy, groups: set[str], until: float | None = None) -> Usage:
    """Who used what, once all of these groups are known."""
    seen: set[str] = set()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            found = await engine.usage(by, until=until)
        except (InvalidRequest, NotAllowed, EngineUnavailable):
            continue
        seen = {row.group for row in found.rows}
        if seen >= groups:
            return found
    raise AssertionError(f"{groups} not among {seen} within a minute")


async def rows_when(
    engine: KubernetesEngine, by: UsageBy, wanted: Callable[[dict[str, UsageRow]], object], until: float | None = None
) -> dict[str, UsageRow]:
    deadline = time.monotonic() + 60
    rows: dict[str, UsageRow] = {}
    while time.monotonic() < deadline:
        try:
            rows = {row.group: row for row in (await engine.usage(by, until=until)).rows}
        except (InvalidRequest, NotAllowed, EngineUnavailable):
            continue
        if wanted(rows):
            return rows
    raise AssertionError(f"not within a minute: {rows}")


def bound(pod: client.V1Pod) -> int:
    """In milliseconds since the epoch."""
    return next(ms(one.last_transition_time) for one in pod.status.conditions if one.type == "PodScheduled")


def ended(pod: client.V1Pod) -> int:
    return ms(pod.status.container_statuses[0].state.terminated.finished_at)


def ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def end(team: Team, name: str) -> None:
    """As its node says it, once it has said that it runs, and not in the second in which it was bound."""
    wait_until("it runs", lambda: team.get(name).status.phase == "Running")
    at = max(datetime.now(UTC), datetime.fromtimestamp(bound(team.get(name)) / 1000 + 1, UTC))
    now = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    done = {"exitCode": 0, "finishedAt": now, "startedAt": now}
    one = {
        "name": "main",
        "image": "i",
        "imageID": "i",
        "ready": False,
        "restartCount": 0,
        "state": {"terminated": done},
    }
    status = {"status": {"phase": "Succeeded", "containerStatuses": [one]}}
    team.core.patch_namespaced_pod_status(name, team.namespace, status)


async def test_usage_by_project_is_what_the_pods_times_say(
    kept: Kept, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs: dict[str, dict[str, object]] = {name: {"gpu": {"quota": 1}} for name in ("vision", "nlp")}
    with queues(kept.cluster, **specs):
        project = {name: {"kai.scheduler/queue": name} for name in specs}
        pods = team.until_bound(
            team.pod(2, labels=project["vision"]),
            team.pod(1, labels=project["nlp"]),
            team.pod(labels=project["nlp"], annotations=HALF),
        )
        engine = await kept.engine_of(monkeypatch, team.namespace)
        try:
            await usage_once(engine, "workload", {f"pod/{pod.metadata.name}" for pod in pods})
            end(team, pods[1].metadata.name)
            ends = {pods[1].metadata.name: ended(team.get(pods[1].metadata.name))}
            until = max(time.time(), *(at / 1000 for at in ends.values()))
            expected = dict.fromkeys(specs, 0)
            for pod in pods:
                milli = sum(device.portion_milli for device in allocation(pod).devices)
                length = ends.get(pod.metadata.name, round(until * 1000)) - bound(pod)
                expected[pod.metadata.labels["kai.scheduler/queue"]] += milli * length
            rows = await rows_when(
                engine, "project", lambda rows: {name: row.allocated for name, row in rows.items()} == expected, until
            )
            assert 0 < rows["vision"].over_quota < rows["vision"].allocated
            with pytest.raises(InvalidRequest, match="Who used which device is not kept"):
                await engine.usage("device")
        finally:
            await engine.close()
        team.clear()


async def test_what_tries_whether_devices_can_be_shared_is_nobodys_work(
    kept: Kept, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = Team.again(kept.cluster, RESERVATIONS)
    name = trial.pod(1)
    try:
        trial.until_bound(name)
        (pod,) = team.until_bound(team.pod(1))
        engine = await kept.engine_of(monkeypatch, team.namespace)
        kept.cluster.let_see_all(team.namespace)
        try:
            found = await usage_once(engine, "workload", {f"pod/{pod.metadata.name}"})
        finally:
            await engine.close()
        assert not any(row.group.startswith(RESERVATIONS) for row in found.rows)
    finally:
        trial.delete(name)


async def test_a_controller_that_comes_back_counts_nothing_twice_and_misses_nothing(
    kept: Kept, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    stays, ends, goes, was = (team.pod(1) for _ in range(4))
    pods = {pod.metadata.name: pod for pod in team.until_bound(stays, ends, goes, was)}
    engine = await kept.engine_of(monkeypatch, team.namespace)
    try:
        end(team, was)
        until_before = time.time()
        expected_was = 1000 * (ended(team.get(was)) - bound(pods[was]))
        await rows_when(
            engine, "workload", lambda rows: rows.get(f"pod/{was}") and rows[f"pod/{was}"].allocated == expected_was
        )
        await usage_once(engine, "workload", {f"pod/{name}" for name in pods}, until_before)
        kept.controller.kill()
        killed = round(time.time() * 1000)
        end(team, ends)
        team.delete(goes)
        kept.controller.start()
        wait_until("it is at work", lambda: is_bound_now(team, team.pod(1)))
        until = time.time()
        expected = {
            f"pod/{was}": expected_was,
            f"pod/{ends}": 1000 * (ended(team.get(ends)) - bound(pods[ends])),
            f"pod/{stays}": 1000 * (round(until * 1000) - bound(pods[stays])),
        }
        rows = await rows_when(
            engine,
            "workload",
            lambda rows: {name: rows[name].allocated for name in expected if name in rows} == expected,
            until,
        )
        assert 0 <= rows[f"pod/{goes}"].allocated <= 1000 * (killed - bound(pods[goes]))
    finally:
        await engine.close()


def is_bound_now(team: Team, name: str) -> bool:
    return bool(team.until_bound(name))


async def test_each_namespace_is_told_its_own_alone(kept: Kept, team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    other = kept.team()
    mine, theirs = team.pod(1), other.pod(1)
    team.until_bound(mine)
    other.until_bound(theirs)
    engine = await kept.engine_of(monkeypatch, team.namespace)
    stranger = await kept.engine_of(monkeypatch, other.namespace)
    strangers = await Connection.open()
    viewer = await kept.engine_of(monkeypatch, team.namespace, "view")
    try:
        own = await usage_once(engine, "workload", {f"pod/{mine}"})
        assert (own.namespace, {row.group for row in own.rows}) == (team.namespace, {f"pod/{mine}"})
        assert f"Only what ran in the namespace {team.namespace}:" in str(UsageTable(own))
        seen = await usage_once(stranger, "workload", {f"pod/{theirs}"})
        assert f"pod/{mine}" not in {row.group for row in seen.rows}
        with pytest.raises(NotAllowed):
            await strangers.get(f"/api/v1/namespaces/{team.namespace}/secrets/jupyter-runai-history")
        secret = await strangers.get(f"/api/v1/namespaces/{other.namespace}/secrets/jupyter-runai-history")
        for token in ("", secret["data"]["token"]):
            for what in (f"namespaces/{team.namespace}/usage", "all/usage", f"namespaces/{team.namespace}/logs/a/0"):
                with pytest.raises(NotAllowed):
                    await strangers.fetch(f"{PROXY}/history/{what}", {TOKEN_HEADER: b64decode(token).decode()})
        with pytest.raises(NotAllowed):
            await viewer.usage()
        kept.cluster.let_see_all(team.namespace)
        await usage_once(engine, "workload", {f"pod/{mine}", f"{other.namespace}/pod/{theirs}"})
        devices = await engine.usage("device")
        assert devices.namespace is None
        assert "node-0 #0" in {row.name for row in devices.rows}
    finally:
        for one in (engine, stranger, viewer):
            await one.close()
        await strangers.close()
        other.clear()


async def test_readings_of_a_shared_device_are_counted_for_each_who_shares_it(
    kept: Kept, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [team.pod(annotations=HALF, nodeSelector={"kubernetes.io/hostname": "node-1"}) for _ in range(2)]
    slots = {Slot("node-1", allocation(pod).devices[0].index) for pod in team.until_bound(*names)}
    (slot,) = slots
    engine = await kept.engine_of(monkeypatch, team.namespace)
    groups = {f"pod/{name}" for name in names}
    try:

        def measured(rows: dict[str, UsageRow]) -> bool:
            line = reading(slot, at=time.time(), utilization=0.5)
            say(kept.cluster, RESERVATIONS, reservation_name(slot), [line])
            return groups <= rows.keys() and all(rows[group].measured > 0 for group in groups)

        rows = await rows_when(engine, "workload", measured)
        for group in groups:
            assert rows[group].used * 2 == rows[group].measured
            assert rows[group].measured <= rows[group].allocated
    finally:
        say(kept.cluster, RESERVATIONS, reservation_name(slot), [reading(slot)])
        await engine.close()


async def test_what_queues_held_and_why_work_waited(kept: Kept, team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = {"kai.scheduler/queue": "lab"}
    with queues(kept.cluster, lab={"gpu": {"quota": 16}}):
        team.until_bound(team.pod(8, labels=lab), team.pod(8, labels=lab))
        waits = team.pod(1, labels=lab)
        engine = await kept.engine_of(monkeypatch, team.namespace)
        try:
            seen = await queue_when(engine, "lab", lambda row: row.allocated > 0 and row.waits)
            assert seen.devices(seen.quota) == 16
            assert seen.allocated <= 16_000 * seen.observed
            assert seen.allocated < seen.requested <= 17_000 * seen.observed
            assert 0 < sum(seen.waits.values()) <= seen.observed
            rows = await rows_when(engine, "workload", lambda rows: f"pod/{waits}" in rows)
            assert rows[f"pod/{waits}"].waiting > 0
            assert rows[f"pod/{waits}"].allocated == 0
        finally:
            await engine.close()
        team.clear()


async def queue_when(engine: KubernetesEngine, name: str, wanted: Callable[[QueueStep], object]) -> QueueStep:
    """A queue over all time, once it is as wanted."""
    deadline = time.monotonic() + 60
    seen: list[QueueStep] = []
    while time.monotonic() < deadline:
        try:
            seen = [row for row in (await engine.queue_history()).rows if row.queue == name]
        except (InvalidRequest, NotAllowed, EngineUnavailable):
            continue
        if seen and wanted(seen[0]):
            return seen[0]
    raise AssertionError(f"not within a minute: {seen}")


async def test_an_eviction_is_counted_for_who_was_evicted(
    kept: Kept, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = {team.pod(8), team.pod(8)}
    team.until_bound(*training)
    urgent = team.pod(8, annotations={"jupyter-runai.io/priority": "very-high"})
    team.until_bound(urgent)
    engine = await kept.engine_of(monkeypatch, team.namespace)
    try:
        rows = await rows_when(engine, "workload", lambda rows: sum(row.preemptions for row in rows.values()) > 0)
        assert sum(rows[f"pod/{name}"].preemptions for name in training) == 1
        assert sum(row.preemptions for row in rows.values()) == 1
    finally:
        await engine.close()


def test_nobody_else_on_its_machine_can_read_it(kept: Kept) -> None:
    files = [path for path in kept.folder.rglob("*") if path.is_file()]
    assert {"key", "history.sqlite"} <= {path.name for path in files}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
