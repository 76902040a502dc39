"""Tries whether a device can be shared: one pod holds a device, another is to see just that one by its variable."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, suppress

import msgspec
from msgspec import Struct

from scheduler_core.errors import EngineUnavailable, NotFound, RunaiError
from scheduler_core.kubernetes.api.connection import Connection, Json
from scheduler_core.kubernetes.api.reflector import Reflector
from scheduler_core.kubernetes.api.resources import (
    DEVICE_VARIABLE,
    DEVICES,
    PRIORITY_ANNOTATION,
    SCHEDULER,
    variable_path,
)
from scheduler_core.kubernetes.sharing.device_reader import Reading, read_reading
from scheduler_core.kubernetes.sharing.proof import PROOF_LABEL, PROOFS, Proof, read_proof, tell
from scheduler_core.kubernetes.sharing.reservation_pods import PodState, reader_pod
from scheduler_core.kubernetes.sharing.reservations import PODS
from scheduler_core.kubernetes.sharing.shares import sees_share
from scheduler_core.model import VerdictCode

HOLDER = "proof-holder"
SHARER = "proof-sharer"

_EACH_WITHIN_S = 90.0
_SAYS_WITHIN_S = 20.0
_ASK_AGAIN_S = 0.5
_TRY_AGAIN_S = 300.0
_log = logging.getLogger(__name__)


class _NotTried(Exception):
    """It could not be tried."""


class _Failed(Exception):
    """It was tried, and does not work."""


class _Event(Struct):
    object: PodState


class Prover:
    """Tries it where it was never tried, could not be, or somebody asks for it."""

    def __init__(self, connection: Connection, image: str, changed: Callable[[], None]) -> None:
        self.proof: Proof | None = None
        self._told = changed
        self._connection = connection
        self._image = image
        self._news = asyncio.Event()
        self._reflector = Reflector(connection, PROOFS, read_proof, self._changed, PROOF_LABEL)

    @property
    def refusal(self) -> tuple[VerdictCode, str] | None:
        """The verdict on all who want a share now; null where nothing speaks against it."""
        proof = self.proof or Proof(reason="it is being tried")
        if proof.works is None:
            return "gated", f"It is not known yet whether a device can be shared here: {proof.reason}."
        return None if proof.works else ("never_fits", proof.refusal)

    async def run(self) -> None:
        """Follow what is asked until cancelled.

        Raises:
            RunaiError: it may not be read.
        """
        async with asyncio.TaskGroup() as parts:
            parts.create_task(self._reflector.run())
            await self._reflector.synced.wait()
            parts.create_task(self._try())

    async def _try(self) -> None:
        while True:
            self._news.clear()
            proof = self.proof
            if proof is None or proof.works is None or proof.is_due:
                await tell(self._connection, await self._tried("" if proof is None else proof.asked))
            with suppress(TimeoutError):
                async with asyncio.timeout(_TRY_AGAIN_S):
                    await self._news.wait()

    async def _tried(self, mark: str) -> Proof:
        try:
            await self._attempt()
        except (_NotTried, EngineUnavailable) as error:
            # An API server that is away says nothing of devices.
            return Proof(reason=str(error), answered=mark)
        except (_Failed, RunaiError) as error:
            return Proof(works=False, reason=str(error).rstrip("."), answered=mark)
        finally:
            for name in (HOLDER, SHARER):
                with suppress(RunaiError):
                    await self._connection.send("DELETE", f"{PODS}/{name}")
        return Proof(works=True, answered=mark)

    async def _attempt(self) -> None:
        holder = await self._made(self._holder())
        (held, *others) = await self._said(HOLDER)
        if others or not held.id:
            raise _Failed(f"a pod with one device sees {len(others) + 1 if held.id else 'none'}: {held.notice}")
        await self._made(self._sharer(holder.spec.node_name, held.id))
        seen = {reading.id for reading in await self._said(SHARER)} - {""}
        if seen != {held.id}:
            said = f"{len(seen)} other devices" if seen else "no device"
            raise _Failed(f"a pod that is given {DEVICE_VARIABLE} of one device sees {said}")

    def _holder(self) -> Json:
        """It is placed as work is, after all other that waits."""
        pod = reader_pod(self._image, {DEVICES: "1"}, "--once")
        pod["metadata"] = {"name": HOLDER, "annotations": {PRIORITY_ANNOTATION: "very-low"}}
        pod["spec"] |= {"schedulerName": SCHEDULER, "restartPolicy": "Never", "tolerations": [{"operator": "Exists"}]}
        return pod

    def _sharer(self, node: str, device: str) -> Json:
        pod = reader_pod(self._image, {}, "--once")
        pod["metadata"] = {"name": SHARER, "annotations": {variable_path(DEVICE_VARIABLE): device}}
        pod["spec"] |= {"nodeName": node, "restartPolicy": "Never", "tolerations": [{"operator": "Exists"}]}
        pod["spec"]["containers"][0]["env"] += sees_share()
        return pod

    async def _made(self, pod: Json) -> PodState:
        """Make a pod, and wait until it has started, or ended.

        Raises:
            _NotTried: it has not within its time.
        """
        name, last = pod["metadata"]["name"], PodState()
        with suppress(NotFound):
            await self._connection.send("DELETE", f"{PODS}/{name}", gracePeriodSeconds="0")
        await self._connection.send("POST", PODS, pod)
        with suppress(TimeoutError):
            async with asyncio.timeout(_EACH_WITHIN_S), aclosing(self._states(name)) as states:
                async for last in states:
                    if last.status.phase in ("Running", "Succeeded", "Failed"):
                        return last
        raise _NotTried(last.trouble or "no pod that tries it came to run")

    async def _states(self, name: str) -> AsyncGenerator[PodState, None]:
        query = {"watch": "true", "fieldSelector": f"metadata.name={name}"}
        async with aclosing(self._connection.lines(PODS, 2 * _EACH_WITHIN_S, **query)) as lines:
            async for line in lines:
                yield msgspec.json.decode(line, type=_Event).object

    async def _said(self, name: str) -> list[Reading]:
        """All that a pod has said, once it has said something."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_SAYS_WITHIN_S):
                while True:
                    with suppress(RunaiError, msgspec.MsgspecError):
                        said = (await self._connection.raw(f"{PODS}/{name}/log")).splitlines()
                        if said:
                            return [read_reading(line) for line in said]
                    await asyncio.sleep(_ASK_AGAIN_S)
        raise _Failed("a pod does not say which devices it sees")

    def _changed(self, _: Mapping[str, Proof | None]) -> None:
        self.proof = next(iter(self._reflector.records.values()), None)
        self._news.set()
        self._told()
