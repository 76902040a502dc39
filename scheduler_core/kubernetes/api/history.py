"""What a cluster keeps of the past, as whoever may ask its controller is told: by way of the API server's proxy.

The proxy says nobody's name, so whoever asks shows a token. It is in a Secret of each namespace in which we run work,
and opens what is kept of that namespace; one in the controller's own namespace opens the accounts of all of them. Who
may read those Secrets, Kubernetes' RBAC decides.
"""

from __future__ import annotations

from base64 import b64decode

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from scheduler_core.accounting.past import QueueHistory
from scheduler_core.accounting.usage import Usage, UsageBy, UsageStep
from scheduler_core.errors import EngineUnavailable, InvalidRequest, NotAllowed, NotFound
from scheduler_core.kubernetes.api.blobs import PROXY, TOKEN_HEADER
from scheduler_core.kubernetes.api.connection import Connection, Json
from scheduler_core.kubernetes.api.resources import SYSTEM_NAMESPACE

SECRET = "jupyter-runai-history"  # noqa: S105 (its name)
"""In each namespace: what opens the history of that namespace."""
ALL_SECRET = "jupyter-runai-accounts"  # noqa: S105 (its name)
"""In the namespace of the controller: what opens the accounts of all."""
TOKEN_KEY = "token"  # noqa: S105 (its name)

_ROOT = f"{PROXY}/history"
NOT_KEPT = "what ended work said goes with its pods, and who used what is not recorded"
KEEP_HISTORY = "Whoever runs the cluster can have its controller keep it: jupyter runai cluster install --history CLAIM"


class Keeping(Struct, frozen=True, kw_only=True):
    """How much is kept: of single workloads what they used, in days; of output the end of each task's, and of all."""

    workload_days: int
    log_bytes: int
    all_log_bytes: int

    @property
    def sentence(self) -> str:
        """For people."""
        return (
            f"who used what is kept, by workloads for {self.workload_days} days and by users for ever; what ended tasks"
            f" said, the last {self.log_bytes // 1_000_000} MB of each, as long as their workloads are there and all of"
            f" it is below {self.all_log_bytes // 1_000_000_000} GB"
        )


class Said(Struct, frozen=True):
    """What is kept of a task's output: `data` from byte `first` on."""

    first: int
    data: bytes


class HistoryReader:
    """What one user is told of the past of a cluster."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def keeping(self) -> Keeping | None:
        """Null where nothing is kept, or nobody is there who would say."""
        try:
            return await self._keeping()
        except (NotFound, NotAllowed, EngineUnavailable):
            return None

    async def usage(self, by: UsageBy, since: float, until: float | None, step: UsageStep, most: int) -> Usage:
        """As the port has it: of all namespaces for whom that is open, else of their own.

        Workloads of other namespaces are told by NAMESPACE/NAME.
        """
        asked = {"by": by, "most": str(most), **_period(since, until, step)}
        found = msgspec.json.decode(await self._ask("usage", "Who used what", asked), type=Usage)
        if by != "workload":
            return found
        own = f"{self._connection.namespace}/"
        return replace(found, rows=tuple(replace(row, group=row.group.removeprefix(own)) for row in found.rows))

    async def queue_history(self, since: float, until: float | None, step: UsageStep) -> QueueHistory:
        """As the port has it."""
        asked = _period(since, until, step)
        return msgspec.json.decode(await self._ask("queues", "What queues held", asked), type=QueueHistory)

    async def log(self, namespace: str, workload: str, task: int, since: float) -> Said | None:
        """What is kept of a task of a workload that was made at `since`; null where nothing is."""
        token = await self._token(namespace, SECRET)
        if token is None:
            return None
        path = f"{_ROOT}/namespaces/{namespace}/logs/{workload}/{task}"
        try:
            content = await self._connection.fetch(path, {TOKEN_HEADER: token}, since=repr(since))
        except (NotFound, NotAllowed, EngineUnavailable):
            return None
        first, _, data = content.partition(b"\n")
        return Said(int(first), data)

    async def _ask(self, what: str, sentence: str, asked: dict[str, str]) -> bytes:
        """Ask for what is open to this user.

        Raises:
            InvalidRequest: this cluster keeps nothing, or nothing of this namespace yet.
            NotAllowed: none of it is open.
            EngineUnavailable: who keeps it does not answer now.
        """
        namespace = self._connection.namespace
        token = await self._token(SYSTEM_NAMESPACE, ALL_SECRET)
        try:
            await self._keeping()
        except (NotFound, NotAllowed):
            raise InvalidRequest(f"{sentence} is not recorded in this cluster.", KEEP_HISTORY) from None
        except EngineUnavailable as error:
            if token is None and await self._token(namespace, SECRET) is None:
                raise InvalidRequest(f"{sentence} is not recorded in this cluster.", KEEP_HISTORY) from None
            raise EngineUnavailable(
                "The controller, which keeps history, does not answer.", "Try again in a minute."
            ) from error
        if token is not None:
            return await self._connection.fetch(f"{_ROOT}/all/{what}", {TOKEN_HEADER: token}, **asked)
        try:
            token = await self._token(namespace, SECRET, needed=True)
        except NotFound:
            raise InvalidRequest(f"Nothing has run in the namespace {namespace} since history is kept.") from None
        path = f"{_ROOT}/namespaces/{namespace}/{what}"
        return await self._connection.fetch(path, {TOKEN_HEADER: token or ""}, **asked)

    async def _keeping(self) -> Keeping:
        return msgspec.json.decode(await self._connection.fetch(_ROOT, {}), type=Keeping)

    async def _token(self, namespace: str, name: str, needed: bool = False) -> str | None:
        """Null where it is not there, or not for this user to read; an error of those where it is `needed`."""
        try:
            secret: Json = await self._connection.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")
        except (NotFound, NotAllowed):
            if needed:
                raise
            return None
        return b64decode(secret.get("data", {}).get(TOKEN_KEY, "")).decode()


def _period(since: float, until: float | None, step: UsageStep) -> dict[str, str]:
    return {"since": repr(since), "step": step} | ({} if until is None else {"until": repr(until)})
