"""A disk that is full refuses what is new and loses nothing."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest

from jupyter_runai.client import Client
from scheduler_core.errors import StorageFull
from tests.helpers import outcome, running, spec, until

UNTIL_TOLD = "import os\nopen(os.environ['GO']).read()"


def fill(disk: Path) -> Path:
    """Leave no byte free."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for piece in (65536, 1):
            with suppress(OSError):
                while file.write(b"x" * piece):
                    pass
    return filler


def test_nothing_is_submitted_and_what_runs_ends_well(small_disk: Path, tmp_path: Path) -> None:
    go = tmp_path / "go"
    os.mkfifo(go)
    client = Client()
    client.simulate("2xA100-80GB")
    first = client.submit(spec(UNTIL_TOLD, gpu=2, env={"GO": str(go)}))
    until(client, first.id, running)
    waiting = client.submit(spec("print('at last')", gpu=2))
    filler = fill(small_disk)
    with pytest.raises(StorageFull, match="is full"):
        client.submit(spec(gpu="0.5", env={"PADDING": "x" * 100_000}))
    assert [workload.id for workload in client.list()] == [first.id, waiting.id]
    go.write_text("go")
    until(client, first.id, lambda workload: workload.state == "completed")
    filler.unlink()
    assert outcome(client, waiting.id)[1] == "at last\n"
    assert outcome(client, client.submit(spec()).id)[0].state == "completed"
