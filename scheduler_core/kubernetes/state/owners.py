"""The objects above pods, read from the API when they are asked for and kept for a while."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec
from msgspec import Struct

from scheduler_core.errors import NotAllowed, NotFound
from scheduler_core.kubernetes.api.connection import Connection, Json
from scheduler_core.kubernetes.state.grouping import ObjectMeta, Owner, OwnerReference, read_owner, unreadable

_MOST_ABOVE = 8
"""More owners above one another than any kind makes: a ring of them must not hold anybody up."""
_MOST_KEPT = 20_000
_READ_AT_ONCE = 16
_FRESH_S = 30.0
"""After so long what can change is read again: a gang may have been given other sizes."""


class _Served(Struct, frozen=True):
    """A kind as the API server offers it."""

    name: str
    kind: str
    namespaced: bool


class _Kept(Struct, frozen=True):
    owner: Owner
    read_at: float


class Owners:
    """Finds who owns what, with one user's rights."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._kept: dict[str, _Kept] = {}
        self._served: dict[str, dict[str, _Served]] = {}
        self._reading = asyncio.Semaphore(_READ_AT_ONCE)
        self._under_way: dict[str, asyncio.Task[Owner]] = {}

    async def above(self, pod: ObjectMeta) -> tuple[Owner, ...]:
        """All owners of a pod, the nearest first. What may not be read ends the chain, and is known by name alone."""
        found: list[Owner] = []
        reference = pod.owner
        while reference is not None and len(found) < _MOST_ABOVE:
            if not await self._is_namespaced(reference):
                break
            owner = await self._owner(reference, pod.namespace)
            found.append(owner)
            reference = owner.metadata.owner
        return tuple(found)

    async def _owner(self, reference: OwnerReference, namespace: str) -> Owner:
        kept = self._kept.get(reference.uid)
        if kept is not None and (not _changes(kept.owner) or time.monotonic() - kept.read_at < _FRESH_S):
            return kept.owner
        # Hundreds of pods of one owner come at once: it is read once.
        task = self._under_way.get(reference.uid)
        if task is None:
            task = self._under_way[reference.uid] = asyncio.ensure_future(self._read(reference, namespace))
            task.add_done_callback(lambda _: self._under_way.pop(reference.uid, None))
        return await asyncio.shield(task)

    async def _read(self, reference: OwnerReference, namespace: str) -> Owner:
        try:
            async with self._reading:
                path = await self.path(reference.api_version, reference.kind, namespace, reference.name)
                content: Json = await self._connection.get(path)
            owner = read_owner(content)
        except (NotFound, NotAllowed, msgspec.ValidationError):
            owner = unreadable(reference, namespace)
        if owner.metadata.uid != reference.uid:
            # Another object of that name, made after this one was deleted.
            owner = unreadable(reference, namespace)
        self._kept.pop(reference.uid, None)
        self._kept[reference.uid] = _Kept(owner, time.monotonic())
        while len(self._kept) > _MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        return owner

    async def _is_namespaced(self, reference: OwnerReference) -> bool:
        """Whether an owner can be a workload; a node, which owns its own pods, is none."""
        served = await self._kinds(reference.api_version)
        return reference.kind not in served or served[reference.kind].namespaced

    async def path(self, api_version: str, kind: str, namespace: str, name: str) -> str:
        """Where an object is.

        Raises:
            NotFound: the API server does not know its kind.
        """
        served = await self._kinds(api_version)
        if kind not in served:
            raise NotFound(f"There is no kind {kind} in {api_version}.")
        return f"{_root(api_version)}/namespaces/{namespace}/{served[kind].name}/{name}"

    async def _kinds(self, api_version: str) -> dict[str, _Served]:
        if api_version not in self._served:
            try:
                found: Any = await self._connection.get(_root(api_version))
            except (NotFound, NotAllowed):
                # It may be installed later.
                return {}
            listed = msgspec.convert(found["resources"], list[_Served])
            self._served[api_version] = {one.kind: one for one in listed if "/" not in one.name}
        return self._served[api_version]


def _changes(owner: Owner) -> bool:
    return bool(owner.rule.members or owner.rule.least)


def _root(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
