"""From what is known of a cluster to the planner's snapshot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from scheduler_core.kubernetes.api.resources import RESERVATIONS
from scheduler_core.kubernetes.state.affinity import NodeTerm
from scheduler_core.kubernetes.state.cluster import Cluster
from scheduler_core.kubernetes.state.membership import Grouping, Membership
from scheduler_core.kubernetes.state.nodes import Machine
from scheduler_core.kubernetes.state.pod_requests import is_share
from scheduler_core.kubernetes.state.pods import Pod
from scheduler_core.kubernetes.state.slots import Slots, slices_id
from scheduler_core.model import (
    Config,
    GpuQuota,
    Group,
    MigSlice,
    Node,
    PlannedWorkload,
    Queue,
    Snapshot,
    Task,
    TaskState,
    Verdict,
)
from scheduler_core.workload import DEFAULT_QUEUE, Allocation

_STUCK_AFTER_S = 60.0
"""A pod that is still there so long after its grace does not go by itself."""
_POOL = "default"
_TRIALS = Queue(name=RESERVATIONS)
"""What tries whether devices can be shared is in no project."""


class View(Struct, frozen=True, kw_only=True):
    """A snapshot with the pods that its tasks are, by the tasks' ids, and `members`, the pods of each workload.

    `refused` are verdicts on workloads that are in no plan, for what they ask for makes no sense here.
    """

    snapshot: Snapshot
    pods: Mapping[str, Pod]
    members: Mapping[str, Sequence[Pod]]
    refused: tuple[Verdict, ...]


class _Spot(Struct, frozen=True, gc=False):
    """Where a pod is, or is about to be."""

    node: str
    allocation: Allocation | None
    since: float | None


def view(cluster: Cluster, grouping: Grouping, now: float, extra: tuple[PlannedWorkload, ...] = ()) -> View:
    """The planner's view of a cluster at `now`, in seconds since the epoch, with `extra` work.

    Pods of other schedulers are in no plan: what they use is taken off their nodes.
    """
    return _Building(cluster, grouping, now).view(extra)


def queues_of(cluster: Cluster) -> tuple[Queue, ...]:
    """The queues; where nobody has made one there is `default`, with all devices.

    Those that are their own ancestors are left out: nobody could say what they may have.
    """
    parents = {name: queue.spec.parent for name, queue in cluster.queues.items()}
    found = tuple(queue.queue() for name, queue in cluster.queues.items() if _has_root(name, parents))
    return found or (Queue(name=DEFAULT_QUEUE, gpu=GpuQuota(quota=None)),)


class _Building:
    def __init__(self, cluster: Cluster, grouping: Grouping, now: float) -> None:
        self.cluster = cluster
        self.now = now
        self.spots: dict[str, _Spot] = {}
        self.devices: dict[str, tuple[str, ...]] = {}
        self.members: dict[str, list[Pod]] = defaultdict(list)
        self.memberships: dict[str, Membership] = {}
        self.admitted: dict[tuple[NodeTerm, ...], tuple[str, ...]] = {}
        self.refused: list[Verdict] = []
        self._ours: dict[str, list[Pod]] = defaultdict(list)
        self._others: dict[str, list[Pod]] = defaultdict(list)
        for pod in cluster.pods.values():
            self._take(pod, grouping)

    def view(self, extra: tuple[PlannedWorkload, ...]) -> View:
        nodes = tuple(self._node(machine) for machine in self.cluster.machines.values())
        made = [self._workload(key, pods) for key, pods in self.members.items()]
        workloads = tuple(one for one in made if one is not None)
        queues = queues_of(self.cluster)
        if any(one.queue == _TRIALS.name for one in workloads):
            queues = (*queues, _TRIALS)
        return View(
            snapshot=Snapshot(
                time=self.now, config=Config(), nodes=nodes, queues=queues, workloads=(*workloads, *extra)
            ),
            pods={pod.key: pod for pods in self.members.values() for pod in pods},
            members=self.members,
            refused=tuple(self.refused),
        )

    def _take(self, pod: Pod, grouping: Grouping) -> None:
        spot = self._spot(pod)
        if spot is not None and not pod.has_ended:
            self.spots[pod.key] = spot
            (self._ours if pod.is_ours and pod.reservation is None else self._others)[spot.node].append(pod)
        if not pod.is_ours or pod.reservation is not None or (spot is None and pod.deleted is not None):
            return
        found = grouping(pod)
        if found is None:
            return
        self.members[found.workload].append(pod)
        self.memberships.setdefault(found.workload, found)

    def _spot(self, pod: Pod) -> _Spot | None:
        if pod.node is not None:
            return _Spot(pod.node, pod.allocation, pod.started)
        binding = self.cluster.assumed.get(pod.uid)
        return None if binding is None else _Spot(binding.node, binding.allocation, binding.at)

    def _node(self, machine: Machine) -> Node:
        others = self._others.get(machine.name, ())
        slots = Slots(machine, [pod.reservation for pod in others if pod.reservation is not None])
        ours = sorted(self._ours.get(machine.name, ()), key=lambda pod: pod.key)
        self.devices |= slots.hold([(pod, self.spots[pod.key].allocation) for pod in ours])
        slots.take_away(sum(pod.request.whole_devices for pod in others if pod.reservation is None))
        return Node(
            name=machine.name,
            cpu_milli=max(0, machine.cpu_milli - sum(pod.request.cpu_milli for pod in others)),
            memory_mib=max(0, machine.memory_mib - sum(pod.request.memory_mib for pod in others)),
            max_tasks=max(0, machine.most_pods - len(others)),
            gpus=slots.gpus(self.cluster.unshareable),
            labels=machine.labels,
            taints=machine.taints,
            pool=machine.pool,
            ready=machine.ready,
        )

    def _workload(self, key: str, pods: list[Pod]) -> PlannedWorkload | None:
        known, says = self.cluster.workloads.get(key), self.memberships[key]
        queue = known.queue if known is not None else _queue_of(pods[0])
        minimum = known.fewest_tasks if known is not None else says.minimum
        done = sum(pod.phase == "Succeeded" for pod in pods)
        why_not = self._why_not(pods, queue)
        tasks = tuple(self._tasks(sorted(pods, key=_order), why_not is not None))
        if why_not is not None and any(task.state == "gated" for task in tasks):
            self.refused.append(_refusal(key, *why_not))
        if not tasks:
            return None
        pool = pods[0].pool
        return PlannedWorkload(
            id=key,
            queue=queue,
            created=known.created if known is not None else min(pod.created for pod in pods),
            priority=known.priority if known is not None else says.priority,
            preemptible=known.preemptible if known is not None else says.preemptible,
            started=self._started(pods),
            stale_since=self._stale_since(key, tasks, minimum, done),
            groups=(Group(name="default", min_members=max(0, minimum - done)),),
            pools=(_POOL if pool is None else pool,),
            tasks=tasks,
        )

    def _tasks(self, pods: Iterable[Pod], refused: bool) -> Iterator[Task]:
        for pod in pods:
            if pod.has_ended:
                continue
            spot = self.spots.get(pod.key)
            ids = self.devices.get(pod.key, ())
            yield Task(
                id=pod.key,
                state=self._state(pod, spot, refused),
                node=None if spot is None else spot.node,
                gpu_ids=ids,
                mig_slices=() if spot is None else tuple(_slices(pod, spot.node)),
                request=pod.request,
                node_selector=pod.node_selector,
                tolerations=pod.tolerations,
                node_names=None if pod.node_terms is None else self._admitted_by(pod.node_terms),
            )

    def _state(self, pod: Pod, spot: _Spot | None, refused: bool) -> TaskState:
        if spot is None:
            waits = pod.gated or refused or self.cluster.held_back.get(pod.uid, 0.0) > self.now
            return "gated" if waits else "pending"
        if pod.gone_by is not None and self.now > pod.gone_by + _STUCK_AFTER_S:
            return "stuck"
        return "releasing" if pod.deleted is not None or pod.uid in self.cluster.leaving else "running"

    def _admitted_by(self, terms: tuple[NodeTerm, ...]) -> tuple[str, ...]:
        if terms not in self.admitted:
            machines = self.cluster.machines.values()
            admitted = (one.name for one in machines if any(term.admits(one.name, one.labels) for term in terms))
            self.admitted[terms] = tuple(admitted)
        return self.admitted[terms]

    def _why_not(self, pods: Sequence[Pod], name: str) -> tuple[str, str] | None:
        """Why the pods of a workload that wait are in no plan."""
        refused = next((pod.refused for pod in pods if pod.refused), None)
        if refused is not None:
            return "never_fits", refused
        if self.cluster.no_shares is not None and any(is_share(pod.request) for pod in pods):
            return self.cluster.no_shares
        queue, namespace = self.cluster.queues.get(name), pods[0].namespace
        if queue is not None and not queue.admits(namespace):
            return "queue_not_found", f"The project {name} is not for the namespace {namespace}."
        return None

    def _started(self, pods: Iterable[Pod]) -> float | None:
        spots = (self.spots.get(pod.key) for pod in pods)
        return min((spot.since for spot in spots if spot is not None and spot.since is not None), default=None)

    def _stale_since(self, key: str, tasks: Sequence[Task], minimum: int, done: int) -> float | None:
        there = sum(task.state in ("running", "releasing", "stuck") for task in tasks)
        if done or not 0 < there < minimum:
            self.cluster.stale_since.pop(key, None)
            return None
        return self.cluster.stale_since.setdefault(key, self.now)


def _has_root(name: str, parents: Mapping[str, str | None]) -> bool:
    at: str | None = name
    for _ in parents:
        at = parents.get(at) if at is not None else None
    return at is None or at not in parents


def _queue_of(pod: Pod) -> str:
    return _TRIALS.name if pod.namespace == RESERVATIONS else pod.queue or DEFAULT_QUEUE


def _order(pod: Pod) -> tuple[int, float, str]:
    return -1 if pod.index is None else pod.index, pod.created, pod.name


def _slices(pod: Pod, node: str) -> Iterator[MigSlice]:
    for profile, count in pod.request.mig.items():
        for _ in range(count):
            yield MigSlice(gpu=slices_id(node), profile=profile)


def _refusal(workload: str, code: str, message: str) -> Verdict:
    return Verdict(workload=workload, state="pending", code=code, message=message)  # type: ignore[arg-type]
