"""Who asks, as the kernel says of their connection, and what they may see and do."""

from __future__ import annotations

import grp
import hashlib
import socket
import time
from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias

from msgspec import Struct
from msgspec.structs import replace
from tornado.httputil import HTTPServerRequest

from scheduler_core.errors import NotAllowed
from scheduler_core.local.access.projects import ONE_PROJECT, Projects
from scheduler_core.local.durable.audit_log import Reader
from scheduler_core.local.machine.accounts import Account, peer_of
from scheduler_core.local.machine.survival import user_name
from scheduler_core.roles import Granted, Roles, worded
from scheduler_core.workload import (
    EngineInfo,
    EngineState,
    Event,
    Resized,
    TaskStatus,
    Workload,
    WorkloadChanged,
    WorkloadSpec,
)

Right: TypeAlias = Literal["see", "read", "decide", "administer"]
"""See it; read what it says; decide on it (stop, suspend, delete ...); change the engine itself."""

_KNOWN_FOR_S = 60.0
_ROOT = 0


class Caller(Struct, frozen=True, kw_only=True):
    """Somebody who asks; `account` is null in a private engine, whose user alone can reach it.

    `administrators` are the engine's, `projects` what is in force of projects, and people's roles in them.
    """

    name: str
    account: Account | None = None
    is_administrator: bool = False
    administrators: tuple[str, ...] = ()
    projects: Callable[[], Projects] = lambda: ONE_PROJECT

    def owns(self, workload: Workload) -> bool:
        return self.account is None or self.account.uid == workload.owner_uid

    def may(self, granted: Granted, workload: Workload) -> bool:
        """Whether it is theirs, or a role in its project grants this; root may all, and could anyway."""
        return self.owns(workload) or self._is_root() or self._roles(workload.queue).lets(self.name, granted)

    def check(self, right: Right, workload: Workload) -> None:
        """Refuse what is not theirs, unless a role in its project grants it; the engine's administrators decide on all.

        Raises:
            NotAllowed: it is not theirs; the message names the roles that it takes, the hint who has them.
        """
        if right not in ("decide", "read") or self.may(right, workload):
            return
        if right == "decide" and self.is_administrator:
            return
        raise self._refusal(right, workload)

    def _refusal(self, right: Literal["decide", "read"], workload: Workload) -> NotAllowed:
        what = {"decide": "to decide on it", "read": "to read what it says"}[right]
        named = self._roles(workload.queue).named(right)
        deciding = self.administrators if right == "decide" else ()
        others = ", ".join(dict.fromkeys([*named, *deciding, "root"]))
        return NotAllowed(
            f"{workload.name} is {workload.owner}'s: {what} takes {worded(right)} in project {workload.queue}.",
            f"Ask {workload.owner}, or who may: {others}.",
        )

    def check_administers(self) -> None:
        """Refuse whoever is no administrator.

        Raises:
            NotAllowed: they are none.
        """
        if not self.is_administrator:
            others = ", ".join([*self.administrators, "root"])
            raise NotAllowed(f"{self.name} is no administrator of this engine.", f"Ask one: {others}.")

    def reader(self) -> Reader | None:
        """What they may read of the audit log; null is all of it."""
        if self.is_administrator:
            return None
        roles = self.projects().roles.items()
        return Reader(self.name, tuple(project for project, held in roles if held.lets(self.name, "audit")))

    def key(self, key: str | None) -> str | None:
        """A submission's key, of which every user has their own."""
        if key is None or self.account is None:
            return key
        return hashlib.sha256(f"{self.account.uid}:{key}".encode()).hexdigest()

    def shown(self, workload: Workload) -> Workload:
        """A workload without its report where that is not theirs: a traceback has code in it, and values."""
        hidden = workload.report is not None and not self.may("read", workload)
        return replace(workload, report=None) if hidden else workload

    def shown_resized(self, answer: Resized) -> Resized:
        """An answer that shows a workload, in the same way."""
        return replace(answer, workload=self.shown(answer.workload))

    def shown_all(self, workloads: tuple[Workload, ...]) -> tuple[Workload, ...]:
        """Workloads, in the same way."""
        return workloads if self.account is None else tuple(self.shown(workload) for workload in workloads)

    def shown_tasks(self, workload: Workload, tasks: tuple[TaskStatus, ...]) -> tuple[TaskStatus, ...]:
        """Its tasks, in the same way."""
        return tasks if self.may("read", workload) else tuple(replace(task, report=None) for task in tasks)

    def shown_specification(self, workload: Workload, spec: WorkloadSpec) -> WorkloadSpec:
        """What was submitted, without its environment where that is not theirs: it may hold secrets."""
        return spec if self.owns(workload) or self._is_root() else replace(spec, env={})

    def shown_info(self, info: EngineInfo) -> EngineInfo:
        """The engine, with their own name as the user's, and their roles."""
        if self.account is None:
            return info
        roles = {project: held.of(self.name) for project, held in self.projects().roles.items()}
        return replace(info, user=self.name, roles=roles, administers=self.is_administrator)

    def shown_event(self, event: Event) -> Event:
        """An event, in the same way."""
        if self.account is None:
            return event
        if isinstance(event, EngineState):
            return replace(event, info=self.shown_info(event.info), workloads=self.shown_all(event.workloads))
        if isinstance(event, WorkloadChanged):
            return replace(event, workload=self.shown(event.workload))
        return event

    def _roles(self, project: str) -> Roles:
        return self.projects().roles_in(project)

    def _is_root(self) -> bool:
        return self.account is not None and self.account.uid == _ROOT


class Callers(Protocol):
    """Tells who asks."""

    def of(self, request: HTTPServerRequest) -> Caller:
        """Who has sent a request.

        Raises:
            NotAllowed: they may not use this engine.
        """
        ...


class OnlyUser:
    """The callers of a private engine: its socket is open to its user alone."""

    def __init__(self) -> None:
        self._caller = Caller(name=user_name(), is_administrator=True)

    def of(self, request: HTTPServerRequest) -> Caller:
        return self._caller


class Users:
    """The callers of a shared engine: members of `group` (null: everybody), of whom some are `administrators`."""

    def __init__(self, administrators: tuple[str, ...], group: str | None, projects: Callable[[], Projects]) -> None:
        self._projects = projects
        self._administrators = administrators
        self._group = group
        self._known: dict[Account, tuple[float, Caller]] = {}

    def of(self, request: HTTPServerRequest) -> Caller:
        account = _peer(request)
        now = time.monotonic()
        # A directory service may take a while to answer, and each request asks.
        self._known = {key: known for key, known in self._known.items() if known[0] > now}
        if account not in self._known:
            self._known[account] = now + _KNOWN_FOR_S, self._caller(Account.of(account.uid, account.gid))
        return self._known[account][1]

    def _caller(self, account: Account) -> Caller:
        name = account.name()
        administers = account.uid == _ROOT or name in self._administrators
        if self._group is not None and not administers and not _is_member(account, self._group):
            raise NotAllowed(
                f"{name} is not in the group {self._group}, which this engine is for.", "Ask its administrator."
            )
        return Caller(
            name=name,
            account=account,
            is_administrator=administers,
            administrators=self._administrators,
            projects=self._projects,
        )


def _peer(request: HTTPServerRequest) -> Account:
    """Who has opened the connection of a request, whatever the request says."""
    stream = getattr(request.connection, "stream", None)
    connection: socket.socket | None = getattr(stream, "socket", None)
    if connection is None:
        raise NotAllowed("Whoever asked has gone.")
    return peer_of(connection)


def _is_member(account: Account, group: str) -> bool:
    try:
        return grp.getgrnam(group).gr_gid in account.groups()
    except KeyError:
        return False
