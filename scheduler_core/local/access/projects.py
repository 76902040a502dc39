"""Projects, departments and their quotas, from one TOML file that people write.

    default_project = "vision"

    [departments.research]
    quota = 4

    [projects.vision]
    department = "research"
    quota = 2.5            # devices it deserves; "unlimited"; left out: none
    limit = 4              # devices it may never exceed; left out: unlimited
    weight = 2             # its part of what nobody's quota needs; left out: 1
    users = ["ana", "ben"] # its researchers; left out: everybody

    [projects.vision.roles] # those of a department hold in its projects, those of [roles] in all
    viewer = ["carl"]
    manager = ["dora"]

    [time_based_fair_share] # left out: the past does not count
    k = 1                   # how much it weighs; left out: 1
    window = "7d"           # how far back it counts; left out: 7d
    half_life = "2d"        # after which it counts half; left out: all of it counts the same

Without the file there is one project that deserves everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar

from msgspec import Meta, Struct

from scheduler_core.accounting.decay import Decay
from scheduler_core.errors import InvalidRequest, NotAllowed
from scheduler_core.local.machine.watched import WatchedFile
from scheduler_core.model import GpuQuota, HostQuota, Queue
from scheduler_core.quantities import seconds_of
from scheduler_core.roles import Roles, worded
from scheduler_core.workload import DEFAULT_QUEUE
from scheduler_core.written import WrittenToml

FILE = "projects.toml"

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_MIB = 1024
_SETTINGS = frozenset({"default_project", "departments", "projects", "roles", "time_based_fair_share"})
_MILLI = 1000

Amount: TypeAlias = Annotated[float, Meta(ge=0, lt=1e9)]
T = TypeVar("T", bound="_Share")


class BadProjects(InvalidRequest):
    """The file says something that cannot be; the message names the line."""


class _TimeBased(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    k: Annotated[float, Meta(ge=0, le=1000)] = 1.0
    window: str = "7d"
    half_life: str | None = None


class TimeBasedFairShare(Struct, frozen=True, kw_only=True):
    """What projects held lately weighs `k` against their weights when what is beyond quotas is divided."""

    k: float
    window_s: float
    half_life_s: float | None

    @property
    def decay(self) -> Decay:
        half_life = None if self.half_life_s is None else self.half_life_s * _MILLI
        return Decay(window_ms=self.window_s * _MILLI, half_life_ms=half_life)


class _Share(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    quota: Amount | str = 0.0
    limit: Amount | None = None
    weight: Amount = 1.0
    priority: Annotated[int, Meta(ge=0, le=1_000_000)] = 100
    cpu_limit: Amount | None = None
    memory_limit_gib: Amount | None = None
    preempt_min_runtime_s: Amount | None = None
    reclaim_min_runtime_s: Amount | None = None
    roles: Roles = Roles()

    def queue(self, name: str, parent: str | None) -> Queue:
        cores, gib = self.cpu_limit, self.memory_limit_gib
        return Queue(
            name=name,
            parent=parent,
            priority=self.priority,
            gpu=GpuQuota(
                quota=None if isinstance(self.quota, str) else self.quota, limit=self.limit, weight=self.weight
            ),
            cpu_milli=HostQuota(limit=None if cores is None else cores * _MILLI),
            memory_mib=HostQuota(limit=None if gib is None else gib * _MIB),
            preempt_min_runtime_s=self.preempt_min_runtime_s,
            reclaim_min_runtime_s=self.reclaim_min_runtime_s,
        )


class _Department(_Share, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class _Project(_Share, frozen=True, kw_only=True, forbid_unknown_fields=True):
    department: str | None = None
    users: tuple[str, ...] | None = None

    @property
    def own_roles(self) -> Roles:
        """Its roles; its users are researchers."""
        return Roles(researcher=self.users).within(self.roles)


class Projects(Struct, frozen=True, kw_only=True):
    """The queues as the planner takes them, who may submit to each leaf (null: everybody), and the leaf that is taken
    where a submission names none.

    `roles` are those that people have in each leaf; `written` is the file's content, as it stands there.
    """

    queues: tuple[Queue, ...]
    users: Mapping[str, tuple[str, ...] | None]
    default: str | None
    roles: Mapping[str, Roles] = {}
    time_based_fair_share: TimeBasedFairShare | None = None
    written: Mapping[str, Any] = {}

    def roles_in(self, project: str) -> Roles:
        """The roles that people have in a project, be it there no more."""
        return self.roles.get(project, Roles())

    @property
    def departments(self) -> dict[str, str | None]:
        """The department of each project, null where it has none."""
        return {queue.name: queue.parent for queue in self.queues if queue.name in self.users}

    def leaf(self, name: str, user: str) -> str:
        """The project that a submission of this user goes to.

        Raises:
            InvalidRequest: there is no such project.
            NotAllowed: it is not theirs.
        """
        chosen = self.default if name == DEFAULT_QUEUE and name not in self.users else name
        known = ", ".join(sorted(self.users))
        if chosen is None:
            raise InvalidRequest("The submission names no project, and there is no default.", f"Choose one: {known}.")
        if chosen not in self.users:
            raise InvalidRequest(f"There is no project {chosen!r}.", f"This engine has: {known}.")
        members = self.users[chosen]
        if members is not None and user not in members:
            own = ", ".join(sorted(leaf for leaf, users in self.users.items() if users is None or user in users))
            raise NotAllowed(
                f"{user} may not submit to project {chosen}: that takes {worded('submit')} there.",
                f"{', '.join(members) or 'Nobody'} may. Choose one of: {own or 'none'}.",
            )
        return chosen


ONE_PROJECT = Projects(
    queues=(Queue(name=DEFAULT_QUEUE, gpu=GpuQuota(quota=None)),),
    users={DEFAULT_QUEUE: None},
    default=DEFAULT_QUEUE,
    roles={DEFAULT_QUEUE: Roles()},
)


class ProjectsFile(WatchedFile[Projects]):
    """An engine's file of projects."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, parse_projects, ONE_PROJECT)

    @property
    def projects(self) -> Projects:
        return self.content


def parse_projects(text: str, name: str = FILE) -> Projects:
    """The projects of a file with this text; `name` stands in messages.

    Raises:
        BadProjects: with the line and why.
    """
    return _Parser(text, name).projects()


class _Parser:
    def __init__(self, text: str, name: str) -> None:
        self._name = name
        self._written = WrittenToml(text, name, BadProjects)
        self._bad = self._written.bad
        self._content = self._written.content

    def projects(self) -> Projects:
        for key in self._content.keys() - _SETTINGS:
            what = f"{key!r} is no setting; there are {', '.join(sorted(_SETTINGS))}"
            raise self._bad([key], what)
        departments = dict(self._tables("departments", _Department))
        projects = dict(self._tables("projects", _Project))
        if not projects:
            raise BadProjects(f"{self._name} names no project: write a [projects.NAME].")
        for name, project in projects.items():
            if name in departments:
                raise self._bad(["projects", name], f"{name!r} is a department and a project")
            if project.department is not None and project.department not in departments:
                raise self._bad(["projects", name, "department"], f"there is no department {project.department!r}")
        default = self._content.get("default_project")
        if default is not None and default not in list(projects):
            raise self._bad(["default_project"], f"there is no project {default!r}")
        roles = {name: self._roles(project, departments) for name, project in projects.items()}
        return Projects(
            queues=(
                *(department.queue(name, None) for name, department in departments.items()),
                *(project.queue(name, project.department) for name, project in projects.items()),
            ),
            users={name: None if held.researcher is None else held.named("submit") for name, held in roles.items()},
            default=next(iter(projects)) if default is None and len(projects) == 1 else default,
            roles=roles,
            time_based_fair_share=self._time_based(),
            written=self._content,
        )

    def _time_based(self) -> TimeBasedFairShare | None:
        name = "time_based_fair_share"
        table = self._content.get(name)
        if table is None:
            return None
        if not isinstance(table, dict):
            raise self._bad([name], f"{name!r} is a table: write [{name}]")
        said = self._written.fields([name], table, _TimeBased)
        half_life = None if said.half_life is None else self._seconds([name, "half_life"], said.half_life)
        return TimeBasedFairShare(
            k=said.k, window_s=self._seconds([name, "window"], said.window), half_life_s=half_life
        )

    def _seconds(self, path: list[str], text: str) -> float:
        try:
            return seconds_of(text)
        except ValueError as error:
            raise self._bad(path, f"{path[-1]}: {error}") from None

    def _roles(self, project: _Project, departments: Mapping[str, _Department]) -> Roles:
        """The roles in a project, with those in its department and everywhere."""
        everywhere = self._content.get("roles", {})
        if not isinstance(everywhere, dict):
            raise self._bad(["roles"], "'roles' is a table: write [roles]")
        wider = self._written.fields(["roles"], everywhere, Roles)
        if project.department is not None:
            wider = departments[project.department].roles.within(wider)
        return project.own_roles.within(wider)

    def _tables(self, kind: str, of: type[T]) -> Iterator[tuple[str, T]]:
        tables: Any = self._content.get(kind, {})
        if not isinstance(tables, dict):
            raise self._bad([kind], f"{kind!r} holds tables: write [{kind}.NAME]")
        for name, table in tables.items():
            if not _NAME.fullmatch(name):
                raise self._bad(
                    [kind, name], f"a name has lower-case letters, digits and '-', at most 63, not {name!r}"
                )
            if not isinstance(table, dict):
                raise self._bad([kind, name], f"{name!r} is a table: write [{kind}.{name}]")
            share = self._written.fields([kind, name], table, of)
            if isinstance(share.quota, str) and share.quota != "unlimited":
                what = f'quota: a number of devices, or "unlimited", not {share.quota!r}'
                raise self._bad([kind, name, "quota"], what)
            yield name, share
