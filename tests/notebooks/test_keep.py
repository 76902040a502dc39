"""`--keep`: what a cell holds and leaves is there for the next cell of its name."""

from __future__ import annotations

import re
import time

import pytest

from jupyter_runai.client import Client
from tests.helpers import outcome, until
from tests.notebooks.conftest import RunCells
from tests.notebooks.live import LiveKernel

FIRST = "%%runai train --gpu 0.5 --name digits --keep 10m"


def test_the_next_cell_of_the_name_finds_what_the_first_has_left(run: RunCells) -> None:
    _, first, second, plain = run(
        "x = 1",
        f"{FIRST}\nimport os\nmade = [x]\nprint('pid', os.getpid())",
        f"{FIRST} -o made\nprint('pid', os.getpid())\nmade.append(x)\nmade",
        "made",
    )
    pid = first.text.split()[1]
    assert first.text == f"pid {pid}\n"
    assert second.text == f"pid {pid}\n[1, 1]\n"
    assert plain.value == "[1, 1]"
    assert "✓ digits · completed in 0:0" in first.line
    assert "kept for 10:00" in first.line
    assert "made ← list" in second.line
    kept = Client().find("digits")
    assert (kept.state, kept.allocation is not None) == ("running", True)


def test_only_what_changed_travels_again(run: RunCells) -> None:
    _, _, same, _, changed, _ = run(
        "import numpy as np\nbig = np.zeros(100_000)\nfactor = 2\ndef scaled(): return factor * big.sum()",
        f"{FIRST}\nbig[0] = 5\nscaled()",
        f"{FIRST}\nfloat(big[0]), float(scaled())",
        "big[1] = 1; factor = 3",
        f"{FIRST}\nfloat(big[0]), float(scaled())",
        "%runai stop digits",
    )
    assert same.text == "(5.0, 10.0)\n"
    assert changed.text == "(0.0, 3.0)\n"


def test_a_cell_that_fails_leaves_what_it_had(run: RunCells) -> None:
    failing, after = run(f"{FIRST}\nleft = 7\n1 / 0", "%%runai train --name digits\nprint(left)")
    assert failing.error.startswith("ZeroDivisionError")
    assert "✗ digits · failed after" in failing.line
    assert after.text == "7\n"
    # The last one did not ask to keep anything.
    assert Client().find("digits").state == "completed"


def test_displays_of_each_cell_come_under_it(run: RunCells) -> None:
    picture = "from IPython.display import HTML, display\ndisplay(HTML('<b>{0}</b>'))\nprint('{0} said')"
    first, second = run(f"{FIRST}\n{picture.format('one')}", f"{FIRST}\n{picture.format('two')}")
    assert first.order == ["<b>one</b>", "one said\n"]
    assert second.order == ["<b>two</b>", "two said\n"]


def test_what_is_kept_ends_when_its_time_is_up_or_it_is_stopped(run: RunCells) -> None:
    _, _, stopped, anew = run(
        "%%runai train --name brief --keep 0.3s\nprint(1)",
        f"{FIRST}\nx = 1",
        "%runai stop digits",
        f"{FIRST}\n'x' in dir()",
    )
    client = Client()
    assert outcome(client, client.find("brief").id)[0].state == "completed"
    assert stopped.text.startswith("digits ")
    assert anew.text == "False\n"


def test_what_is_only_kept_says_so_and_until_when(run: RunCells) -> None:
    run(f"{FIRST}\npass")
    client = Client()
    kept = until(client, client.find("digits").id, lambda known: known.kept_until is not None)
    assert kept.activity is not None and kept.kept_until is not None
    assert kept.kept_until - kept.activity.since == pytest.approx(600)
    clock = time.strftime("%H:%M", time.localtime(kept.kept_until))
    listed, described, within, stopped = run(
        "%runai list",
        "%runai describe digits",
        f"{FIRST}\nimport os\nos.path.exists(os.environ['RUNAI_ACTIVITY'])",
        "%runai stop digits",
    )
    assert re.search(rf"^digits .* kept until {clock} ", listed.text, re.MULTILINE)
    assert re.search(rf"^state +kept until {clock}$", described.text, re.MULTILINE)
    # While a cell runs there, it is as any other.
    assert within.text == "False\n"
    assert "stop" in stopped.text
    assert outcome(client, kept.id)[0].kept_until is None


def test_another_kernel_goes_on_with_what_is_kept(run: RunCells) -> None:
    run("y = 1", f"{FIRST}\nz = y + 1")
    (ran,) = run(f"{FIRST}\nprint(z)")
    assert ran.text == "2\n"


def test_a_kept_process_that_was_suspended_says_that_all_is_gone(run: RunCells) -> None:
    run(f"{FIRST}\nz = 1")
    client = Client()
    kept = client.find("digits")
    client.suspend(kept.id)
    ended, _ = outcome(client, client.resume(kept.id).id)
    assert ended.state == "failed"
    assert ended.report is not None
    assert ended.report.error is not None
    assert "what its cells had left there is gone" in ended.report.error.message


def test_a_second_interrupt_ends_what_is_kept(kernel: LiveKernel) -> None:
    kernel.run(f"{FIRST}\npass")
    kernel.start(f"{FIRST}\nimport signal\nprint('up')\nsignal.pause()")
    kernel.until_said("up")
    kernel.interrupt()
    kernel.until_said("interrupt again to stop digits")
    kernel.interrupt()
    assert "CellFailed" in kernel.until_done()
    client = Client()
    assert outcome(client, client.find("digits").id)[0].state == "stopped"


def test_what_does_not_go_with_keeping_is_refused(run: RunCells) -> None:
    nameless, elastic, _, more, sweep, other = run(
        "%%runai train --keep 10m\n1",
        "%%runai train --name a --keep 10m --elastic 1:2\n1",
        f"{FIRST}\npass",
        "%%runai train --name digits --gpu 0.25\n1",
        "%%runai train --name digits --workers 2\n1",
        "%%runai run --name digits\n1",
    )
    assert "--keep needs --name" in nameless.error
    assert "--elastic: not allowed with argument --keep." in elastic.error and "--workers 2" in elastic.error
    assert "digits is kept with 0.5, and this cell asks for 0.25." in more.error
    assert "digits is kept with 0.5, and this cell asks for 2 x -." in sweep.error
    assert "digits is kept as training, not as interactive." in other.error
    assert "%runai stop digits" in other.error
