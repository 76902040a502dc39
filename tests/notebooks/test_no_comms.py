"""Where no widget can be drawn, as in an editor without a widget manager: text stands in, and all else is as ever."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jupyter_client import AsyncKernelClient
from nbclient import NotebookClient

from tests.notebooks.cells import run_cells

NO_COMM_MANAGER = """
import comm
comm.create_comm, comm.get_comm_manager = comm._create_comm, comm._get_comm_manager
for kind in ("comm_open", "comm_msg", "comm_close"): del get_ipython().kernel.shell_handlers[kind]
"""


class KnowsNoComms(NotebookClient):
    """A front end that hears of no comm."""

    def handle_comm_msg(self, outs: list[Any], msg: dict[str, Any], cell_index: int) -> None:
        raise AssertionError(msg)


class ClosesComms(NotebookClient):
    """A front end that closes each comm at once, as the protocol has it for targets that nobody knows."""

    def handle_comm_msg(self, outs: list[Any], msg: dict[str, Any], cell_index: int) -> None:
        if msg["msg_type"] == "comm_open":
            assert self.km is not None
            # Who waits for a cell's answer on the same socket would not be woken by it any more.
            other = AsyncKernelClient(connection_file=self.km.connection_file)
            other.load_connection_file()
            other.start_channels(iopub=False, stdin=False, hb=False, control=False)
            content = {"comm_id": msg["content"]["comm_id"], "data": {}}
            other.shell_channel.send(other.session.msg("comm_close", content))
            other.stop_channels()


@pytest.mark.parametrize(("first", "client"), [(NO_COMM_MANAGER, KnowsNoComms), ("", ClosesComms)])
def test_widgets_are_text_and_cells_are_as_ever(
    simulated: Path, tmp_path: Path, first: str, client: type[NotebookClient]
) -> None:
    cell, widget, later, sliders, queues, form, mapped, made = run_cells(
        tmp_path,
        first,
        "%load_ext jupyter_runai\nimport jupyter_runai as runai\nfrom IPython.display import HTML, display",
        "%%runai train --gpu 0.5 --name digits -o score\n"
        "print('before')\ndisplay(HTML('<p>between</p>'))\nprint('after')\nscore = 0.5",
        "runai.widgets.Workload('digits')",
        "kept = runai.widgets.Devices()\nprint(kept)\nkept.close()\nscore",
        "runai.widgets.ScaleOut('%%runai train --gpu 0.5\\npass')",
        "runai.widgets.Queues()",
        "from scheduler_core.workload import WorkloadSpec\n"
        "runai.widgets.Submit(WorkloadSpec(command=('true',), cwd='/', env={}, name='form', tasks=2))",
        "runai.map(abs, [-1, -2], name='sizes')",
        "work = runai.submit(abs, -3, name='made')\nwork.result(), print(runai.widgets.Workload(work))",
        client=client,
    )[2:]
    assert cell.order == ["before\n", "<p>between</p>", "after\n"]
    assert "digits · completed in" in cell.line and "score ← float" in cell.line
    assert widget.value.startswith("✓ digits · completed · 0.5  0:")
    assert later.text.startswith("Devices: 0 of 2 used") and later.value == "0.5"
    # Without anybody to draw it anew, a text has what the planner says.
    title, line, place, starts, takes, cost = sliders.value.splitlines()
    assert title == "Scale out: fraction 0.5  devices 1  workers 1"
    assert line.split(maxsplit=1) == ["line", "%%runai train --gpu 0.5"]
    assert place.split(maxsplit=1)[1].startswith("simulated A100 80GB #0 (")
    assert [row.split(maxsplit=1) for row in (starts, cost)] == [["starts", "now"], ["cost", "0.5 GPU"]]
    assert takes.split() == ["takes", "from", "nobody"]
    assert queues.value.startswith("Projects") and "fair share" in queues.value
    assert "name: form" in form.value and "starts: now" in form.value and "cost: CPU only" in form.value
    assert mapped.value == "[1, 2]" and "2 of 2 tasks done" in mapped.line
    assert made.text.startswith("✓ made · completed")
    assert not any(ran.error for ran in (cell, widget, later, sliders, queues, form, mapped, made))
