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
from scheduler_core.kubernetes.state.pods import read_pod

_Record = TypeVar("_Record")


def mirrored(connection: Connection, cluster: Cluster, changed: Callable[[], None]) -> tuple[Reflector[Any], ...]:
    """What keeps `cluster` as it is in the API, to be run; `changed` is called where another plan may come of it."""

    def told(apply: Callable[[Mapping[str, _Record | None]], bool]) -> Callable[[Mapping[str, _Record | None]], None]:
        def heard(changes: Mapping[str, _Record | None]) -> None:
            if apply(changes):
                changed()

        return heard

    return (
        Reflector(connection, "/api/v1/nodes", read_machine, told(cluster.machines_changed)),
        Reflector(connection, "/api/v1/pods", read_pod, told(cluster.pods_changed)),
        Reflector(connection, WORKLOADS.path(), read_planned, told(cluster.workloads_changed)),
        Reflector(connection, QUEUES.path(), read_queue, told(cluster.queues_changed)),
    )
