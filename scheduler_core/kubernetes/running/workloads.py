"""Workloads as objects of one namespace: made with their environment, read, and told what is wanted of them."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from scheduler_core.errors import Conflict, InvalidRequest, NotFound, RunaiError, TooLarge
from scheduler_core.kubernetes.api.attached import AttachedSecrets
from scheduler_core.kubernetes.api.blobs import Blob, send_blob, token_digest
from scheduler_core.kubernetes.api.connection import MERGE_PATCH, Connection, Json
from scheduler_core.kubernetes.api.listing import listed
from scheduler_core.kubernetes.api.objects import (
    GpuWorkload,
    key_digest,
    new_object,
    read_workload,
    written_request,
)
from scheduler_core.kubernetes.api.resources import (
    ACTIVITY_ANNOTATION,
    DELETED_AT_ANNOTATION,
    DELETED_LABEL,
    KEY_LABEL,
    RESTORED_AT_ANNOTATION,
    WORKLOADS,
)
from scheduler_core.kubernetes.running.environment import read_environment, written_environment
from scheduler_core.kubernetes.running.inputs import WrittenInputs, written_inputs
from scheduler_core.kubernetes.running.jobs import TOKEN_KEY, inputs_name, token_name
from scheduler_core.model import TaskRequest
from scheduler_core.workload import Activity, Scale, WorkloadSpec

_log = logging.getLogger(__name__)

_SLUG_LENGTH = 40
"""Of a workload's name in its object's: the names of its tasks' pods are longer, and have at most 63 characters."""


class Workloads:
    """The workloads of one namespace, as a user of it may see and change them."""

    def __init__(self, connection: Connection, namespace: str) -> None:
        self._connection = connection
        self._namespace = namespace
        self._secrets = AttachedSecrets(connection, namespace)

    @property
    def path(self) -> str:
        return WORKLOADS.path(self._namespace)

    async def create(self, spec: WorkloadSpec, owner: str, inputs: Path | None) -> GpuWorkload:
        """Make a workload with what lies in a folder, or find the one that was made with the same key."""
        if spec.key is not None and (known := await self._with_key(spec.key)) is not None:
            return await self._completed(known, inputs)
        try:
            return await self._make(await self._free_name(spec), spec, owner, inputs)
        except Conflict:
            # Somebody with the same key was faster.
            if spec.key is not None and (known := await self._with_key(spec.key)) is not None:
                return known
            raise

    async def submission(self, name: str) -> WorkloadSpec:
        """What was submitted, without its key; of one that has ended without its environment."""
        found = await self.get(name)
        ended = found.workload().has_ended
        return replace(found.submission(), env={} if ended else read_environment(await self._secrets.read(name)))

    async def get(self, name: str) -> GpuWorkload:
        """One that is not deleted."""
        found = await self._anywhere(name)
        if found.is_deleted:
            raise _not_there(name)
        return found

    async def list(self, deleted: bool = False) -> tuple[GpuWorkload, ...]:
        """All, oldest first."""
        found = await self._select(DELETED_LABEL if deleted else f"!{DELETED_LABEL}")
        return tuple(sorted(found, key=lambda one: (one.metadata.creation_timestamp, one.metadata.name)))

    async def want(self, name: str, wanted: str) -> GpuWorkload:
        """Tell the controller what is wanted: `running`, `suspended` or `stopped`."""
        return await self._patch(name, {"spec": {"wanted": wanted, "wanted_since": time.time()}})

    async def ask_for(self, name: str, request: TaskRequest) -> GpuWorkload:
        """Have each of its tasks ask for this."""
        # What was asked for before in another form goes.
        none = dict.fromkeys(msgspec.structs.asdict(request))
        return await self._patch(name, {"spec": {"request": {**none, **written_request(request)}}})

    async def scale(self, name: str, scale: Scale) -> GpuWorkload:
        return await self._patch(name, {"spec": {"tasks": scale.tasks, "min_tasks": scale.min_tasks}})

    async def note(self, name: str, activity: Activity) -> None:
        """Write down what it does."""
        said = msgspec.json.encode(activity).decode()
        await self._patch(name, {"metadata": {"annotations": {ACTIVITY_ANNOTATION: said}}})

    async def discard(self, name: str) -> None:
        """Put it out of sight; its key is free again."""
        labels = {DELETED_LABEL: "true", KEY_LABEL: None}
        annotations = {DELETED_AT_ANNOTATION: str(time.time())}
        await self._patch(name, {"metadata": {"labels": labels, "annotations": annotations}})

    async def restore(self, name: str) -> GpuWorkload:
        """Bring it back.

        Raises:
            NotFound: no workload of this name is deleted.
        """
        if not (await self._anywhere(name)).is_deleted:
            raise NotFound(f"There is no deleted workload {name!r}.")
        annotations = {DELETED_AT_ANNOTATION: None, RESTORED_AT_ANNOTATION: str(time.time())}
        return await self._patch(name, {"metadata": {"labels": {DELETED_LABEL: None}, "annotations": annotations}})

    async def is_deleted(self, name: str) -> bool:
        return (await self._anywhere(name)).is_deleted

    async def purge(self, name: str) -> None:
        """Delete it for good; its environment and its pods go with it."""
        await self._connection.send("DELETE", WORKLOADS.path(self._namespace, name))

    async def _anywhere(self, name: str) -> GpuWorkload:
        try:
            return read_workload(await self._connection.raw(WORKLOADS.path(self._namespace, name)))
        except NotFound:
            raise _not_there(name) from None
        except msgspec.ValidationError as error:
            raise InvalidRequest(f"The workload {name} makes no sense: {error}.", "Submit it anew.") from error

    async def _with_key(self, key: str) -> GpuWorkload | None:
        found = await self._select(f"{KEY_LABEL}={key_digest(key)}")
        return found[0] if found else None

    async def _select(self, selector: str) -> tuple[GpuWorkload, ...]:
        items = [item async for item in listed(self._connection, self.path, labelSelector=selector)]
        return tuple(_readable(items))

    async def _free_name(self, spec: WorkloadSpec) -> str:
        """Of a key always the same, so that one of two at once succeeds; another one where that was deleted."""
        slug = _slug(spec.name or spec.name_hint)
        if spec.key is not None:
            name = f"{slug}-{key_digest(spec.key)[:8]}"
            try:
                found = await self._anywhere(name)
            except NotFound:
                return name
            if not found.is_deleted and found.metadata.labels.get(KEY_LABEL) == key_digest(spec.key):
                raise Conflict(f"{name} has been submitted already.")
        return f"{slug}-{secrets.token_hex(4)}"

    async def _make(self, name: str, spec: WorkloadSpec, owner: str, inputs: Path | None) -> GpuWorkload:
        found = WrittenInputs((), {}, ()) if inputs is None else await asyncio.to_thread(written_inputs, inputs)
        token = secrets.token_hex(32)
        kept = {name: written_environment(spec.env)} | ({inputs_name(name): found.content} if found.content else {})
        if found.blobs:
            kept[token_name(name)] = {TOKEN_KEY: token.encode()}
        for secret, data in kept.items():
            await self._secrets.keep(secret, data)
        written = new_object(spec, name, self._namespace, owner, found.paths, found.blobs, token_digest(token))
        try:
            made: Json = await self._connection.send("POST", self.path, written, fieldValidation="Strict")
        except Conflict:
            raise
        except RunaiError:
            for secret in kept:
                await self._secrets.forget(secret)
            raise
        for secret in kept:
            await self._secrets.belongs(secret, name, made["metadata"]["uid"])
        if inputs is None or not found.blobs:
            return msgspec.convert(made, GpuWorkload)
        return await self._with_blobs(name, token, found.blobs, inputs)

    async def _completed(self, known: GpuWorkload, inputs: Path | None) -> GpuWorkload:
        """Bring what was to be brought, should whoever submitted it have gone in the middle of that."""
        if inputs is None or not known.spec.blobs or known.spec.wanted_since is not None:
            return known
        name = known.metadata.name
        token = (await self._secrets.read(token_name(name)))[TOKEN_KEY].decode()
        return await self._with_blobs(name, token, known.spec.blobs, inputs)

    async def _with_blobs(self, name: str, token: str, blobs: Iterable[Blob], inputs: Path) -> GpuWorkload:
        """Bring to the controller what is too large for a Secret, and only then let the workload start."""
        try:
            for blob in blobs:
                await send_blob(self._connection, self._namespace, name, token, blob, inputs / blob.path)
        except RunaiError as error:
            await self.purge(name)
            raise TooLarge(
                f"Values of this size cannot be sent to this cluster: {error.message}",
                "Its controller takes them; else leave them in a file that its tasks can read (--mount).",
            ) from error
        return await self.want(name, "running")

    async def _patch(self, name: str, change: Json) -> GpuWorkload:
        path = WORKLOADS.path(self._namespace, name)
        changed: Any = await self._connection.send("PATCH", path, change, MERGE_PATCH)
        return msgspec.convert(changed, GpuWorkload)


def _readable(items: Iterable[Raw]) -> Iterator[GpuWorkload]:
    """What somebody wrote by hand and makes no sense is left aside: it must not hide all others."""
    for item in items:
        try:
            yield read_workload(item)
        except msgspec.ValidationError as error:
            _log.warning("A workload that makes no sense is left aside: %s", error)


def _not_there(name: str) -> NotFound:
    return NotFound(f"There is no workload {name!r}.")


def _slug(name: str) -> str:
    """A workload's name as the first part of its object's."""
    return re.sub(r"[^a-z0-9-]+", "-", name)[:_SLUG_LENGTH].strip("-") or "workload"
