"""What the controller on Kubernetes does at full size: a real API server, 500 nodes of 8 devices that KWOK plays.

rate     3,800 pods of one device over 8 queues, from the first creation to the last binding, the median of 3 rounds;
         beside, in the same run, Kubernetes' own scheduler with the same pods, a bare loop that only binds as many, and
         the creation alone
gang     500 tasks of 8 devices each, from the first creation to the last binding
verdict  on the full cluster, from a pod's creation to the sentence why it cannot start: the 95th of 100
reclaim  on the full cluster, from a pod's creation to its binding on a device that another queue has to give back
memory   the controller's, with 10,000 pods of which 6,000 wait
warm     on a real kubelet, from when a cell with --keep is run to its first output, where its pod is kept: a fresh
         interpreter, one array of 400 kB that has changed and one that has not; beside it the first, without a pod

etcd, the API server, its controllers, KWOK, the controller and this program share the cores of this machine. All who
place pods find the same: etcd waits for no disk, and Go's programs collect their garbage a third as often as usual.
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
from contextlib import asynccontextmanager, contextmanager, nullcontext

import msgspec
from msgspec import Struct
from shape import report, run_cases

from scheduler_core.kubernetes.api.connection import Connection, Json
from scheduler_core.kubernetes.api.reflector import Reflector
from scheduler_core.kubernetes.api.resources import API_VERSION, QUEUES, WORKLOADS
from tests.cluster.control_plane import ControlPlane
from tests.cluster.controlled import Controller, controlled, set_up
from tests.cluster.image import PYTHON_IMAGE
from tests.cluster.real_cluster import RealCluster, obstacle
from tests.notebooks.live import LiveKernel, live_kernel

NODES, DEVICES = 500, 8
PODS = 3800
ROUNDS = 3
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
PODS_PATH = f"/api/v1/namespaces/{NAMESPACE}/pods"
OURS, DEFAULT = "jupyter-runai", "default-scheduler"
NOBODY = "nobody"
"""A scheduler that is not there: its pods are bound by this program."""


class _Metadata(Struct):
    name: str


class _Spec(Struct):
    node: str | None = msgspec.field(default=None, name="nodeName")


class _Condition(Struct):
    type: str
    status: str


class _Status(Struct):
    conditions: tuple[_Condition, ...] = ()


class _Pod(Struct):
    """The little that is looked at here: of two cores this program is to take next to nothing."""

    metadata: _Metadata
    spec: _Spec
    status: _Status

    @property
    def is_told(self) -> bool:
        return any(one.type == "PodScheduled" and one.status == "False" for one in self.status.conditions)


class Seen:
    """What this program sees of the pods, by a watch of its own: when each was bound, and when it was told why not."""

    def __init__(self, connection: Connection) -> None:
        self.bound: dict[str, float] = {}
        self.told: dict[str, float] = {}
        self.there: set[str] = set()
        self._news = asyncio.Event()
        read = msgspec.json.Decoder(_Pod).decode
        self.reflector = Reflector(connection, PODS_PATH, read, self._changed)

    def _changed(self, changes: Mapping[str, _Pod | None]) -> None:
        now = time.monotonic()
        for key, pod in changes.items():
            name = key.rpartition("/")[2]
            if pod is None:
                self.there.discard(name)
                continue
            self.there.add(name)
            if pod.spec.node is not None:
                self.bound.setdefault(name, now)
            if pod.is_told:
                self.told.setdefault(name, now)
        self._news.set()

    async def until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(600):
            while not reached():
                self._news.clear()
                await self._news.wait()


class Bench:
    """A cluster with the controller at work, and a connection to it."""

    def __init__(self, made: ControlPlane, connection: Connection, seen: Seen, controller: Controller) -> None:
        self.made = made
        self.connection = connection
        self.seen = seen
        self.controller = controller

    async def create(self, pods: Iterable[Json]) -> None:
        await self._all(("POST", PODS_PATH, pod) for pod in pods)

    async def bind(self, targets: Mapping[str, str]) -> None:
        """Bind pods by name to nodes, and nothing else."""
        await self._all(("POST", f"{PODS_PATH}/{name}/binding", binding(name, node)) for name, node in targets.items())

    async def clear(self) -> None:
        await self._all(("DELETE", f"{PODS_PATH}/{name}", {"gracePeriodSeconds": 0}) for name in list(self.seen.there))
        await self.seen.until(lambda: not self.seen.there)
        self.seen.bound.clear()
        self.seen.told.clear()

    async def warm_up(self, scheduler: str = OURS) -> None:
        """Whoever places pods knows the cluster when a first one is where it belongs."""
        await self.create([pod("first", scheduler=scheduler)])
        await self.seen.until(lambda: "first" in self.seen.bound)
        await self.clear()

    async def _all(self, requests: Iterable[tuple[str, str, Json]]) -> None:
        """By a process of its own, so that what is measured shares no interpreter with it."""
        program = [sys.executable, str(Path(__file__).with_name("sending.py")), str(self.made.kubeconfig), str(AT_ONCE)]
        sending = await asyncio.create_subprocess_exec(*program, stdin=asyncio.subprocess.PIPE)
        await sending.communicate(b"".join(msgspec.json.encode(request) + b"\n" for request in requests))
        if sending.returncode:
            raise SystemExit("The API server has refused a request.")


def binding(name: str, node: str) -> Json:
    target = {"apiVersion": "v1", "kind": "Node", "name": node}
    return {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}


@contextmanager
def cluster() -> Iterator[ControlPlane]:
    # Of two cores, a quarter of what the API server takes would go into collecting its garbage.
    made = ControlPlane(Path(tempfile.mkdtemp(prefix="runai-cluster-")), GOGC="300")
    try:
        made.start()
        made.add_nodes(NODES, DEVICES)
        set_up(made)
        made.add_namespace(NAMESPACE)
        yield made
    finally:
        made.remove()


@contextmanager
def at_work(controller: Controller) -> Iterator[None]:
    controller.start()
    try:
        yield
    finally:
        controller.stop()


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
        yield Bench(made, connection, seen, controller)
    finally:
        following.cancel()
        await connection.close()


QUOTA: Json = {"gpu": {"quota": NODES * DEVICES / len(QUEUE_NAMES)}}


def pod(name: str, devices: int = 1, queue: str = QUEUE_NAMES[0], scheduler: str = OURS, **labels: str) -> Json:
    resources = {"limits": {"nvidia.com/gpu": str(devices)}, "requests": {"cpu": "100m", "memory": "256Mi"}}
    container = {"name": "main", "image": "none", "command": ["/bin/sleep", "1000"], "resources": resources}
    return {
        "metadata": {"name": name, "labels": {"kai.scheduler/queue": queue, **labels}},
        "spec": {"schedulerName": scheduler, "containers": [container]},
    }


def run(case: Callable[[Bench], object], starts_controller: bool = True) -> None:
    """Run a case on a cluster of its own, unless told otherwise with our controller at work."""

    async def in_it(made: ControlPlane, controller: Controller) -> None:
        async with bench(made, controller) as given:
            if starts_controller:
                await given.warm_up()
            await case(given)  # type: ignore[misc]

    with cluster() as made:
        controller = Controller(made)
        with at_work(controller) if starts_controller else nullcontext():
            asyncio.run(in_it(made, controller))


async def rate(given: Bench) -> None:
    """All place the same pods on the same empty nodes, one after the other: nobody else is at work meanwhile."""
    rates: dict[str, list[float]] = {"ours": [], "default scheduler": [], "bare loop of bindings": [], "creation": []}
    for number in range(ROUNDS):
        created, bound = await bare_loop(given)
        rates["creation"].append(created)
        rates["bare loop of bindings"].append(bound)
        with given.made.default_scheduler():
            rates["default scheduler"].append(await placed(given, DEFAULT, f"d{number}"))
        with at_work(given.controller):
            rates["ours"].append(await placed(given, OURS, f"o{number}"))
    medians = {name: statistics.median(found) for name, found in rates.items()}
    report("kubernetes", "rate", medians.pop("ours"), "pods/s", 250, "higher", medians)


async def bare_loop(given: Bench) -> tuple[float, float]:
    """Pods a second, created and then bound by nothing but requests to do so."""
    names = [f"bare-{number}" for number in range(PODS)]
    began = time.monotonic()
    await given.create(pod(name, scheduler=NOBODY) for name in names)
    created = time.monotonic()
    await given.bind({name: f"node-{number // DEVICES}" for number, name in enumerate(names)})
    ended = time.monotonic()
    await given.clear()
    return PODS / (created - began), PODS / (ended - created)


async def placed(given: Bench, scheduler: str, prefix: str) -> float:
    """Pods a second, from the first creation to the last binding."""
    await given.warm_up(scheduler)
    pids = {**given.made.pids, "this program": os.getpid()}
    if scheduler == OURS:
        pids["controller"] = given.controller.pid
    names = [f"{prefix}-{number}" for number in range(PODS)]
    before, began = {name: cpu_seconds(pid) for name, pid in pids.items()}, time.monotonic()
    await given.create(
        pod(name, queue=QUEUE_NAMES[number % 8], scheduler=scheduler) for number, name in enumerate(names)
    )
    await given.seen.until(lambda: len(given.seen.bound) >= PODS)
    took = max(given.seen.bound.values()) - began
    used = {name: cpu_seconds(pid) - before[name] for name, pid in pids.items()}
    spent = ", ".join(f"{name} {seconds:.1f}" for name, seconds in used.items())
    print(f"{scheduler}: {PODS / took:.0f} pods/s, {took:.1f} s; seconds of CPU: {spent}", flush=True)
    await given.clear()
    return PODS / took


def cpu_seconds(pid: int) -> float:
    """What a process, and those of its children that have ended, have used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


async def gang(given: Bench) -> None:
    spec = {"command": ["/bin/sleep"], "cwd": "/", "tasks": NODES, "request": {"gpu": DEVICES}, "queue": QUEUE_NAMES[0]}
    body = {"apiVersion": API_VERSION, "kind": WORKLOADS.kind, "metadata": {"name": "large"}, "spec": spec}
    await given.connection.send("POST", WORKLOADS.path(NAMESPACE), body)
    began = time.monotonic()
    label = {"jupyter-runai.io/workload": "large"}
    await given.create(pod(f"task-{number}", DEVICES, **label) for number in range(NODES))
    created = time.monotonic() - began
    await given.seen.until(lambda: len(given.seen.bound) >= NODES)
    took = max(given.seen.bound.values()) - began
    report("kubernetes", "gang of 500 x 8", took, "s", 8, "lower", {"creation": created})


async def fill(given: Bench, queue: str = QUEUE_NAMES[0]) -> None:
    """Take all devices, for one queue."""
    await given.create(pod(f"full-{number}", DEVICES, queue) for number in range(NODES))
    await given.seen.until(lambda: len(given.seen.bound) >= NODES)


async def verdict(given: Bench) -> None:
    """The queue has its quota and more: nothing can be taken back for it."""
    await fill(given)
    took = []
    for number in range(VERDICTS):
        name = f"late-{number}"
        began = time.monotonic()
        await given.create([pod(name)])
        await given.seen.until(lambda name=name: name in given.seen.told)
        took.append(given.seen.told[name] - began)
    p95 = statistics.quantiles(took, n=20)[-1]
    report(
        "kubernetes", "verdict, p95", p95, "s", 1.5, "lower", {"median": statistics.median(took), "worst": max(took)}
    )


async def reclaim(given: Bench) -> None:
    await fill(given)
    took = []
    for number in range(RECLAIMS):
        name = f"claim-{number}"
        began = time.monotonic()
        await given.create([pod(name, queue=QUEUE_NAMES[1])])
        await given.seen.until(lambda name=name: name in given.seen.bound)
        took.append(given.seen.bound[name] - began)
        await given.connection.send("DELETE", f"/api/v1/namespaces/{NAMESPACE}/pods/{name}", {"gracePeriodSeconds": 0})
        await given.seen.until(lambda name=name: name not in given.seen.there)
        await given.create([pod(f"again-{number}", DEVICES)])
        await given.seen.until(lambda number=number: f"again-{number}" in given.seen.bound)
    report("kubernetes", "reclaim", statistics.median(took), "s", 2, "lower", {"worst": max(took)})


async def memory(given: Bench) -> None:
    await given.create(pod(f"pod-{number}", queue=QUEUE_NAMES[number % 8]) for number in range(MANY_PODS))
    full = NODES * DEVICES
    seen = given.seen
    await seen.until(lambda: len(seen.bound) >= full and len(seen.told) + full >= MANY_PODS)
    status = Path(f"/proc/{given.controller.pid}/status").read_text()
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


CASES: dict[str, Callable[[], None]] = (
    {"rate": lambda: run(rate, starts_controller=False)}
    | {
        name: lambda case=case: run(case)
        for name, case in (
            ("gang", gang),
            ("verdict", verdict),
            ("reclaim", reclaim),
            ("memory", memory),
        )
    }
    | {"warm": warm}
)

if __name__ == "__main__":
    run_cases(__doc__, CASES)
