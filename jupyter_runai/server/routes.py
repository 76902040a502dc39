"""Every route of the REST interface, as data: the handlers and the OpenAPI document both come from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeAlias, get_type_hints

from msgspec import Struct

from jupyter_runai.server import reports, verbs, workspaces

Resource: TypeAlias = Literal["runai:workloads", "runai:devices", "runai:queues", "runai:audit", "runai:engine"]
WORKLOADS: Resource = "runai:workloads"
DEVICES: Resource = "runai:devices"
QUEUES: Resource = "runai:queues"
AUDIT: Resource = "runai:audit"
ENGINE: Resource = "runai:engine"


class Route(Struct, frozen=True, kw_only=True):
    """A method of a path, the verb that answers it, and what an authoriser is asked: may they read or write this?

    `media` is the type of what it answers.
    """

    method: Literal["GET", "POST", "DELETE"]
    path: str
    verb: Callable[..., Awaitable[Any]]
    resource: Resource
    action: Literal["read", "write"]
    status: int = 200
    media: str = "application/json"

    @property
    def name(self) -> str:
        return self.verb.__name__

    @property
    def signature(self) -> dict[str, Any]:
        """The types of the verb's parameters by their names, that of its answer under `return`."""
        return get_type_hints(self.verb, include_extras=True)


def _look(path: str, verb: Callable[..., Awaitable[Any]], resource: Resource = WORKLOADS) -> Route:
    return Route(method="GET", path=path, verb=verb, resource=resource, action="read")


def _text(path: str, verb: Callable[..., Awaitable[Any]], media: str) -> Route:
    return Route(method="GET", path=path, verb=verb, resource=WORKLOADS, action="read", media=media)


def _change(path: str, verb: Callable[..., Awaitable[Any]], resource: Resource = WORKLOADS, status: int = 200) -> Route:
    return Route(method="POST", path=path, verb=verb, resource=resource, action="write", status=status)


_ONE = "workloads/{workload_id}"
_WORKSPACE = "workspaces/{name}"
ROUTES: tuple[Route, ...] = (
    _look("info", verbs.info, ENGINE),
    _change("simulate", verbs.simulate, ENGINE),
    _look("devices", verbs.devices, DEVICES),
    _look("queues", verbs.queues, QUEUES),
    _look("queues/history", verbs.queue_history, QUEUES),
    _text("report.csv", reports.report_csv, "text/csv"),
    _text("report.html", reports.report_html, "text/html"),
    _look("usage", verbs.usage),
    _look("policy", verbs.policy, QUEUES),
    Route(method="POST", path="policy/check", verb=verbs.check_policies, resource=QUEUES, action="read"),
    _look("catalog", verbs.catalog),
    _look("audit", verbs.audit, AUDIT),
    _look("workloads", verbs.workloads),
    _change("workloads", verbs.submit, status=201),
    Route(method="POST", path="preview", verb=verbs.preview, resource=WORKLOADS, action="read"),
    _look(_ONE, verbs.workload),
    Route(method="DELETE", path=_ONE, verb=verbs.delete, resource=WORKLOADS, action="write", status=204),
    _change(f"{_ONE}/restore", verbs.restore),
    _change(f"{_ONE}/suspend", verbs.suspend),
    _change(f"{_ONE}/resume", verbs.resume),
    _change(f"{_ONE}/stop", verbs.stop),
    _change(f"{_ONE}/snooze", verbs.snooze),
    _change(f"{_ONE}/resize", verbs.resize),
    _change(f"{_ONE}/scale", verbs.scale),
    _look(f"{_ONE}/explain", verbs.explain),
    _look(f"{_ONE}/specification", verbs.specification),
    _look(f"{_ONE}/tasks", verbs.tasks),
    _look(f"{_ONE}/measurements", verbs.measurements),
    _look(f"{_ONE}/results", verbs.results),
    _text(f"{_ONE}/logs", verbs.logs, "text/plain"),
    _look("leases", verbs.leases),
    _change("kernelspecs", verbs.lease_kernel, status=201),
    _look("workspaces", workspaces.workspaces),
    _change("workspaces", workspaces.create_workspace, status=201),
    Route(
        method="DELETE",
        path=_WORKSPACE,
        verb=workspaces.delete_workspace,
        resource=WORKLOADS,
        action="write",
        status=204,
    ),
    _change(f"{_WORKSPACE}/open", workspaces.open_workspace),
    _change(f"{_WORKSPACE}/copy", workspaces.copy_workspace, status=201),
    _look("submission-schema.json", verbs.submission_schema),
    _look("openapi.json", verbs.interface, ENGINE),
)
