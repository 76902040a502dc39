"""Which workload a pod belongs to, as the objects above it say: read from the API before the pod is planned."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from scheduler_core.errors import RunaiError
from scheduler_core.kubernetes.state.grouping import Grouped, ObjectMeta, Owner, OwnerReference, grouped
from scheduler_core.kubernetes.state.membership import Membership, membership
from scheduler_core.kubernetes.state.owners import Owners
from scheduler_core.kubernetes.state.pods import Pod
from scheduler_core.workload import KIND_PRIORITY

_AGAIN_S = 30.0
_MOST_KEPT = 50_000
_log = logging.getLogger(__name__)


class Memberships:
    """Knows the workloads of pods; `changed` is called where it has learnt of one, or one has changed.

    What it knows it looks at again after `again_s` seconds.
    """

    def __init__(self, owners: Owners, again_s: float = _AGAIN_S) -> None:
        self.changed: Callable[[], None] = lambda: None
        self._owners = owners
        self._again_s = again_s
        self._above: dict[str, tuple[Owner, ...]] = {}
        self._looked_at: dict[str, float] = {}
        self._learning: dict[str, asyncio.Task[None]] = {}

    def __call__(self, pod: Pod) -> Membership | None:
        """Null while it is not known and need not be: a pod that is on its node already is planned in any case."""
        if pod.workload is not None or pod.owner is None:
            return _of(pod, ())
        uid, now = pod.owner.uid, asyncio.get_running_loop().time()
        if uid not in self._learning and now - self._looked_at.get(uid, -self._again_s) >= self._again_s:
            self._learning[uid] = asyncio.ensure_future(self._learn(pod, uid))
        if uid in self._above:
            return _of(pod, self._above[uid])
        return None if pod.node is None else membership(pod)

    async def learn(self, pods: Iterable[Pod]) -> None:
        """Learn of all of these pods what there is to be known."""
        owned = {pod.owner.uid: pod for pod in pods if pod.owner is not None and pod.workload is None and pod.is_ours}
        await asyncio.gather(*(self._learn(pod, uid) for uid, pod in owned.items()))

    async def _learn(self, pod: Pod, uid: str) -> None:
        try:
            found = await self._owners.above(metadata_of(pod))
        except RunaiError as error:
            _log.warning("Whose %s is cannot be read: %s", pod.key, error)
            return
        finally:
            self._looked_at[uid] = asyncio.get_running_loop().time()
            self._learning.pop(uid, None)
        before = self._above.pop(uid, None)
        self._above[uid] = found
        while len(self._above) > _MOST_KEPT:
            del self._above[next(iter(self._above))]
        while len(self._looked_at) > _MOST_KEPT:
            del self._looked_at[next(iter(self._looked_at))]
        if before != found:
            self.changed()


def metadata_of(pod: Pod) -> ObjectMeta:
    """What of a pod says whose it is."""
    owner = pod.owner
    above = () if owner is None else (OwnerReference(owner.api_version, owner.kind, owner.name, owner.uid, True),)
    return ObjectMeta(
        name=pod.name, uid=pod.uid, namespace=pod.namespace, labels=dict(pod.labels), owner_references=above
    )


def _of(pod: Pod, owners: tuple[Owner, ...]) -> Membership:
    if pod.workload is not None:
        return membership(pod)
    found = grouped(metadata_of(pod), owners)
    priority = KIND_PRIORITY[found.workload] if pod.priority is None else pod.priority
    return Membership(_key(found), pod.gang_minimum or found.gang.least, priority, pod.preemptible)


def _key(found: Grouped) -> str:
    return "/".join(filter(None, (found.namespace, found.kind.lower(), found.name, found.part)))
