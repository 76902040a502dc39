"""What a verb answers as a table: an element where there is HTML, text elsewhere, live until the next cell runs."""

from __future__ import annotations

import subprocess
import sys

from jupyter_runai.client import Client
from tests.helpers import UNTIL_STOPPED, outcome, running, spec, until
from tests.notebooks.conftest import RunCells
from tests.notebooks.live import LiveKernel

IS_WATCHED = "from jupyter_runai.client.watch import shared_watch\nprint('watched:', shared_watch().is_open)"


def test_tables_are_elements_and_text(run: RunCells, client: Client) -> None:
    until(client, client.submit(spec(UNTIL_STOPPED, gpu="0.5", name="ab-1")).id, running)
    verbs = ("list", "describe ab-1", "top", "devices", "queues", "usage", "audit")
    for verb, ran in zip(verbs, run(*(f"%runai {verb}" for verb in verbs)), strict=True):
        assert ran.html.count('<table class="runai-table">') == 1, verb
        assert ("<thead><tr><th scope=" in ran.html) == (verb != "describe ab-1")
    listed, programs = run("%runai list", "%runai list --json")
    assert "<td" in listed.html and ">ab-1</td>" in listed.html
    assert listed.text.splitlines()[1].split()[0] == "ab-1"
    assert programs.html == "" and '"name": "ab-1"' in programs.text


def test_a_name_in_a_table_is_text(run: RunCells, client: Client) -> None:
    (described,) = run("%runai submit --detach --name ab-1 -- echo '<b>bold</b>'", "%runai describe ab-1")[1:]
    assert "<b>" not in described.html
    assert "&lt;b&gt;bold&lt;/b&gt;" in described.html


def test_a_table_keeps_up_until_the_next_cell_runs(kernel: LiveKernel) -> None:
    client = Client()
    kernel.start("%runai list")
    assert "Nothing runs or waits." in kernel.until_done()
    first = client.submit(spec(UNTIL_STOPPED, gpu=2, name="first", grace_s=0))
    until(client, first.id, running)
    kernel.start("%runai list")
    assert "first" in kernel.until_said("running")
    kernel.until_done()
    second = client.submit(spec(UNTIL_STOPPED, gpu=2, name="second", grace_s=0))
    kernel.until_said("second")
    client.stop(first.id)
    until(client, second.id, running)
    outcome(client, first.id)
    assert "watched: False" in kernel.run(IS_WATCHED)
    kernel.run("%runai devices")
    client.stop(second.id)
    assert "second" not in kernel.until_said("0.00").rpartition("device")[2]
    client.close()


def test_a_terminal_has_the_text(client: Client) -> None:
    code = "%load_ext jupyter_runai\n%runai devices"
    said = subprocess.run([sys.executable, "-m", "IPython", "-c", code], capture_output=True, text=True, check=True)
    assert "0 simulated A100 80GB  0.00" in said.stdout
    assert "<table" not in said.stdout
