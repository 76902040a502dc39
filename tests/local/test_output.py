"""An output that grows without end: its newest part is kept, each byte at its place."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jupyter_runai.client import Client
from jupyter_runai.verbs.line import run_verb
from jupyter_runai.verbs.options import verb_parsers
from scheduler_core.local import LocalEngine
from scheduler_core.local.access.settings import Settings
from scheduler_core.workload import Output
from tests.helpers import outcome, spec, until_said

LINE = 100
LINES = 120_000
WRITES = f"""
import signal, sys
for number in range({LINES}):
    sys.stdout.write(f'{{number:0{LINE - 1}}}\\n')
sys.stdout.flush()
print('written', flush=True)
signal.pause()
"""


@pytest.fixture
def client(engine_directory: Path) -> Client:
    """A client of an engine that keeps little output."""
    Settings(simulate="1xA100-80GB", output_mib=4).write(engine_directory)
    return Client()


async def pieces(workload_id: str, offset: int = 0) -> list[Output]:
    engine = LocalEngine()
    found = [piece async for piece in engine.logs(workload_id, offset)]
    await engine.close()
    return found


def test_of_a_long_output_the_newest_part_is_kept_at_its_offsets(client: Client, engine_directory: Path) -> None:
    workload = client.submit(spec(WRITES))
    until_said(client, workload.id, "written")
    while (kept := asyncio.run(pieces(workload.id)))[0].offset == 0:
        pass
    assert LINES * LINE - kept[0].offset < 4 * 1024 * 1024
    text = b"".join(piece.data for piece in kept)
    first = int(text[:LINE])
    assert first * LINE == kept[0].offset
    assert text == b"".join(b"%0*d\n" % (LINE - 1, number) for number in range(first, LINES)) + b"written\n"
    (log,) = engine_directory.glob("simulated/workloads/*/output.log")
    assert log.stat().st_blocks * 512 < 4 * 1024 * 1024
    # Whoever had read some of what has gone goes on behind it.
    assert asyncio.run(pieces(workload.id, 5000))[0] == kept[0]
    assert asyncio.run(pieces(workload.id, kept[0].offset + LINE))[0].data[:LINE] == text[LINE : 2 * LINE]
    missing = f"runai: {kept[0].offset:,} bytes of output are not kept any more."
    assert b"".join(client.logs(workload.id)).decode().startswith(missing)
    assert run_verb(client, "logs", verb_parsers("x")["logs"].parse([workload.name])).endswith("written")
    client.stop(workload.id)
    assert outcome(client, workload.id)[1].startswith(missing)
