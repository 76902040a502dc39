"""The devices of a node: Kubernetes counts them, plans name them, and each name is one that nobody else's pod has."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from scheduler_core.kubernetes.state.nodes import Machine
from scheduler_core.kubernetes.state.pod_requests import is_share
from scheduler_core.kubernetes.state.pods import Pod
from scheduler_core.model import MILLI, Gpu, TaskRequest
from scheduler_core.workload import Allocation, Enforcement, HeldDevice

_HELD_BY_KUBERNETES = Enforcement(level="device", memory="hard", compute="hard")


def device_id(node: str, index: int) -> str:
    """The name of a device: no other of the cluster has it."""
    return f"{node}/{index}"


def device_index(device: str) -> int:
    """The number of a device on its node."""
    return int(device.rpartition("/")[2])


def slices_id(node: str) -> str:
    """The name under which the slices of a node are planned: on which device each is, the device plugin decides."""
    return f"{node}/mig"


class Slots:
    """Who holds which device of one node; for the `reserved` ones a pod holds the place of those who share them."""

    def __init__(self, machine: Machine, reserved: Iterable[int] = ()) -> None:
        self.machine = machine
        self._reserved = [device_id(machine.name, index) for index in reserved]
        self._free = {device_id(machine.name, index): None for index in range(machine.devices)}
        self._shared: set[str] = set()
        self._taken: set[str] = set()
        self._moved: dict[str, str] = {}

    def hold(self, held: Sequence[tuple[Pod, Allocation | None]]) -> dict[str, tuple[str, ...]]:
        """The devices of each pod by its key: those that it was given, where there are such and nobody else has them.

        Where a node has fewer devices than before, or a pod was bound by somebody else, it holds any that are free.
        """
        found: dict[str, tuple[str, ...]] = {}
        later: list[tuple[Pod, Allocation | None]] = []
        for pod, allocation in held:
            ids = tuple(device.id for device in allocation.devices) if allocation is not None else ()
            if len(ids) == device_count(pod.request) and self._give(ids, is_share(pod.request)):
                found[pod.key] = ids
            else:
                later.append((pod, allocation))
        # Reserved for nobody any more, they are free when their pods have gone.
        for device in self._reserved:
            self._remove(device)
        for pod, allocation in later:
            found[pod.key] = self._any(pod, allocation)
        return found

    def take_away(self, count: int) -> None:
        """Take so many devices that are free out of all plans: others have them."""
        for device in reversed(list(self._free)):
            if count <= 0:
                break
            if device not in self._shared:
                self._remove(device)
                count -= 1

    def gpus(self, unshareable: Collection[str] = ()) -> tuple[Gpu, ...]:
        """As the planner sees them; these cannot be shared."""
        machine = self.machine
        names = (device_id(machine.name, index) for index in range(machine.devices))
        whole = tuple(
            Gpu(
                id=name,
                memory_mib=machine.device_memory_mib,
                model=machine.model,
                shareable=name not in unshareable or name in self._shared,
            )
            for name in names
            if name not in self._taken
        )
        if not machine.slices:
            return whole
        return (*whole, Gpu(id=slices_id(machine.name), model=machine.model, mig=machine.slices))

    def _give(self, ids: tuple[str, ...], shared: bool) -> bool:
        if not all(device in self._free or (shared and device in self._shared) for device in ids):
            return False
        for device in ids:
            self._free.pop(device, None)
        if shared:
            self._shared.update(ids)
        return True

    def _any(self, pod: Pod, allocation: Allocation | None) -> tuple[str, ...]:
        """Free ones; those that shared one device before do so again."""
        count, shared = device_count(pod.request), is_share(pod.request)
        before = [device.id for device in allocation.devices] if allocation is not None else []
        found: list[str] = []
        for number in range(count):
            wanted = before[number] if shared and number < len(before) else ""
            device = self._moved.get(wanted) or next(iter(self._free), None)
            if device is None:
                break
            self._free.pop(device, None)
            if shared:
                self._shared.add(device)
                self._moved[wanted or f"{pod.key}/{number}"] = device
            found.append(device)
        return tuple(found)

    def _remove(self, device: str) -> None:
        if device in self._free:
            del self._free[device]
            self._taken.add(device)


def device_count(request: TaskRequest) -> int:
    """How many devices a request is for, whole or shared; slices are counted by themselves."""
    return request.gpu_devices if is_share(request) else request.whole_devices


def allocation_on(machine: Machine, ids: Iterable[str], request: TaskRequest) -> Allocation:
    """What a request is given of these devices."""
    memory = machine.device_memory_mib
    milli = request.portion_milli or MILLI
    if request.gpu_memory_mib:
        milli = min(MILLI, -(-request.gpu_memory_mib * MILLI // memory)) if memory else MILLI
    held = tuple(
        HeldDevice(
            id=name,
            index=device_index(name),
            model=machine.model,
            portion_milli=milli,
            memory_mib=request.gpu_memory_mib or memory * milli // MILLI,
        )
        for name in ids
    )
    if held and not is_share(request):
        return Allocation(node=machine.name, devices=held, enforcement=_HELD_BY_KUBERNETES)
    return Allocation(node=machine.name, devices=held)
