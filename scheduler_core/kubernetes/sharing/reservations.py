"""Devices that are shared: a pod holds each of them whole, says which one it is, and goes with the last who uses it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Mapping
from contextlib import aclosing, suppress

import msgspec
from msgspec import Struct

from scheduler_core.errors import Conflict, EngineUnavailable, InvalidRequest, NotAllowed, NotFound, RunaiError
from scheduler_core.kubernetes.api.connection import MERGE_PATCH, Connection
from scheduler_core.kubernetes.api.reflector import Reflector
from scheduler_core.kubernetes.api.resources import RESERVATION_LABEL, RESERVATIONS
from scheduler_core.kubernetes.sharing.device_reader import Reading, read_reading
from scheduler_core.kubernetes.sharing.reservation_pods import (
    DEVICE_ANNOTATION,
    Reservation,
    ReservedDevice,
    Slot,
    read_reservation,
    reservation_name,
    reservation_pod,
)

PODS = f"/api/v1/namespaces/{RESERVATIONS}/pods"

_STARTS_WITHIN_S = 120.0
"""Its image may have to be fetched first."""
_SAYS_WITHIN_S = 20.0
_ASK_AGAIN_S = 0.5
_REFUSED_S = (30.0, 600.0)
_KNOWS_ROLES_WITHIN_S = 10.0
"""An API server that has just been started refuses what it allows a moment later."""
_READ_AT_ONCE = 16
_READ_A_SECOND = 100
"""Each is a request: the API server and kubelets have other work."""
_log = logging.getLogger(__name__)


class Refusal(Struct, frozen=True, kw_only=True):
    """Why a device cannot be shared; it is tried again from `until` on, by the monotonic clock."""

    reason: str
    until: float
    count: int


class _CannotHold(Exception):
    """A reservation that will never hold its device."""


class Reservations:
    """The reservations of a cluster. Several plans may ask for the same one at once; it is made once.

    `image` has this package: reservations run its reader of devices.
    """

    def __init__(self, connection: Connection, image: str) -> None:
        self._connection = connection
        self._image = image
        self._refusals: dict[Slot, Refusal] = {}
        self._under_way: dict[Slot, asyncio.Task[ReservedDevice | None]] = {}
        self._going: set[str] = set()
        self._news: dict[str, asyncio.Event] = {}
        self._reflector = Reflector(connection, PODS, read_reservation, self._changed, RESERVATION_LABEL)

    async def run(self) -> None:
        """Follow the reservations until cancelled.

        Raises:
            RunaiError: they may not be read.
        """
        try:
            await self._reflector.run()
        finally:
            for task in self._under_way.values():
                task.cancel()

    async def reserve(self, slots: Collection[Slot]) -> Mapping[Slot, ReservedDevice]:
        """Hold all of these devices, at once; those that are missing in the answer cannot be had, as `refusal` says.

        A device that is not in use yet has to be among those that `keep` is told of from now on: one that is no longer
        wanted is not waited for, and who waits for it here is cancelled.
        """
        await self._reflector.synced.wait()
        tasks = {slot: self._holding(slot) for slot in slots}
        found = await asyncio.gather(*(asyncio.shield(task) for task in tasks.values()))
        return {slot: device for slot, device in zip(tasks, found, strict=True) if device is not None}

    def refusal(self, slot: Slot) -> str:
        """Why this device cannot be shared now; empty where it can, or was not tried."""
        refusal = self._refusals.get(slot)
        return refusal.reason if refusal is not None and refusal.until > time.monotonic() else ""

    def refusals(self) -> Mapping[Slot, str]:
        """Why devices cannot be shared now."""
        return {slot: reason for slot in self._refusals if (reason := self.refusal(slot))}

    async def keep(self, used: Collection[Slot]) -> None:
        """Hold the devices that are in use, or are about to be, and let go of all others; none is waited for."""
        await self._reflector.synced.wait()
        for slot in [slot for slot in self._under_way if slot not in used]:
            self._under_way.pop(slot).cancel()
        for slot in used:
            # Somebody may have deleted its reservation.
            self._holding(slot)
        left = [found for found in self._reflector.records.values() if not found.is_leaving and found.slot not in used]
        # Before anything is awaited: whoever asks for them from now on waits until they are gone, and begins anew.
        self._going.update(found.name for found in left)
        await asyncio.gather(*(self._remove(found.name) for found in left))

    async def readings(self) -> Mapping[Slot, Reading]:
        """The last that each reservation has said of its device; one that says nothing now is left out.

        They are asked one after the other, a hundred in a second.
        """
        at_once = asyncio.Semaphore(_READ_AT_ONCE)

        async def read(number: int, found: Reservation) -> tuple[Slot, Reading | None]:
            await asyncio.sleep(number / _READ_A_SECOND)
            async with at_once:
                return found.slot, await self._last_reading(found.name)

        known = [found for found in self._reflector.records.values() if found.device is not None]
        said = await asyncio.gather(*(read(number, found) for number, found in enumerate(known)))
        return {slot: reading for slot, reading in said if reading is not None}

    def _holding(self, slot: Slot) -> asyncio.Task[ReservedDevice | None]:
        task = self._under_way.get(slot)
        if task is None:
            task = self._under_way[slot] = asyncio.ensure_future(self._hold(slot))
            task.add_done_callback(lambda done: self._ended(slot, done))
        return task

    def _ended(self, slot: Slot, task: asyncio.Task[ReservedDevice | None]) -> None:
        if self._under_way.get(slot) is task:
            del self._under_way[slot]

    async def _hold(self, slot: Slot) -> ReservedDevice | None:
        if self.refusal(slot):
            return None
        try:
            async with asyncio.timeout(_STARTS_WITHIN_S) as starting:
                device = await self._held_at_last(slot, starting)
        except TimeoutError:
            found = self._found(slot)
            trouble = f": {found.trouble}" if found is not None and found.trouble else ""
            await self._refuse(slot, f"it did not start within {_STARTS_WITHIN_S:.0f} s{trouble}")
        except (_CannotHold, RunaiError) as error:
            await self._refuse(slot, str(error).rstrip("."))
        else:
            self._refusals.pop(slot, None)
            return device
        return None

    async def _held_at_last(self, slot: Slot, starting: asyncio.Timeout) -> ReservedDevice:
        """That the API server is away, or knows no roles yet, says nothing about a device: its time begins anew."""
        clock = asyncio.get_running_loop().time
        refused_since: float | None = None
        while True:
            try:
                return await self._held(slot)
            except EngineUnavailable as error:
                refused_since = None
                _log.info("%s is asked for again: %s", reservation_name(slot), error)
            except NotAllowed as error:
                refused_since = clock() if refused_since is None else refused_since
                if clock() - refused_since > _KNOWS_ROLES_WITHIN_S:
                    raise
                _log.info("%s is asked for again: %s", reservation_name(slot), error)
            await asyncio.sleep(_ASK_AGAIN_S)
            starting.reschedule(clock() + _STARTS_WITHIN_S)

    async def _held(self, slot: Slot) -> ReservedDevice:
        """From whatever there is to a device that is known."""
        news = self._news.setdefault(reservation_name(slot), asyncio.Event())
        while True:
            news.clear()
            found = self._found(slot)
            if found is None:
                # Where another one of its name is there, it is seen, or seen going, before long.
                with suppress(Conflict):
                    await self._connection.send("POST", PODS, reservation_pod(slot, self._image))
            elif found.is_leaving or found.name in self._going:
                pass
            elif found.has_failed:
                raise _CannotHold(found.trouble or "its pod has ended")
            elif found.device is not None:
                return found.device
            elif found.phase == "Running":
                return await self._learn(found)
            await news.wait()

    async def _learn(self, found: Reservation) -> ReservedDevice:
        """Which device it is, as it says itself; written down for whoever asks later."""
        reading = await self._first_reading(found.name)
        if not reading.id:
            raise _CannotHold(f"it sees no device: {reading.notice}")
        twin = next((one for one in self._reflector.records.values() if _is_twin(one, found, reading.id)), None)
        if twin is not None:
            raise _CannotHold(f"it sees device {reading.id}, which device {twin.slot.index} is too")
        device = ReservedDevice(id=reading.id, model=reading.model, memory_mib=reading.memory_mib)
        said = {DEVICE_ANNOTATION: msgspec.json.encode(device).decode()}
        await self._connection.send("PATCH", f"{PODS}/{found.name}", {"metadata": {"annotations": said}}, MERGE_PATCH)
        return device

    async def _first_reading(self, name: str) -> Reading:
        """Its first line; asked for again where the node does not answer for it yet."""
        while True:
            try:
                said = self._connection.lines(f"{PODS}/{name}/log", _SAYS_WITHIN_S, follow="true")
                async with aclosing(said) as lines:
                    async for line in lines:
                        return read_reading(line)
            except msgspec.MsgspecError as error:
                raise _CannotHold(f"what it says makes no sense: {error}") from error
            except (EngineUnavailable, InvalidRequest, NotFound) as error:
                _log.info("%s is asked again: %s", name, error)
            await asyncio.sleep(_ASK_AGAIN_S)

    async def _last_reading(self, name: str) -> Reading | None:
        try:
            return read_reading(await self._connection.raw(f"{PODS}/{name}/log", tailLines="1"))
        except (RunaiError, msgspec.MsgspecError):
            return None

    async def _refuse(self, slot: Slot, reason: str) -> None:
        before = self._refusals.get(slot)
        count = 1 if before is None else before.count + 1
        pause = min(_REFUSED_S[0] * 2 ** (count - 1), _REFUSED_S[1])
        said = f"Device {slot.index} of {slot.node} cannot be held for those who share it: {reason}."
        _log.warning("%s It is tried again in %.0f s.", said, pause)
        self._refusals[slot] = Refusal(reason=said, until=time.monotonic() + pause, count=count)
        await self._remove(reservation_name(slot))

    async def _remove(self, name: str) -> None:
        try:
            await self._connection.send("DELETE", f"{PODS}/{name}")
        except NotFound:
            return
        except RunaiError as error:
            _log.warning("%s stays for now: %s", name, error)
            self._tell(name)

    def _found(self, slot: Slot) -> Reservation | None:
        return self._reflector.records.get(f"{RESERVATIONS}/{reservation_name(slot)}")

    def _changed(self, changes: Mapping[str, Reservation | None]) -> None:
        for key, found in changes.items():
            name = key.rpartition("/")[2]
            if found is None or found.is_leaving:
                self._tell(name)
            elif name in self._news:
                self._news[name].set()

    def _tell(self, name: str) -> None:
        """It is no longer about to go: it goes, has gone, or stays."""
        self._going.discard(name)
        if name in self._news:
            self._news[name].set()


def _is_twin(one: Reservation, found: Reservation, device: str) -> bool:
    return one.name != found.name and not one.is_leaving and one.device is not None and one.device.id == device
