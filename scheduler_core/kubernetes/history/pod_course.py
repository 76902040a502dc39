"""What of a pod's course is not in the accounts yet, by the times that the pod itself tells.

It waits from when it was made until it was bound, and holds its devices until its last container has ended, or it is
gone. Since pods say when, it does not matter who was looking then.
"""

from __future__ import annotations

from msgspec.structs import replace

from scheduler_core.accounting.holding import Entry, Holding, Share, changed
from scheduler_core.kubernetes.history.counted_pods import Counted
from scheduler_core.kubernetes.state.pods import Pod
from scheduler_core.model import MILLI

_UNKNOWN = "unknown"
"""Which devices somebody else gave a pod nobody says."""


def follow(known: Counted, pod: Pod, pool: str, now: int) -> tuple[list[Entry], Counted]:
    """The entries with which it is counted as far as it has come at `now` (milliseconds), and that it is so then."""
    entries: list[Entry] = []
    stage, held, nothing = known.stage, known.held, known.held.emptied()

    def note(at: float | None, change: Holding) -> None:
        entries.append(Entry(at=now if at is None else round(at * 1000), workload=known.workload, change=change))

    if stage == "new" and (pod.node is not None or not pod.gated):
        note(pod.created, replace(nothing, waits=1))
        stage = "waiting"
    if stage == "waiting" and pod.node is not None:
        held = _held(nothing, pod, pool)
        note(_bound(pod), replace(held, waits=-1))
        stage = "holding"
    if stage == "waiting" and (pod.deleted is not None or pod.has_ended):
        note(pod.deleted, replace(nothing, waits=-1))
        stage = "ended"
    if pod.evicted and not known.evicted:
        note(pod.deleted, replace(nothing, evictions=1))
    if stage == "holding" and pod.has_ended:
        note(None if pod.ended is None else max(pod.ended, _bound(pod)), _less(held))
        stage = "ended"
    return entries, replace(known, stage=stage, held=held, evicted=known.evicted or pod.evicted)


def end(known: Counted, at: int) -> list[Entry]:
    """The same of one that is gone since `at`."""
    nothing = known.held.emptied()
    changes = {"waiting": replace(nothing, waits=-1), "holding": _less(known.held)}
    return [Entry(at=at, workload=known.workload, change=changes[known.stage])] if known.stage in changes else []


def _bound(pod: Pod) -> float:
    """As the API server noted it; of one that was made for its node, from its start."""
    return pod.bound or pod.started or pod.created


def _less(held: Holding) -> Holding:
    return changed(held.emptied(), held, -1)


def _held(nothing: Holding, pod: Pod, pool: str) -> Holding:
    node, count = pod.node or "", pod.request.whole_devices
    if pod.allocation is not None:
        shares = tuple(
            Share(
                device=device.id,
                milli=device.portion_milli,
                memory_mib=device.memory_mib,
                index=device.index,
                model=device.model,
                node=node,
                pool=pool,
            )
            for device in pod.allocation.devices
        )
    else:
        shares = (Share(device=f"{node}/{_UNKNOWN}", milli=count * MILLI, node=node, pool=pool),) if count else ()
    return replace(nothing, shares=shares, cpu_milli=pod.request.cpu_milli)
