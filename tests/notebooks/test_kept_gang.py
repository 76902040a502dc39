"""`--keep` with `--workers`: every task stays, and the next cell runs afresh in each of them."""

from __future__ import annotations

import os
import re
import signal

import pytest

from jupyter_runai.client import Client
from tests.helpers import outcome, until
from tests.notebooks.conftest import RunCells
from tests.notebooks.live import LiveKernel

GANG = "%%runai train --gpu 0.25 --workers 2 --name ddp --keep 10m"
RENDEZVOUS = """
import os, socket
rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
place = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
assert os.environ["PET_MASTER_PORT"] == str(place[1])
if rank == 0:
    # Without SO_REUSEADDR, as of a library that does not know of it: what lingers of the last cell is in its way.
    with socket.socket() as listener:
        listener.bind(place)
        listener.listen()
        other, _ = listener.accept()
        # Who closes first is left with the connection for a minute.
        total = base + int(other.recv(100))
        other.sendall(str(total).encode())
        other.close()
else:
    import time
    for attempt in range(600):
        try:
            end = socket.create_connection(place)
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
    end.sendall(str(base).encode())
    total = int(end.recv(100))
    assert end.recv(1) == b""
print("pid", os.getpid(), "keeper", os.getppid(), "sum", total, "of", size)
"""
SAID = re.compile(r"^\[(\d)\] pid (\d+) keeper (\d+) sum (\d+) of 2$", re.MULTILINE)


def test_each_cell_runs_afresh_in_every_task_and_they_meet_each_time(run: RunCells) -> None:
    _, first, _, second, plain = run(
        "base = 4",
        f"{GANG} -o total\nmine = 1\n{RENDEZVOUS}",
        "base = 5",
        f"{GANG} -o total\nprint('mine' in dir())\n{RENDEZVOUS}",
        "total",
    )
    ran = sorted(SAID.findall(first.text)), sorted(SAID.findall(second.text))
    assert [(rank, total) for rank, _, _, total in ran[0]] == [("0", "8"), ("1", "8")], first.text + first.error
    assert [(rank, total) for rank, _, _, total in ran[1]] == [("0", "10"), ("1", "10")], second.text + second.error
    assert [keeper for _, _, keeper, _ in ran[0]] == [keeper for _, _, keeper, _ in ran[1]]
    assert not {pid for _, pid, _, _ in ran[0]} & {pid for _, pid, _, _ in ran[1]}
    assert second.text.count("False") == 2
    assert "kept for 10:00" in first.line and "total ← int" in second.line
    assert plain.value == "10"
    client = Client()
    kept = until(client, client.find("ddp").id, lambda known: known.kept_until is not None)
    assert (kept.state, kept.tasks, kept.allocation is not None) == ("running", 2, True)


@pytest.mark.parametrize("fails", [0, 1])
def test_one_that_fails_ends_the_others_and_all_are_kept(run: RunCells, fails: int) -> None:
    waits = f"import os, signal\nif os.environ['RANK'] != '{fails}':\n    signal.pause()"
    failing, after = run(
        f"{GANG}\n{waits}\n1 / 0",
        f"{GANG}\nimport os\nprint('rank', os.environ['RANK'], 'of', os.environ['WORLD_SIZE'])",
    )
    assert "ZeroDivisionError" in failing.error
    assert f"Task {fails} of 2 failed:" in failing.error
    assert "✗ ddp · failed after" in failing.line
    assert sorted(after.text.splitlines()) == ["[0] rank 0 of 2", "[1] rank 1 of 2"]


def test_displays_of_the_first_come_under_each_cell(run: RunCells) -> None:
    picture = "from IPython.display import HTML, display\ndisplay(HTML('<b>{0}</b>'))"
    first, second = run(f"{GANG}\n{picture.format('one')}", f"{GANG}\n{picture.format('two')}")
    assert [display["text/html"] for display in first.displays] == ["<b>one</b>"]
    assert [display["text/html"] for display in second.displays] == ["<b>two</b>"]


def test_a_cell_that_keeps_nothing_more_is_the_last(run: RunCells) -> None:
    _, last = run(f"{GANG}\npass", "%%runai train --name ddp -o x\nx = 5\nprint('end')")
    assert sorted(last.text.splitlines()) == ["[0] end", "[1] end"] and "x ← int" in last.line, last.error
    client = Client()
    assert outcome(client, client.find("ddp").id)[0].state == "completed"


def test_another_number_of_workers_or_share_starts_anew(run: RunCells) -> None:
    count = "import os\nprint(os.environ['RANK'], os.environ['WORLD_SIZE'])"
    _, more, less = run(
        f"{GANG}\npass",
        f"{GANG.replace('--workers 2', '--workers 3')}\n{count}",
        f"{GANG.replace('0.25', '0.1')}\n{count}",
    )
    assert "ddp is kept with 2 x 0.25, and this cell asks for 3 x 0.25. It starts anew.\n" in more.text
    assert {f"[{rank}] {rank} 3" for rank in range(3)} <= {*more.text.splitlines()}, more.text + more.error
    assert "ddp is kept with 3 x 0.25, and this cell asks for 2 x 0.1. It starts anew.\n" in less.text
    assert [workload.state for workload in Client().list()] == ["stopped", "stopped", "running"]


def test_what_is_lost_while_it_is_kept_is_said_by_the_next_cell(kernel: LiveKernel) -> None:
    first = kernel.run(f"{GANG}\nimport os\nprint('keeper', os.getppid())")
    keepers = dict(re.findall(r"\[(\d)\] keeper (\d+)", first))
    client = Client()
    kept = client.find("ddp").id
    os.kill(int(keepers["1"]), signal.SIGKILL)
    assert outcome(client, kept)[0].state == "failed"
    again = kernel.run(f"{GANG}\nprint('here')")
    assert "What ddp kept is gone before its time (task 1: killed by SIGKILL): it starts anew.\n" in again
    assert "[1] here" in again


def test_one_that_is_lost_while_a_cell_runs_is_said_and_nothing_is_left(kernel: LiveKernel) -> None:
    kernel.run(f"{GANG}\npass")
    kernel.start(f"{GANG}\nimport os, signal\nprint('keeper', os.getppid(), 'is up', flush=True)\nsignal.pause()")
    said = ""
    while len(found := dict(re.findall(r"\[(\d)\] keeper (\d+) is up", said))) < 2:
        said += kernel.until_said("is up")
    os.kill(int(found["1"]), signal.SIGKILL)
    assert "ddp failed: task 1: killed by SIGKILL" in kernel.until_done()
    assert [workload.state for workload in Client().list()] == ["failed"]


def test_an_interrupt_reaches_all(kernel: LiveKernel) -> None:
    kernel.run(f"{GANG}\npass")
    kernel.start(f"{GANG}\nimport os, signal\nprint(os.environ['RANK'], 'is up', flush=True)\nsignal.pause()")
    said = ""
    while not ("0 is up" in said and "1 is up" in said):
        said += kernel.until_said("is up")
    kernel.interrupt()
    kernel.until_said("interrupt again to stop ddp")
    kernel.interrupt()
    assert "CellFailed" in kernel.until_done()
    client = Client()
    assert outcome(client, client.find("ddp").id)[0].state == "stopped"


def test_it_ends_when_its_time_is_up_and_only_then(run: RunCells) -> None:
    # Of the others nobody's time is up before the last has ended.
    slow = "import os, time\nif os.environ['RANK'] == '1': time.sleep(1)\nprint('done')"
    (ran,) = run(f"{GANG.replace('10m', '0.3s')}\n{slow}")
    assert sorted(ran.text.splitlines()) == ["[0] done", "[1] done"] and ran.error == ""
    client = Client()
    assert outcome(client, client.find("ddp").id)[0].state == "completed"


def test_what_is_suspended_while_it_is_only_kept_is_done(run: RunCells) -> None:
    run(f"{GANG}\npass")
    client = Client()
    kept = client.find("ddp")
    client.suspend(kept.id)
    assert outcome(client, kept.id)[0].state == "completed"


def test_what_is_told_to_go_again_as_it_goes_is_done(run: RunCells) -> None:
    (ran,) = run(f"{GANG}\nimport os\nprint('keeper', os.getppid())")
    keepers = [int(pid) for pid in re.findall(r"keeper (\d+)", ran.text)]
    assert len(keepers) == 2
    while keepers:
        for pid in list(keepers):
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                keepers.remove(pid)
    client = Client()
    assert outcome(client, client.find("ddp").id)[0].state == "completed"


def test_one_task_that_exits_by_itself_lets_the_others_end_as_ever(run: RunCells) -> None:
    exits = "import os\nif os.environ['RANK'] == '1': os._exit({0})\nprint('done')"
    well, badly = run(f"{GANG}\n{exits.format(0)}", f"{GANG}\n{exits.format(3)}\nimport signal; signal.pause()")
    assert "completed" in well.line and "[0] done" in well.text
    assert "ddp failed: task 1: exit status 3" in badly.error
    assert [workload.state for workload in Client().list()] == ["completed", "failed"]
