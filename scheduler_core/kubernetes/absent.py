"""What the engine on a cluster does not offer, said as the port would have it."""

from __future__ import annotations

from scheduler_core.audit import EVERYTHING, AuditPage, AuditQuery
from scheduler_core.errors import Conflict, InvalidRequest
from scheduler_core.policies.clauses import PolicyCheck, PolicyClauses
from scheduler_core.workload import DEFAULT_QUEUE, EngineInfo, Kind, Workload


class Absent:
    """No policies, warnings, or records of who did what."""

    async def snooze(self, workload_id: str) -> Workload:
        """No rule warns anybody."""
        raise Conflict(f"{workload_id} was not warned of anything.")

    async def policy(self, project: str = DEFAULT_QUEUE, kind: Kind = "training") -> PolicyClauses:
        """None."""
        return PolicyClauses(project=project, kind=kind, clauses=())

    async def check_policies(self, text: str) -> PolicyCheck:
        """There is nothing to check them for."""
        raise InvalidRequest("Policies are not for clusters yet.")

    async def audit(self, query: AuditQuery = EVERYTHING) -> AuditPage:
        """The API server keeps it."""
        raise InvalidRequest("Who did what on a cluster the audit log of its API server says.")

    async def simulate(self, devices: str | None) -> EngineInfo:
        """A cluster is what it is."""
        raise InvalidRequest("The devices of a cluster are its own: none are simulated.")
