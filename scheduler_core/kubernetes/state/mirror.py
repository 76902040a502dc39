"""A cluster as the API shows it, kept up to date."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from scheduler_core.kubernetes.api.connection import Connection
from scheduler_core.kubernetes.api.queue_objects import read_queue
from scheduler_core.kubernetes.api.reflector import Reflector
from scheduler_core.kubernetes.api.resources import QUEUES, WORKLOADS
from scheduler_core.kubernetes.state.cluster import Cluster, read_planned
from scheduler_core.kubernetes.state.nodes import read_machine
from scheduler_core.kubernetes.state.pods import Pod, read_pod

_Record = TypeVar("_Record")


def mirrored(
    connection: Connection,
    cluster: Cluster,
    changed: Callable[[bool], None],
    seen: Callable[[Mapping[str, Pod | None]], None] = lambda pods: None,
) -> tuple[Reflector[Any], ...]:
    """What keeps `cluster` as it is in the API, to be run; `changed` is told whether another plan may come of it.

    `seen` is told of each change of pods after that.
    """

    def pods_changed(changes: Mapping[str, Pod | None]) -> bool:
        matters = cluster.pods_changed(changes)
        seen(changes)
        return matters

    return (
        Reflector(connection, "/api/v1/nodes", read_machine, _told(cluster.machines_changed, changed)),
        Reflector(connection, "/api/v1/pods", read_pod, _told(pods_changed, changed)),
        Reflector(connection, WORKLOADS.path(), read_planned, _told(cluster.workloads_changed, changed)),
        Reflector(connection, QUEUES.path(), read_queue, _told(cluster.queues_changed, changed)),
    )


def mirrored_pods(
    connection: Connection, path: str, cluster: Cluster, changed: Callable[[bool], None]
) -> Reflector[Pod]:
    """What keeps the pods of `cluster` as they are at this path."""
    return Reflector(connection, path, read_pod, _told(cluster.pods_changed, changed))


def _told(
    apply: Callable[[Mapping[str, _Record | None]], bool], changed: Callable[[bool], None]
) -> Callable[[Mapping[str, _Record | None]], None]:
    return lambda changes: changed(apply(changes))
