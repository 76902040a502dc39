"""The policies of one engine: its file, what holds for a submission, and for the work that is there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from scheduler_core.local.access.projects import ProjectsFile
from scheduler_core.local.machine.watched import WatchedFile
from scheduler_core.local.record.records import Record
from scheduler_core.local.work.snapshot import Machine
from scheduler_core.policies.admission import Admitted, Breach, admitted, breaches, on_allowed_models
from scheduler_core.policies.clauses import PolicyClauses, clauses_of
from scheduler_core.policies.fields import Offer
from scheduler_core.policies.file import NO_POLICIES, Policies, parse_policies
from scheduler_core.policies.policy import Policy
from scheduler_core.policies.templates import Catalog
from scheduler_core.workload import Kind, WorkloadSpec

_HELD = frozenset({"gpu", "devices", "device_models", "node_pools"})


class PoliciesFile(WatchedFile[Policies]):
    """An engine's file of policies; it can only name projects that there are."""

    def __init__(self, path: Path, projects: ProjectsFile) -> None:
        self._projects = projects
        super().__init__(path, self.parsed, NO_POLICIES)

    def parsed(self, text: str, name: str) -> Policies:
        """The policies of a text.

        Raises:
            InvalidRequest: with the line and why.
        """
        return parse_policies(text, self._projects.projects.departments, name)


class EnginePolicies:
    """What holds in one engine, with the devices that it has."""

    def __init__(self, path: Path, projects: ProjectsFile, machine: Callable[[], Machine]) -> None:
        self.file = PoliciesFile(path, projects)
        self._projects = projects
        self._machine = machine
        self._known: dict[tuple[str, Kind], Policy] = {}
        self._made_of: tuple[object, object] = None, None

    @property
    def grace_s(self) -> float:
        return self.file.content.grace_s

    @property
    def are_there(self) -> bool:
        """Whether anything is said at all."""
        return bool(self.file.content.layers)

    def of(self, project: str, kind: Kind) -> Policy:
        """What holds for this kind of work in a project."""
        policies, projects = self._made_of
        if policies is not self.file.content or projects is not self._projects.projects:
            self._known, self._made_of = {}, (self.file.content, self._projects.projects)
        key = project, kind
        if key not in self._known:
            self._known[key] = policy_in(self.file.content, self._projects, project, kind)
        return self._known[key]

    def explained(self, project: str, kind: Kind, user: str) -> PolicyClauses:
        """The same as its lines.

        Raises:
            InvalidRequest, NotAllowed: there is no such project, or it is not theirs.
        """
        return clauses_of(self.of(self._projects.projects.leaf(project, user), kind))

    def admitted(self, spec: WorkloadSpec) -> Admitted:
        """A submission to a known project as it is taken.

        Raises:
            NotAllowed: its project's policy does not allow it.
        """
        return admitted(spec, self.of(spec.queue, spec.kind), self.offer())

    def breaches(self, record: Record, policies: Policies | None = None) -> tuple[Breach, ...]:
        """What a workload that is there asks for or holds and its policy does not allow, or another file's would not.

        What it said when it was submitted, such as its priority, stays as it is.
        """
        held = () if record.workload.allocation is None else record.workload.allocation.devices
        full = self.offer()
        offers = [Offer(models={name: full.models.get(name, 0)}) for name in sorted({device.model for device in held})]
        spec = replace(record.spec, request=replace(record.spec.request, models=None)) if held else record.spec
        policy = self.policy(record, policies)
        found = (breach for offer in offers or [full] for breach in breaches(spec, policy, offer))
        return tuple({breach.message: breach for breach in found if breach.field in _HELD}.values())

    def on_allowed_models(self, spec: WorkloadSpec) -> WorkloadSpec:
        """A submission kept off the models that its policy does not allow."""
        return on_allowed_models(spec, self.of(spec.queue, spec.kind), self.offer())[0]

    def policy(self, record: Record, policies: Policies | None = None) -> Policy:
        """What holds for a workload, or would by another file."""
        project, kind = record.workload.queue, record.workload.kind
        return self.of(project, kind) if policies is None else policy_in(policies, self._projects, project, kind)

    def catalog(self, user: str) -> Catalog:
        """The templates and environments for this user."""
        content, users = self.file.content, self._projects.projects.users
        theirs = {name for name, members in users.items() if members is None or user in members}
        templates = tuple(one for one in content.templates.values() if one.project is None or one.project in theirs)
        return Catalog(templates=templates, environments=tuple(content.environments.values()))

    def offer(self) -> Offer:
        """The devices that there are."""
        return Offer(models={device.model: device.memory_mib for device in self._machine().physical})


def policy_in(policies: Policies, projects: ProjectsFile, project: str, kind: Kind) -> Policy:
    """What a file says of a project, with all that is above it."""
    return policies.of(project, projects.projects.departments.get(project), kind)
