"""What a kernel offers to complete in `%runai` and `%%runai` lines."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from jupyter_runai.client import Client
from tests.helpers import spec
from tests.notebooks.live import LiveKernel


def test_verbs_options_and_names_are_completed(kernel: LiveKernel) -> None:
    client = Client()
    client.submit(spec(gpu="0.5", name="digits"))
    kernel.run("model = 1; modest = 2")
    assert kernel.complete("%runai lo") == ["%runai logs"]
    assert kernel.complete("%%runai ") == ["%%runai run", "%%runai train"]
    assert kernel.complete("%%runai train --dev") == ["%%runai train --devices"]
    assert kernel.complete("%%runai train --gpu-memory-") == ["%%runai train --gpu-memory-limit"]
    assert kernel.complete("%%runai run --priority ve") == [
        "%%runai run --priority very-high",
        "%%runai run --priority very-low",
    ]
    assert kernel.complete("%runai logs d") == ["%runai logs digits"]
    assert kernel.complete("%%runai train --project ") == ["%%runai train --project default"]
    assert kernel.complete("%%runai train -o model,mod") == [
        "%%runai train -o model,model",
        "%%runai train -o model,modest",
    ]
    assert kernel.complete("%runai sub") == ["%runai submit"]
    assert kernel.complete("%runai describe d") == ["%runai describe digits"]
    assert kernel.complete("%runai submit --kind i") == [
        "%runai submit --kind inference",
        "%runai submit --kind interactive",
    ]
    assert kernel.complete("%runai submit --gpu ") == ["%runai submit --gpu auto"]
    assert kernel.complete("%%runai train --gpu a") == ["%%runai train --gpu auto"]
    assert kernel.complete("%runai export digits --format k") == ["%runai export digits --format kubernetes"]
    assert kernel.complete("%runai top --j") == ["%runai top --json"]
    assert kernel.complete("%runai workspace res") == ["%runai workspace resume"]
    assert kernel.complete("%runai workspace list --j") == ["%runai workspace list --json"]
    assert kernel.complete("%runai usage --by pro") == ["%runai usage --by project"]
    assert "--workers" not in "".join(kernel.complete("%%runai train --workers 2 --w"))


def test_other_cells_are_completed_as_ever(kernel: LiveKernel) -> None:
    kernel.run("model = 1")
    assert kernel.complete("%%runai train\nmode") == ["%%runai train\nmodel"]
    assert "print" in kernel.complete("prin")


def test_an_engine_that_does_not_answer_keeps_nobody_waiting(kernel: LiveKernel, simulated: Path) -> None:
    client = Client()
    client.submit(spec(gpu="0.5", name="digits"))
    assert kernel.complete("%runai logs d") == ["%runai logs digits"]
    pid = client.info().pid
    os.kill(pid, signal.SIGSTOP)
    try:
        # What was known before; what was not is left out.
        assert kernel.complete("%runai logs d") == ["%runai logs digits"]
        assert "%%runai train --project default" not in kernel.complete("%%runai train --project ")
    finally:
        os.kill(pid, signal.SIGCONT)
