"""What is reflected is what is there, whatever happens to the API server meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import msgspec
import pytest
from kubernetes import client

from scheduler_core.errors import NotAllowed
from scheduler_core.kubernetes.api.connection import Connection
from scheduler_core.kubernetes.api.reflector import Reflector
from tests.cluster.control_plane import ControlPlane

PATH = "/api/v1/namespaces/default/configmaps"
SELECTOR = "test=reflector"


class Entry(msgspec.Struct, frozen=True):
    """What is kept of a ConfigMap."""

    data: dict[str, str] = {}


class Reflection:
    """A reflector at work, and what it has told."""

    def __init__(self, connection: Connection, path: str = PATH) -> None:
        self.told: list[Mapping[str, Entry | None]] = []
        self._news = asyncio.Event()
        read = msgspec.json.Decoder(Entry).decode
        self.reflector = Reflector(connection, path, read, self._changed, SELECTOR)

    def _changed(self, changes: Mapping[str, Entry | None]) -> None:
        self.told.append(changes)
        self._news.set()

    async def until(self, reached: Callable[[Mapping[str, Entry]], bool]) -> None:
        async with asyncio.timeout(60):
            while not reached(self.reflector.records):
                self._news.clear()
                await self._news.wait()


def entry(core: client.CoreV1Api, name: str, value: str) -> None:
    metadata = {"name": name, "labels": {"test": "reflector"}}
    core.create_namespaced_config_map("default", {"metadata": metadata, "data": {"value": value}})


async def test_it_follows_and_finds_its_way_again_after_the_server_was_away(
    cluster: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = client.CoreV1Api(cluster.api())
    for number in range(3):
        entry(core, f"there-{number}", "first")
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    connection = await Connection.open()
    reflection = Reflection(connection)
    following = asyncio.ensure_future(reflection.reflector.run())
    try:
        await reflection.until(lambda seen: len(seen) == 3)
        core.patch_namespaced_config_map("there-0", "default", {"data": {"value": "second"}})
        await reflection.until(lambda seen: seen["default/there-0"].data == {"value": "second"})
        core.delete_namespaced_config_map("there-1", "default")
        await reflection.until(lambda seen: "default/there-1" not in seen)
        assert reflection.told[-1] == {"default/there-1": None}
        with cluster.without_api_server():
            pass
        core = client.CoreV1Api(cluster.api())
        core.delete_namespaced_config_map("there-2", "default")
        entry(core, "new", "third")
        await reflection.until(lambda seen: seen.keys() == {"default/there-0", "default/new"})
        told: dict[str, Entry | None] = {}
        for changes in reflection.told:
            told |= changes
        assert {key: found for key, found in told.items() if found is not None} == reflection.reflector.records
    finally:
        following.cancel()
        await connection.close()
        for name in ("there-0", "new"):
            core.delete_namespaced_config_map(name, "default")


async def test_where_what_it_missed_is_not_kept_any_more_it_lists_anew(
    cluster: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = client.CoreV1Api(cluster.api())
    entry(core, "old", "first")
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    connection = await Connection.open()
    reflection = Reflection(connection)
    following = asyncio.ensure_future(reflection.reflector.run())
    try:
        await reflection.until(lambda seen: seen.keys() == {"default/old"})
        following.cancel()
        core.delete_namespaced_config_map("old", "default")
        entry(core, "new", "second")
        with cluster.without_api_server():
            # A server that was started anew keeps no changes from before.
            pass
        following = asyncio.ensure_future(reflection.reflector.run())
        await reflection.until(lambda seen: seen.keys() == {"default/new"})
        assert reflection.told[-1] == {"default/old": None, "default/new": Entry(data={"value": "second"})}
    finally:
        following.cancel()
        await connection.close()
        client.CoreV1Api(cluster.api()).delete_namespaced_config_map("new", "default")


async def test_what_may_not_be_read_is_said(cluster: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(cluster.user_of("reads-nothing-else", "view")))
    connection = await Connection.open()
    try:
        with pytest.raises(NotAllowed, match="forbidden"):
            await Reflection(connection).reflector.run()
    finally:
        await connection.close()
