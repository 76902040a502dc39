"""Prometheus metrics of the engine, from what the server already knows: a scrape asks the engine nothing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import get_args

from prometheus_client.core import GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from jupyter_runai.server.board import Board
from jupyter_runai.server.relay import Relay
from scheduler_core.model import MILLI, VerdictCode
from scheduler_core.workload import Device, PlannerTime, QueueStatus, State

_MIB = 1024 * 1024
_DEVICE = ("device", "index", "model", "node", "simulated")
_QUEUE = ("queue", "parent")


class RunaiCollector(Collector):
    """What docs/metrics.md lists. While the engine cannot be seen, only that is said."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def collect(self) -> Iterator[Metric]:
        yield _gauge("stream_clients", "Browser tabs that are told of every change", self._relay.clients)
        yield _gauge("engine_up", "1 where the engine is seen, else 0", int(self._relay.is_live))
        if self._relay.is_live:
            yield from _devices(self._relay.board.devices)
            yield from _queues(self._relay.board.queues)
            yield from _workloads(self._relay.board)
            yield from _planner(self._relay.board.planner)

    def describe(self) -> Iterator[Metric]:
        """Nothing yet: registering asks what there is before anything is known."""
        return iter(())


def _gauge(name: str, about: str, value: float | None = None, labels: tuple[str, ...] = ()) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"jupyter_runai_{name}", about, value=value, labels=labels or None)


def _devices(devices: tuple[Device, ...]) -> Iterator[GaugeMetricFamily]:
    ready = _gauge("device_ready", "1 where the device can be used, else 0", labels=_DEVICE)
    allocated = _gauge("device_allocated_ratio", "The part of the device that is held, 0 to 1", labels=_DEVICE)
    utilization = _gauge("device_utilization_ratio", "How busy its compute is, 0 to 1", labels=_DEVICE)
    memory = _gauge("device_memory_bytes", "The device's memory", labels=_DEVICE)
    promised = _gauge("device_memory_allocated_bytes", "Memory that holders may use", labels=_DEVICE)
    used = _gauge("device_memory_used_bytes", "Memory in use", labels=_DEVICE)
    for device in devices:
        labels = (device.id, str(device.index), device.model, device.node, str(device.simulated).lower())
        ready.add_metric(labels, int(device.ready))
        allocated.add_metric(labels, sum(holder.portion_milli for holder in device.holders) / MILLI)
        memory.add_metric(labels, device.memory_mib * _MIB)
        promised.add_metric(labels, sum(holder.memory_mib for holder in device.holders) * _MIB)
        if device.utilization is not None:
            utilization.add_metric(labels, device.utilization)
        if device.used_mib is not None:
            used.add_metric(labels, device.used_mib * _MIB)
    yield from (ready, allocated, utilization, memory, promised, used)


def _queues(queues: tuple[QueueStatus, ...]) -> Iterator[GaugeMetricFamily]:
    quota = _gauge("queue_quota_devices", "Devices it deserves; +Inf is unlimited", labels=_QUEUE)
    limit = _gauge("queue_limit_devices", "Devices it may never exceed; +Inf is unlimited", labels=_QUEUE)
    fair_share = _gauge("queue_fair_share_devices", "Devices it is granted now", labels=_QUEUE)
    allocated = _gauge("queue_allocated_devices", "Devices it holds", labels=_QUEUE)
    requested = _gauge("queue_requested_devices", "Devices it holds and waits for", labels=_QUEUE)
    for queue in queues:
        labels = (queue.name, queue.parent or "")
        for family, amount in ((quota, queue.quota), (limit, queue.limit), (fair_share, queue.fair_share)):
            family.add_metric(labels, math.inf if amount is None else amount)
        allocated.add_metric(labels, queue.allocated)
        requested.add_metric(labels, queue.requested)
    yield from (quota, limit, fair_share, allocated, requested)


def _workloads(board: Board) -> Iterator[GaugeMetricFamily]:
    every = board.workloads.values()
    states = Counter(workload.state for workload in every)
    codes = Counter(
        workload.verdict.code for workload in every if workload.state == "pending" and workload.verdict is not None
    )
    by_state = _gauge("workloads", "Workloads by state", labels=("state",))
    for state in get_args(State):
        by_state.add_metric((state,), states[state])
    waiting = _gauge("workloads_waiting", "Workloads that wait, by the code of their verdict", labels=("code",))
    for code in get_args(VerdictCode):
        waiting.add_metric((code,), codes[code])
    yield from (by_state, waiting)


def _planner(spent: PlannerTime | None) -> Iterator[SummaryMetricFamily]:
    if spent is not None:
        about = "Time that the plans of this engine run have taken"
        yield SummaryMetricFamily("jupyter_runai_planning_seconds", about, spent.plans, spent.seconds)
