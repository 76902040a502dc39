"""A share with a limit borrows what is free of its device, and gives it back. The driver is a fake."""

from __future__ import annotations

import pytest

from jupyter_runai.client import Client
from jupyter_runai.verbs.line import run_verb
from jupyter_runai.verbs.options import verb_parsers
from scheduler_core.errors import InvalidRequest
from scheduler_core.model import TaskRequest
from scheduler_core.workload import Workload
from tests.driver import GIB, Driver
from tests.helpers import UNTIL_STOPPED, outcome, running, spec, until, until_said

ONE_A100 = "device GPU-aaaa 81920 0 ok NVIDIA A100-SXM4-80GB\n"
QUARTER_TO_WHOLE = TaskRequest(gpu="0.25", gpu_limit=1)
SAYS_ITS_PID = """
import os, signal
print(os.getpid(), flush=True)
signal.pause()
"""
GIVES_IN_TO_NOTHING = """
import os, signal
signal.signal(signal.SIGINT, lambda *_: None)
print(os.getpid(), flush=True)
while True:
    signal.pause()
"""


@pytest.fixture
def client(strict: None, on_devices: Client, driver: Driver) -> Client:
    driver.write(ONE_A100)
    return on_devices


def pid_of(client: Client, workload: Workload) -> int:
    return int(until_said(client, workload.id, "\n"))


def until_measured(client: Client, workload: Workload, mib: int) -> None:
    """Wait until the engine has acted on a reading that shows this much of a workload's."""
    while not any(second.gpu_memory_mib == mib for second in client.measurements(workload.id, "second")):
        pass


def test_what_is_free_is_lent_and_given_back_when_a_share_needs_it(client: Client, driver: Driver) -> None:
    borrower = client.submit(spec(SAYS_ITS_PID, request=QUARTER_TO_WHOLE, name="borrower"))
    driver.process(0, pid_of(client, borrower), 60 * GIB)
    until_measured(client, borrower, 60 * GIB)
    owner = client.submit(spec(UNTIL_STOPPED, gpu="0.5", name="owner"))
    waiting = until(client, owner.id, lambda known: known.reason != "")
    assert (waiting.state, waiting.reason) == (
        "pending",
        "borrower must first give back device memory that was lent beyond its share",
    )
    said = until_said(client, borrower.id, "It is interrupted in")
    assert said.splitlines()[1:] == [
        "runai: 60.0 GB of device memory are used, its share and what can be lent to it are 40.0 GB. "
        "It is interrupted in 0.5 s, and stopped 0.5 s later, if it keeps that."
    ]
    driver.write(ONE_A100)
    assert until(client, owner.id, running).reason == ""
    assert client.find(borrower.id).state == "running"


def test_who_does_not_give_back_is_stopped(client: Client, driver: Driver) -> None:
    borrower = client.submit(spec(GIVES_IN_TO_NOTHING, request=QUARTER_TO_WHOLE, grace_s=0.5))
    driver.process(0, pid_of(client, borrower), 60 * GIB)
    until_measured(client, borrower, 60 * GIB)
    owner = client.submit(spec(UNTIL_STOPPED, request=TaskRequest(gpu_memory_mib=30 * GIB)))
    ended, _ = outcome(client, borrower.id)
    assert (ended.state, ended.reason) == (
        "stopped",
        "60.0 GB of device memory are used, its share and what can be lent to it are 50.0 GB: stopped",
    )
    driver.write(ONE_A100)
    until(client, owner.id, running)


def test_what_is_free_goes_to_who_started_first(client: Client, driver: Driver) -> None:
    first = client.submit(spec(SAYS_ITS_PID, request=QUARTER_TO_WHOLE))
    first_pid = pid_of(client, first)
    second = client.submit(spec(SAYS_ITS_PID, request=QUARTER_TO_WHOLE))
    driver.process(0, first_pid, 50 * GIB)
    driver.process(0, pid_of(client, second), 29 * GIB)
    driver.process(0, pid_of(client, second), 35 * GIB)
    assert "what can be lent to it are 30.0 GB" in until_said(client, second.id, "It is interrupted in")
    assert b"runai" not in b"".join(client.logs(first.id))


def test_frameworks_are_capped_at_the_limit(client: Client) -> None:
    says = "import os; print(*(os.environ['RUNAI_' + name] for name in "
    says += "('GPU_PORTION', 'GPU_MEMORY_MIB', 'GPU_MEMORY_LIMIT_MIB', 'CAP_FRACTION')))"
    request = TaskRequest(gpu_memory_mib=20 * GIB, gpu_memory_limit_mib=40 * GIB)
    workload = client.submit(spec(says, request=request))
    held = until(client, workload.id, lambda known: known.allocation is not None).allocation
    assert held is not None
    assert [(device.portion_milli, device.limit_milli, device.limit_mib) for device in held.devices] == [
        (250, 500, 40 * GIB)
    ]
    assert outcome(client, workload.id)[1] == f"0.25 {20 * GIB} {40 * GIB} 0.5\n"


@pytest.mark.parametrize(
    "request_json",
    [
        {"gpu": "0.5", "gpu_limit": "0.25"},
        {"gpu": 1, "gpu_limit": 1},
        {"gpu": "0.5", "gpu_limit": 2},
        {"gpu": "0.5", "gpu_devices": 2, "gpu_limit": 1},
        {"gpu": "0.5", "gpu_memory_limit_mib": 1024},
        {"gpu_memory_mib": 2048, "gpu_memory_limit_mib": 1024},
    ],
)
def test_a_limit_goes_with_a_share_and_is_no_less(request_json: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="goes with"):
        TaskRequest(**request_json)  # type: ignore[arg-type]


def test_a_limit_is_changed_while_it_runs(simulated: object) -> None:
    client = Client()
    workload = client.submit(spec(UNTIL_STOPPED, gpu="0.25", name="grows"))
    until(client, workload.id, running)
    resize = verb_parsers("x")["resize"]
    said = run_verb(client, "resize", resize.parse(["grows", "--gpu", "0.25", "--gpu-limit", "1"]))
    assert said == "grows has 0.25-1 now."
    with pytest.raises(InvalidRequest, match="gpu_limit goes with a share"):
        run_verb(client, "resize", resize.parse(["grows", "--gpu", "0.25", "--gpu-limit", "0.1"]))
    assert client.find("grows").request.gpu_limit == 1
