"""What a user can count on in a cluster, and what to do where something is not as it should be."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Struct

from scheduler_core.errors import NotAllowed, NotFound
from scheduler_core.kubernetes.api.connection import Connection, Json
from scheduler_core.kubernetes.api.history import KEEP_HISTORY, NOT_KEPT, HistoryReader
from scheduler_core.kubernetes.api.resources import DEVICES, GROUP, QUEUES, SYSTEM_NAMESPACE, WORKLOADS
from scheduler_core.kubernetes.scheduling.kai import KAI_NOTICE, has_kai
from scheduler_core.kubernetes.setup.deployment import CONTROLLER
from scheduler_core.kubernetes.setup.installation import planned_installation
from scheduler_core.kubernetes.sharing.proof import ask, known_proof
from scheduler_core.workload import KEPT_DELETED_S

Outcome: TypeAlias = Literal["good", "bad", "note"]

_SILENT_S = 60.0
_DAY_S = 24 * 3600
_ANSWERED_WITHIN_S = 240.0
_LOOK_AGAIN_S = 0.5
_SHARING_HINT = "NVIDIA's container runtime has to be the nodes' default one, and to take devices from variables."
_INSTALL = "Whoever runs the cluster can change that: jupyter runai cluster install"


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that was looked at; a `note` is neither good nor bad."""

    outcome: Outcome
    what: str
    hint: str = ""


async def check(connection: Connection) -> tuple[Finding, ...]:
    """Look at the cluster as this user sees it; nothing is changed.

    Raises:
        RunaiError: it cannot be reached, or does not know this user.
    """
    version: Json = await connection.get("/version")
    reached = Finding(outcome="good", what=f"Kubernetes {version['gitVersion']} at {connection.server}")
    served = await _kinds(connection)
    found = [reached, served]
    if served.outcome == "good":
        found += [
            await _installation(connection),
            await _controller(connection),
            *[await _right(connection, verb) for verb in ("list", "create")],
        ]
        found += await _sharing(connection)
        found.append(await _history(connection))
    return (*found, await _devices(connection), *await _other_schedulers(connection))


async def _kinds(connection: Connection) -> Finding:
    groups: Json = await connection.get("/apis")
    if any(group["name"] == GROUP for group in groups["groups"]):
        return Finding(outcome="good", what=f"it knows {WORKLOADS.plural} and {QUEUES.plural}")
    return Finding(outcome="bad", what="it does not know our workloads and queues", hint=_INSTALL)


async def _installation(connection: Connection) -> Finding:
    try:
        behind = [change for change in await planned_installation(connection) if change.action != "keep"]
    except NotAllowed:
        return Finding(outcome="note", what="whether all is of this version, only those who run the cluster may see")
    if not behind:
        return Finding(outcome="good", what="all that was installed is of this version")
    names = ", ".join(f"{change.kind} {change.name}" for change in behind)
    return Finding(outcome="bad", what=f"not as this version has it: {names}", hint="jupyter runai cluster install")


async def _controller(connection: Connection) -> Finding:
    """Whether one places pods, as its lease says."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM_NAMESPACE}/leases/{CONTROLLER}"
    try:
        lease: Json = await connection.get(path)
    except NotAllowed:
        return Finding(outcome="note", what="whether a controller is at work, only those who run the cluster may see")
    except NotFound:
        lease = {"spec": {}}
    holder, renewed = lease["spec"].get("holderIdentity"), lease["spec"].get("renewTime")
    if holder and renewed and time.time() - datetime.fromisoformat(renewed).timestamp() < _SILENT_S:
        return Finding(outcome="good", what=f"the controller {holder} is at work")
    hint = "jupyter runai cluster install --image IMAGE, or outside: python -m scheduler_core.kubernetes.controller"
    return Finding(outcome="note", what="no controller is at work: what is submitted waits", hint=hint)


async def _sharing(connection: Connection) -> Sequence[Finding]:
    """Whether devices can be shared: tried anew where this user may ask for it and a controller is at work."""
    if (await _controller(connection)).outcome == "good":
        with suppress(NotAllowed):
            await ask(connection, secrets.token_hex(8))
            await _answered(connection)
    proof = await known_proof(connection)
    if proof is None or proof.works is None:
        said = f": {proof.reason}" if proof is not None and proof.reason else ""
        return (Finding(outcome="note", what=f"whether devices can be shared was not tried yet{said}"),)
    if proof.works:
        return (Finding(outcome="good", what="devices can be shared: a pod was given one that another holds"),)
    return (Finding(outcome="bad", what=proof.refusal.rstrip("."), hint=_SHARING_HINT),)


async def _answered(connection: Connection) -> None:
    """Wait until what was asked last has been answered, or nobody seems to."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_ANSWERED_WITHIN_S):
            while (proof := await known_proof(connection)) is None or proof.is_due:
                await asyncio.sleep(_LOOK_AGAIN_S)


async def _history(connection: Connection) -> Finding:
    ended = f"ended workloads stay until they are deleted, then {int(KEPT_DELETED_S // _DAY_S)} days"
    keeping = await HistoryReader(connection).keeping()
    if keeping is not None:
        return Finding(outcome="note", what=f"{ended}; {keeping.sentence}")
    return Finding(outcome="note", what=f"{ended}; {NOT_KEPT}", hint=KEEP_HISTORY)


async def _right(connection: Connection, verb: str) -> Finding:
    asked = {"namespace": connection.namespace, "verb": verb, "group": GROUP, "resource": WORKLOADS.plural}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": asked},
    }
    answer: Json = await connection.send("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    where = f"{WORKLOADS.plural} in the namespace {connection.namespace}"
    if answer["status"]["allowed"]:
        return Finding(outcome="good", what=f"you may {verb} {where}")
    hint = f"The role `edit` of {connection.namespace} is enough; whoever runs the cluster can give it."
    return Finding(outcome="bad", what=f"you may not {verb} {where}", hint=hint)


async def _devices(connection: Connection) -> Finding:
    try:
        nodes: Json = await connection.get("/api/v1/nodes", resourceVersion="0")
    except NotAllowed:
        return Finding(outcome="note", what="which devices it has, you may not see")
    counts = [int(node["status"].get("allocatable", {}).get(DEVICES, 0)) for node in nodes["items"]]
    nodes_with = sum(count > 0 for count in counts)
    if not nodes_with:
        return Finding(outcome="bad", what=f"no node has {DEVICES}", hint="NVIDIA's device plugin makes them known.")
    return Finding(outcome="good", what=f"{sum(counts)} devices on {nodes_with} of {len(counts)} nodes")


async def _other_schedulers(connection: Connection) -> Sequence[Finding]:
    return (Finding(outcome="note", what=KAI_NOTICE.rstrip(".")),) if await has_kai(connection) else ()


def is_usable(findings: Sequence[Finding]) -> bool:
    """Whether nothing is bad."""
    return all(finding.outcome != "bad" for finding in findings)
