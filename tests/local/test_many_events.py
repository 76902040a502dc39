"""Streams of an engine that has much to tell, to clients that are slow to listen."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from jupyter_runai.client import Client
from scheduler_core.local import LocalEngine
from scheduler_core.workload import EngineState
from tests.helpers import UNTIL_STOPPED, spec

MANY = 300


def test_everything_at_once_is_all_there_also_for_one_who_fell_behind(client: Client) -> None:
    first_in_line = client.submit(spec(UNTIL_STOPPED, gpu=2, grace_s=0))
    waiting = [client.submit(spec("pass # ü", gpu=2)).id for _ in range(MANY)]

    async def listen() -> tuple[EngineState, list[int], EngineState]:
        engine = LocalEngine()
        async with aclosing(engine.watch()) as events:
            first = await anext(events)
            assert isinstance(first, EngineState)
            # Meanwhile it does not listen: more is told than anybody keeps for it.
            for name in 3 * waiting:
                await engine.suspend(name)
                await engine.resume(name)
            heard = []
            async for event in events:
                if isinstance(event, EngineState):
                    await engine.close()
                    return first, heard, event
                heard.append(event.seq)
            raise AssertionError("the stream ended")

    first, heard, again = asyncio.run(listen())
    for state in (first, again):
        assert {workload.id for workload in state.workloads} == {first_in_line.id, *waiting}
    assert heard == list(range(first.seq + 1, first.seq + 1 + len(heard)))
    assert again.seq > heard[-1]
