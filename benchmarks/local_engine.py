"""What the engine on one machine costs: a submission, many of them, a long list, an idle daemon, its start.

submit   from `client.submit` to the first instruction of the process, beside a bare Popen of the same interpreter; the
         clock is the monotonic one, which all processes of a machine share, and runs alternate
rate     submissions answered in ten seconds, 64 at a time on one connection pool; an answer means it is on disk
list     10,000 ended workloads, listed by a client
idle     a daemon with nothing to do: its CPU time in ten seconds, and its memory
start    from a client's first call, with no daemon there, to its answer

Engines have simulated devices and a private folder.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace
from shape import report, run_cases

from jupyter_runai.client import Client
from scheduler_core.local import LocalEngine
from scheduler_core.local.access.settings import Settings
from scheduler_core.local.durable.store import Store
from scheduler_core.local.record.records import new_record
from scheduler_core.model import TaskRequest
from scheduler_core.workload import Workload, WorkloadSpec

RUNS = 100
STARTS = 5
LISTED = 10_000
SECONDS = 10.0
AT_ONCE = 64
FIRST_INSTRUCTION = "import time; print(time.monotonic())"
LONG = "import signal; signal.pause()"


@contextmanager
def engine() -> Iterator[Path]:
    """A private folder whose engine simulates two devices; its daemon starts when first asked, and ends here."""
    with tempfile.TemporaryDirectory(prefix="runai-") as folder:
        os.environ["RUNAI_ENGINE_DIR"] = folder
        Settings(simulate="2xA100-80GB").write(Path(folder))
        yield Path(folder)
        client = Client()
        for workload in client.list():
            if not workload.has_ended:
                client.stop(workload.id)
        asyncio.run(LocalEngine().shutdown())


def asked(code: str, gpu: float | str = "0.5", **fields: float) -> WorkloadSpec:
    command = (sys.executable, "-u", "-c", code)
    return WorkloadSpec(command=command, cwd="/", env=dict(os.environ), request=TaskRequest(gpu=gpu), **fields)


def submit() -> None:
    with engine():
        client = Client()
        pairs = [(submitted(client), bare()) for _ in range(RUNS + 5)][5:]
    ours, popen = ([pair[which] for pair in pairs] for which in (0, 1))
    for name, rank in (("submit p50", 50), ("submit p95", 95)):
        beside = {"bare Popen": percentile(popen, rank)}
        report("local_engine", name, percentile(ours, rank), "ms", None, "lower", beside)
    added = statistics.median(ours) - statistics.median(popen)
    report("local_engine", "submit", added, "ms", 25.0, "lower", {"bare Popen": statistics.median(popen)})


def submitted(client: Client) -> float:
    """Milliseconds from submitting a half-GPU workload to its first instruction."""
    started = time.monotonic()
    workload = client.submit(asked(FIRST_INSTRUCTION))
    output = b"".join(update for update in client.follow(workload.id) if isinstance(update, bytes))
    return (float(output) - started) * 1000


def bare() -> float:
    """Milliseconds from Popen to the first instruction of the same interpreter."""
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-u", "-c", FIRST_INSTRUCTION], stdout=subprocess.PIPE)
    return (float(process.communicate()[0]) - started) * 1000


def percentile(values: list[float], rank: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[rank - 1]


def rate() -> None:
    """The devices are held, so that everything waits: what is measured is taking work in."""
    with engine():
        client = Client()
        client.submit(asked(LONG, gpu=2, priority=125, grace_s=0))
        count, seconds = asyncio.run(flood())
        stored = len(client.list()) - 1
    report("local_engine", "rate", count / seconds, "a second", 500.0, "higher", {"found (count)": stored})


async def flood() -> tuple[int, float]:
    """Submissions answered, and the seconds that took."""
    port, started, answered = LocalEngine(), time.monotonic(), 0
    work = replace(asked(LONG), env={"PATH": os.environ["PATH"]})

    async def keep_submitting() -> None:
        nonlocal answered
        while time.monotonic() - started < SECONDS:
            await port.submit(work)
            answered += 1

    await asyncio.gather(*(keep_submitting() for _ in range(AT_ONCE)))
    seconds = time.monotonic() - started
    await port.close()
    return answered, seconds


def long_list() -> None:
    with engine() as folder:
        (folder / "simulated").mkdir()
        store = Store(folder / "simulated" / "store.sqlite")
        store.restore(new_record(asked(LONG), ended(number)) for number in range(LISTED))
        store.close()
        client = Client()
        times = [timed(client.list) for _ in range(7)]
        count = len(client.list())
    report("local_engine", "list", statistics.median(times), "ms", 50.0, "lower", {"workloads (count)": count})


def ended(number: int) -> Workload:
    return Workload(
        id=f"{number:08x}",
        name=f"workload-{number}",
        owner="ana",
        kind="training",
        queue="default",
        priority=40,
        preemptible=True,
        state="completed",
        request=TaskRequest(gpu="0.5"),
        created=time.time(),
        started=time.time(),
        ended=time.time(),
        exit_code=0,
        simulated=True,
    )


def timed(call: Callable[[], object]) -> float:
    started = time.monotonic()
    call()
    return (time.monotonic() - started) * 1000


def idle() -> None:
    with engine():
        pid = Client().info().pid
        time.sleep(2)
        before = cpu_ms(pid)
        time.sleep(SECONDS)
        used = (cpu_ms(pid) - before) / SECONDS
        resident = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmRSS" in line)
    report("local_engine", "idle CPU", used, "ms a second", 5.0, "lower", {"seconds (s)": SECONDS})
    report("local_engine", "idle memory", int(resident.split()[1]) / 1024, "MiB", 80.0, "lower", {"seconds (s)": 2})


def cpu_ms(pid: int) -> float:
    """CPU time of all threads so far; the system counts in steps of ten milliseconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start() -> None:
    times = []
    for _ in range(STARTS):
        with engine():
            times.append(timed(lambda: Client().info()))
    nothing = [timed(lambda: subprocess.run([sys.executable, "-c", "pass"], check=True)) for _ in range(STARTS)]
    beside = {"slowest": max(times), "bare interpreter": statistics.median(nothing)}
    report("local_engine", "start", statistics.median(times), "ms", 500.0, "lower", beside)


CASES = {"submit": submit, "rate": rate, "list": long_list, "idle": idle, "start": start}


if __name__ == "__main__":
    run_cases(__doc__, CASES)
