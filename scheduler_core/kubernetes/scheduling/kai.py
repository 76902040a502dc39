"""The KAI Scheduler, where a cluster has it: how work is handed to it, and what its verdicts are in our words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from scheduler_core.kubernetes.api.connection import Connection, Json
from scheduler_core.kubernetes.api.resources import QUEUE_LABEL, variable_path
from scheduler_core.model import Verdict, VerdictCode

KAI_SCHEDULER = "kai-scheduler"
KAI_GROUP = "scheduling.run.ai"
POD_GROUPS = f"/apis/{KAI_GROUP}/v2alpha2"
KAI_NOTICE = "The KAI Scheduler places the work of this cluster."

_UNSCHEDULABLE = "UnschedulableOnNodePool"
_OURS = variable_path("")
_CODES: Mapping[str, VerdictCode] = {
    "NonPreemptibleOverQuota": "non_preemptible_over_quota",
    "OverLimit": "over_limit",
    "QueueDoesNotExist": "queue_not_found",
    "PodSchedulingErrors": "no_node_fits",
    "PreemptionDelayNotElapsed": "waiting_turn",
}


class _Details(Struct, frozen=True, rename="camel"):
    queue_details: Json | None = None


class _Explanation(Struct, frozen=True):
    reason: str = ""
    message: str = ""
    details: _Details | None = None


class _Condition(Struct, frozen=True):
    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    reasons: tuple[_Explanation, ...] = ()


class _Status(Struct, frozen=True, rename="camel"):
    scheduling_conditions: tuple[_Condition, ...] = ()


class _PodGroup(Struct, frozen=True):
    status: _Status = _Status()


_read = msgspec.json.Decoder(_PodGroup).decode


async def has_kai(connection: Connection) -> bool:
    """Whether the cluster knows KAI's kinds, as anybody may ask."""
    groups: Json = await connection.get("/apis")
    return any(group["name"] == KAI_GROUP for group in groups["groups"])


def handed_to_kai(pod: Json, queue: str) -> Json:
    """A pod, or the template of one, as KAI takes it: for shares it tells the pod its device by itself."""
    metadata, spec = dict(pod.get("metadata", {})), dict(pod["spec"])
    metadata["labels"] = {**metadata.get("labels", {}), QUEUE_LABEL: queue}
    spec["schedulerName"] = KAI_SCHEDULER
    spec["containers"] = [
        {**container, "env": [one for one in container["env"] if not _is_ours(one)]}
        if "env" in container
        else container
        for container in spec["containers"]
    ]
    return {**pod, "metadata": metadata, "spec": spec}


def verdict_of(pod_group: bytes, workload: str) -> Verdict | None:
    """Why a workload waits, from the JSON of its PodGroup; null where KAI says nothing against it.

    Raises:
        msgspec.MsgspecError: it is no PodGroup.
    """
    conditions = _read(pod_group).status.scheduling_conditions
    against = [one for one in conditions if one.type == _UNSCHEDULABLE and one.status == "True"]
    if not against:
        return None
    last = against[-1]
    said = last.reasons or (_Explanation(reason=last.reason, message=last.message),)
    main = next((one for one in said if one.reason in _CODES), said[0])
    verdict = Verdict(
        workload=workload,
        state="pending",
        code=_CODES.get(main.reason, "no_node_fits"),
        message=" ".join(dict.fromkeys(one.message for one in said if one.message)) or "KAI does not say why it waits.",
    )
    return replace(verdict, facts={"scheduler": KAI_SCHEDULER, **_queue_facts(said)})


def _queue_facts(said: Iterable[_Explanation]) -> Json:
    details = (one.details.queue_details for one in said if one.details is not None)
    return next(({"queue": one} for one in details if one), {})


def _is_ours(variable: Json) -> bool:
    path = variable.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath", "")
    return f"['{_OURS}" in path
