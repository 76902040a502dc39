"""What the controller on Kubernetes does at full size: a real API server, 500 nodes of 8 devices that KWOK plays.

rate     3,800 pods of one device over 8 queues, from the first creation to the last binding; beside, in the same run,
         a bare loop that only binds as many pods, and the creation alone
gang     500 tasks of 8 devices each, from the first creation to the last binding
verdict  on the full cluster, from a pod's creation to the sentence why it cannot start: the 95th of 100
reclaim  on the full cluster, from a pod's creation to its binding on a device that another queue has to give back
memory   the controller's, with 10,000 pods of which 6,000 wait
warm     on a real kubelet, from when a cell with --keep is run to its first output, where its pod is kept: a fresh
         interpreter, one array of 400 kB that has changed and one that has not; beside it the first, without a pod

etcd, the API server, its controllers, KWOK, the controller and this program share the cores of this machine.
"""

from __future__ import annotations

import sys
from pathlib import Path

# This file has the name of a package that it needs: what is beside it comes last.
sys.path = [*(part for part in sys.path if Path(part).resolve() != Path(__file__).parent), str(Path(__file__).parent)]
sys.path.insert(0, str(Path(__file__).parent.parent))

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

from shape import report, run_cases
from tests.notebook.live import LiveKernel, live_kernel

from scheduler_core.kubernetes.api.connection import Connection, Json
from scheduler_core.kubernetes.api.reflector import Reflector
from scheduler_core.kubernetes.api.resources import API_VERSION, QUEUES, WORKLOADS
from scheduler_core.kubernetes.state.pods import Pod, read_pod
from tests.cluster.control_plane import ControlPlane
from tests.cluster.controlled import Controller, controlled, set_up
from tests.cluster.image import PYTHON_IMAGE
from tests.cluster.real_cluster import RealCluster, obstacle

NODES, DEVICES = 500, 8
PODS = 3800
QUEUE_NAMES = [f"team-{number}" for number in range(8)]
AT_ONCE = 12
VERDICTS = 100
RECLAIMS = 5
MANY_PODS = 10_000
WARM_CELLS = 9
WARM_CELL = (
    f"%%runai train --gpu 1 --name warm --keep 10m --image {PYTHON_IMAGE}\n"
    "print('said', float(same.sum() + other.sum()))"
)
NAMESPACE = "bench"
OTHER = "nobody"
"""A scheduler that is not there: its pods are bound by this program."""


class Seen:
    """What this program sees of the pods, by a watch of its own: when each was bound, and when it was told why not."""

    def __init__(self, connection: Connection) -> None:
        self.bound: dict[str, float] = {}
        self.told: dict[str, float] = {}
        self.there: set[str] = set()
        self._news = asyncio.Event()
        self.reflector = Reflector(connection, f"/api/v1/namespaces/{NAMESPACE}/pods", read_pod, self._changed)

    def _changed(self, changes: Mapping[str, Pod | None]) -> None:
        now = time.monotonic()
        for key, pod in changes.items():
            name = key.rpartition("/")[2]
            if pod is None:
                self.there.discard(name)
                continue
            self.there.add(name)
            if pod.node is not None:
                self.bound.setdefault(name, now)
            if pod.unscheduled:
                self.told.setdefault(name, now)
        self._news.set()

    async def until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(600):
            while not reached():
                self._news.clear()
                await self._news.wait()


class Bench:
    """A cluster with the controller at work, and a connection to it."""

    def __init__(self, connection: Connection, seen: Seen, controller: Controller) -> None:
        self.connection = connection
        self.seen = seen
        self.controller = controller

    async def create(self, pods: Iterable[Json]) -> None:
        await self._all("POST", ((f"/api/v1/namespaces/{NAMESPACE}/pods", pod) for pod in pods))

    async def bind(self, targets: Mapping[str, str]) -> None:
        """Bind pods by name to nodes, and nothing else."""
        await self._all(
            "POST",
            (
                (
                    f"/api/v1/namespaces/{NAMESPACE}/pods/{name}/binding",
                    {
                        "apiVersion": "v1",
                        "kind": "Binding",
                        "metadata": {"name": name},
                        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
                    },
                )
                for name, node in targets.items()
            ),
        )

    async def clear(self) -> None:
        pods = f"/api/v1/namespaces/{NAMESPACE}/pods"
        await self._all("DELETE", ((f"{pods}/{name}", {"gracePeriodSeconds": 0}) for name in list(self.seen.there)))
        await self.seen.until(lambda: not self.seen.there)
        self.seen.bound.clear()
        self.seen.told.clear()

    async def _all(self, method: str, asked: Iterable[tuple[str, Json]]) -> None:
        waiting = iter(asked)

        async def work() -> None:
            for path, body in waiting:
                await self.connection.send(method, path, body)

        async with asyncio.TaskGroup() as workers:
            for _ in range(AT_ONCE):
                workers.create_task(work())


@contextmanager
def cluster() -> Iterator[tuple[ControlPlane, Controller]]:
    made = ControlPlane(Path(tempfile.mkdtemp(prefix="runai-cluster-")))
    try:
        made.start()
        made.add_nodes(NODES, DEVICES)
        set_up(made)
        made.add_namespace(NAMESPACE)
        controller = Controller(made)
        controller.start()
        try:
            yield made, controller
        finally:
            controller.stop()
    finally:
        made.remove()


@asynccontextmanager
async def bench(made: ControlPlane, controller: Controller) -> AsyncIterator[Bench]:
    os.environ["KUBECONFIG"] = str(made.kubeconfig)
    connection = await Connection.open()
    seen = Seen(connection)
    following = asyncio.ensure_future(seen.reflector.run())
    try:
        for name in QUEUE_NAMES:
            body = {"apiVersion": API_VERSION, "kind": QUEUES.kind, "metadata": {"name": name}, "spec": QUOTA}
            await connection.send("POST", QUEUES.path(), body)
        await seen.reflector.synced.wait()
        at_work = Bench(connection, seen, controller)
        # It has the lease and knows the cluster when a first pod is where it belongs.
        await at_work.create([pod("first")])
        await seen.until(lambda: "first" in seen.bound)
        await at_work.clear()
        yield at_work
    finally:
        following.cancel()
        await connection.close()


QUOTA: Json = {"gpu": {"quota": NODES * DEVICES / len(QUEUE_NAMES)}}


def pod(
    name: str, devices: int = 1, queue: str = QUEUE_NAMES[0], scheduler: str = "jupyter-runai", **labels: str
) -> Json:
    resources = {"limits": {"nvidia.com/gpu": str(devices)}, "requests": {"cpu": "100m", "memory": "256Mi"}}
    container = {"name": "main", "image": "none", "command": ["/bin/sleep", "1000"], "resources": resources}
    return {
        "metadata": {"name": name, "labels": {"kai.scheduler/queue": queue, **labels}},
        "spec": {"schedulerName": scheduler, "containers": [container]},
    }


def run(case: Callable[[Bench], object]) -> None:
    """Run a case on a cluster of its own."""

    async def in_it(made: ControlPlane, controller: Controller) -> None:
        async with bench(made, controller) as at_work:
            await case(at_work)  # type: ignore[misc]

    with cluster() as (made, controller):
        asyncio.run(in_it(made, controller))


async def rate(at_work: Bench) -> None:
    bare = [f"bare-{number}" for number in range(PODS)]
    began = time.monotonic()
    await at_work.create(pod(name, scheduler=OTHER) for name in bare)
    created = PODS / (time.monotonic() - began)
    began = time.monotonic()
    await at_work.bind({name: f"node-{number // DEVICES}" for number, name in enumerate(bare)})
    loop = PODS / (time.monotonic() - began)
    await at_work.clear()
    names = [f"pod-{number}" for number in range(PODS)]
    began = time.monotonic()
    await at_work.create(pod(name, queue=QUEUE_NAMES[number % 8]) for number, name in enumerate(names))
    await at_work.seen.until(lambda: len(at_work.seen.bound) >= PODS)
    placed = PODS / (max(at_work.seen.bound.values()) - began)
    report("kubernetes", "rate", placed, "pods/s", 250, "higher", {"bare loop of bindings": loop, "creation": created})


async def gang(at_work: Bench) -> None:
    spec = {"command": ["/bin/sleep"], "cwd": "/", "tasks": NODES, "request": {"gpu": DEVICES}, "queue": QUEUE_NAMES[0]}
    body = {"apiVersion": API_VERSION, "kind": WORKLOADS.kind, "metadata": {"name": "large"}, "spec": spec}
    await at_work.connection.send("POST", WORKLOADS.path(NAMESPACE), body)
    began = time.monotonic()
    label = {"jupyter-runai.io/workload": "large"}
    await at_work.create(pod(f"task-{number}", DEVICES, **label) for number in range(NODES))
    created = time.monotonic() - began
    await at_work.seen.until(lambda: len(at_work.seen.bound) >= NODES)
    took = max(at_work.seen.bound.values()) - began
    report("kubernetes", "gang of 500 x 8", took, "s", 8, "lower", {"creation": created})


async def fill(at_work: Bench, queue: str = QUEUE_NAMES[0]) -> None:
    """Take all devices, for one queue."""
    await at_work.create(pod(f"full-{number}", DEVICES, queue) for number in range(NODES))
    await at_work.seen.until(lambda: len(at_work.seen.bound) >= NODES)


async def verdict(at_work: Bench) -> None:
    """The queue has its quota and more: nothing can be taken back for it."""
    await fill(at_work)
    took = []
    for number in range(VERDICTS):
        name = f"late-{number}"
        began = time.monotonic()
        await at_work.create([pod(name)])
        await at_work.seen.until(lambda name=name: name in at_work.seen.told)
        took.append(at_work.seen.told[name] - began)
    p95 = statistics.quantiles(took, n=20)[-1]
    report(
        "kubernetes", "verdict, p95", p95, "s", 1.5, "lower", {"median": statistics.median(took), "worst": max(took)}
    )


async def reclaim(at_work: Bench) -> None:
    await fill(at_work)
    took = []
    for number in range(RECLAIMS):
        name = f"claim-{number}"
        began = time.monotonic()
        await at_work.create([pod(name, queue=QUEUE_NAMES[1])])
        await at_work.seen.until(lambda name=name: name in at_work.seen.bound)
        took.append(at_work.seen.bound[name] - began)
        await at_work.connection.send(
            "DELETE", f"/api/v1/namespaces/{NAMESPACE}/pods/{name}", {"gracePeriodSeconds": 0}
        )
        await at_work.seen.until(lambda name=name: name not in at_work.seen.there)
        await at_work.create([pod(f"again-{number}", DEVICES)])
        await at_work.seen.until(lambda number=number: f"again-{number}" in at_work.seen.bound)
    report("kubernetes", "reclaim", statistics.median(took), "s", 2, "lower", {"worst": max(took)})


async def memory(at_work: Bench) -> None:
    await at_work.create(pod(f"pod-{number}", queue=QUEUE_NAMES[number % 8]) for number in range(MANY_PODS))
    full = NODES * DEVICES
    seen = at_work.seen
    await seen.until(lambda: len(seen.bound) >= full and len(seen.told) + full >= MANY_PODS)
    status = Path(f"/proc/{at_work.controller.pid}/status").read_text()
    sizes = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("Vm")}
    report("kubernetes", "memory, 10,000 pods", sizes["VmRSS"], "MB", 300, "lower", {"highest": sizes["VmHWM"]})


def first_output(kernel: LiveKernel) -> float:
    """In seconds from when the cell is run."""
    began = time.perf_counter()
    kernel.start(WARM_CELL)
    kernel.until_said("said")
    took = time.perf_counter() - began
    kernel.until_done()
    return took


def warm() -> None:
    if obstacle():
        print(f"warm is left out: {obstacle()}")
        return
    made = RealCluster(Path(tempfile.mkdtemp(prefix="runai-real-")), devices=2)
    try:
        made.start()
        set_up(made)
        with controlled(made, image=PYTHON_IMAGE), tempfile.TemporaryDirectory() as folder:
            os.environ |= {"KUBECONFIG": str(made.user_of(NAMESPACE)), "RUNAI_ENGINE": "kubernetes"}
            with live_kernel(Path(folder)) as kernel:
                kernel.run("import numpy as np\nsame, other = np.zeros(50_000), np.zeros(50_000)")
                cold, took = first_output(kernel), []
                for number in range(WARM_CELLS):
                    kernel.run(f"other[0] = {number + 1}")
                    took.append(first_output(kernel))
                kernel.run("%runai stop warm")
    finally:
        made.remove()
    beside = {"first cell": cold, "fastest": min(took), "slowest": max(took)}
    report("kubernetes", "warm", statistics.median(took), "s", 1, "lower", beside)


CASES: dict[str, Callable[[], None]] = {
    name: lambda case=case: run(case)
    for name, case in (
        ("rate", rate),
        ("gang", gang),
        ("verdict", verdict),
        ("reclaim", reclaim),
        ("memory", memory),
    )
} | {"warm": warm}

if __name__ == "__main__":
    run_cases(__doc__, CASES)
