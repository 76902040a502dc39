"""Interrupting a cell: once leaves its workload to itself, twice stops it."""

from __future__ import annotations

from jupyter_runai.client import Client
from tests.helpers import outcome
from tests.notebooks.live import LiveKernel

UNTIL_STOPPED = "import signal\nprint('up')\nsignal.pause()"


def test_an_interrupt_detaches_and_the_notebook_goes_on(kernel: LiveKernel) -> None:
    kernel.start(f"%%runai train --gpu 0.5 --name night\n{UNTIL_STOPPED}")
    kernel.until_said("up")
    kernel.interrupt()
    said = kernel.until_done()
    assert "interrupt again to stop night" in said
    assert "Detached: night goes on." in said
    assert "Traceback" not in said
    assert Client().find("night").state == "running"
    assert "went on" in kernel.run("print('went on')")


def test_a_second_interrupt_stops_the_workload(kernel: LiveKernel) -> None:
    kernel.start(f"%%runai train --gpu 0.5 --name night\n{UNTIL_STOPPED}")
    kernel.until_said("up")
    kernel.interrupt()
    kernel.until_said("interrupt again to stop night")
    kernel.interrupt()
    said = kernel.until_done()
    assert "CellFailed" in said
    assert "night was" in said
    assert "Detached" not in said
    assert "jupyter_runai/" not in said
    client = Client()
    assert outcome(client, client.find("night").id)[0].state == "stopped"
