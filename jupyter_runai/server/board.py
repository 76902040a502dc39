"""What the engine last said, kept up to date by its events."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from scheduler_core.workload import (
    Device,
    DevicesChanged,
    EngineInfo,
    EngineState,
    Event,
    Heartbeat,
    PlannerTime,
    QueuesChanged,
    QueueStatus,
    State,
    Workload,
    WorkloadChanged,
    WorkloadDeleted,
)


class Transition(Struct, frozen=True):
    """A workload that has come into another state; `before` is null for a new one."""

    before: State | None
    workload: Workload


class Board:
    """One engine as it is: who answers, its devices, queues and workloads; `info` is null before the first state."""

    def __init__(self) -> None:
        self.epoch = ""
        self.seq = 0
        self.info: EngineInfo | None = None
        self.devices: tuple[Device, ...] = ()
        self.queues: tuple[QueueStatus, ...] = ()
        self.planner: PlannerTime | None = None
        self._workloads: dict[str, Workload] = {}

    @property
    def workloads(self) -> Mapping[str, Workload]:
        return self._workloads

    def state(self) -> EngineState:
        """Everything at once.

        Raises:
            LookupError: nothing was said yet.
        """
        if self.info is None:
            raise LookupError("the engine has not said anything yet")
        return EngineState(
            epoch=self.epoch,
            seq=self.seq,
            info=self.info,
            devices=self.devices,
            queues=self.queues,
            workloads=tuple(self._workloads.values()),
            planner=self.planner,
        )

    def apply(self, event: Event) -> list[Transition]:
        """Take over an event; which workloads have come into another state."""
        if isinstance(event, EngineState | QueuesChanged | Heartbeat):
            self.planner = event.planner
        if isinstance(event, EngineState):
            return self._restart(event)
        if isinstance(event, Heartbeat):
            return []
        self.epoch, self.seq = event.epoch, event.seq
        if isinstance(event, DevicesChanged):
            self.devices = event.devices
        elif isinstance(event, QueuesChanged):
            self.queues = event.queues
        elif isinstance(event, WorkloadDeleted):
            self._workloads.pop(event.id, None)
        elif isinstance(event, WorkloadChanged):
            before = self._workloads.get(event.workload.id)
            self._workloads[event.workload.id] = event.workload
            return _transitions(before, event.workload)
        return []

    def _restart(self, state: EngineState) -> list[Transition]:
        known = self._workloads
        is_another = self.info is None or self.info.simulated != state.info.simulated
        self.epoch, self.seq, self.info = state.epoch, state.seq, state.info
        self.devices, self.queues = state.devices, state.queues
        self._workloads = {workload.id: workload for workload in state.workloads}
        # What there was at the beginning has not changed: only nobody was looking.
        changed = [] if is_another else state.workloads
        return [each for workload in changed for each in _transitions(known.get(workload.id), workload)]


def _transitions(before: Workload | None, workload: Workload) -> list[Transition]:
    state = None if before is None else before.state
    return [] if state == workload.state else [Transition(state, workload)]
