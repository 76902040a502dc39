"""From pods to the log of the accounts: what each workload holds from when on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from sqlite3 import Connection

from scheduler_core.accounting.holding import DEFAULT_POOL, Entry, Holding
from scheduler_core.accounts import usage_log
from scheduler_core.kubernetes.api.resources import RESERVATIONS
from scheduler_core.kubernetes.history import counted_pods
from scheduler_core.kubernetes.history.counted_pods import Counted
from scheduler_core.kubernetes.history.pod_course import end, follow
from scheduler_core.kubernetes.history.store import HistoryStore
from scheduler_core.kubernetes.state.cluster import Cluster
from scheduler_core.kubernetes.state.membership import Grouping, Membership
from scheduler_core.kubernetes.state.pods import Pod
from scheduler_core.model import NON_PREEMPTIBLE_PRIORITY
from scheduler_core.workload import DEFAULT_QUEUE

_TOGETHER_MS = 30_000
"""Pods of one workload that are evicted within this time were so at once: that counts as one."""


def is_work(pod: Pod) -> bool:
    """Whether we place it for somebody: what holds shared devices, or tries whether they can be, is nobody's."""
    return pod.is_ours and pod.namespace != RESERVATIONS


class Holdings:
    """Counts the pods that our controller places: those that are there, and those that come and go."""

    def __init__(self, store: HistoryStore, cluster: Cluster, grouping: Grouping) -> None:
        self._store = store
        self._cluster = cluster
        self._grouping = grouping
        self._counted: dict[str, Counted] = {}
        self._uids: dict[str, str] = {}
        self._touched: dict[str, Pod] = {}
        self._gone: dict[str, int] = {}
        self._evicted_at: dict[str, int] = {}
        self._writing = asyncio.Lock()

    @property
    def has_news(self) -> bool:
        return bool(self._touched or self._gone)

    def holders(self) -> Iterable[Counted]:
        """The pods that hold something now."""
        return [one for one in self._counted.values() if one.stage == "holding"]

    def open(self) -> None:
        """Take up what was counted before: what is not there any more ended when it was looked at last.

        Raises:
            EngineUnavailable: the store cannot be read.
        """
        with self._store.reading() as connection:
            self._counted, looked = counted_pods.read(connection)
        there = {pod.uid for pod in self._cluster.pods.values()}
        self._gone |= {uid: looked for uid in self._counted if uid not in there}
        self.seen(self._cluster.pods)

    def seen(self, changes: Mapping[str, Pod | None]) -> None:
        """Take up changes of pods, each by its key; null has gone."""
        now = round(time.time() * 1000)
        for key, pod in changes.items():
            before = self._uids.get(key)
            if before is not None and (pod is None or pod.uid != before):
                self._gone[self._uids.pop(key)] = now
            if pod is not None and is_work(pod):
                self._uids[key] = pod.uid
                self._touched[pod.uid] = pod

    async def write_down(self) -> None:
        """Write down all that is known by now.

        Raises:
            RunaiError: it cannot be; the next time it is tried again.
        """
        async with self._writing:
            await self._write_down()

    async def _write_down(self) -> None:
        now, gone = round(time.time() * 1000), dict(self._gone)
        entries: list[Entry] = []
        done: dict[str, Pod] = {}
        counted: dict[str, Counted] = {}
        for uid, pod in self._touched.items():
            known = self._counted.get(uid) or self._new(pod)
            if known is not None:
                fresh, counted[uid] = follow(known, pod, self._pool(pod), now)
                entries += fresh
                done[uid] = pod
        for uid, at in gone.items():
            known = counted.pop(uid, None) or self._counted.get(uid)
            entries += () if known is None else end(known, at)
        entries = [entry for entry in entries if self._counts(entry)]
        changed = [one for uid, one in counted.items() if self._counted.get(uid) != one]

        def write(connection: Connection) -> None:
            usage_log.append(connection, entries)
            counted_pods.write(connection, changed, gone, now)

        await self._store.account(write)
        self._counted.update((one.uid, one) for one in changed)
        for uid in gone:
            self._counted.pop(uid, None)
            self._gone.pop(uid, None)
            self._touched.pop(uid, None)
        for uid, pod in done.items():
            # What came meanwhile is news.
            if self._touched.get(uid) is pod:
                del self._touched[uid]

    def _new(self, pod: Pod) -> Counted | None:
        """Null while nobody knows of which workload it is."""
        found = self._grouping(pod)
        if found is None:
            return None
        return Counted(uid=pod.uid, workload=found.workload, stage="new", held=self._whose(pod, found))

    def _whose(self, pod: Pod, found: Membership) -> Holding:
        known = self._cluster.workloads.get(found.workload)
        if known is not None:
            return Holding(name=known.shown_name, owner=known.owner, project=known.queue, preemptible=known.preemptible)
        preemptible = found.priority < NON_PREEMPTIBLE_PRIORITY if found.preemptible is None else found.preemptible
        name = found.workload.rpartition("/")[2]
        return Holding(name=name, owner="", project=pod.queue or DEFAULT_QUEUE, preemptible=preemptible)

    def _pool(self, pod: Pod) -> str:
        machine = self._cluster.machines.get(pod.node or "")
        return DEFAULT_POOL if machine is None else machine.pool

    def _counts(self, entry: Entry) -> bool:
        if not entry.change.evictions:
            return True
        before = self._evicted_at.get(entry.workload)
        self._evicted_at = {name: at for name, at in self._evicted_at.items() if entry.at - at < _TOGETHER_MS}
        self._evicted_at[entry.workload] = entry.at
        return before is None or entry.at - before >= _TOGETHER_MS
