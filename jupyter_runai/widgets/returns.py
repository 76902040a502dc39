"""Variables on their way back from a workload, whether a page shows that or not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing

from jupyter_runai.client import AsyncClient
from jupyter_runai.widgets import strings
from jupyter_runai.widgets.jobs import Job
from scheduler_core.errors import RunaiError
from scheduler_core.workload import Workload

_log = logging.getLogger(__name__)
_waiting: set[asyncio.Task[None]] = set()


class Returns:
    """Brings back what a job's workload leaves at its end, then calls `returned` with it; `said` is how far that is.

    Belongs to one event loop.
    """

    def __init__(self, client: AsyncClient, job: Job, workload: Workload, returned: Callable[[Workload], None]) -> None:
        self.said = strings.BRINGS_BACK.format(", ".join(job.outputs))
        self._client = client
        self._job = job
        self._returned = returned
        task = asyncio.ensure_future(self._bring_back(workload))
        # An event loop alone does not keep its tasks alive.
        _waiting.add(task)
        task.add_done_callback(_waiting.discard)

    async def _bring_back(self, submitted: Workload) -> None:
        workload = submitted
        try:
            async with aclosing(self._client.changes(submitted.id)) as changes:
                async for change in changes:
                    workload = change
            self.said = await asyncio.to_thread(self._job.bring_back, workload)
        except RunaiError as error:
            self.said = str(error)
        except Exception:
            _log.exception("What a workload has left could not be brought back")
            self.said = strings.NOT_BACK.format(", ".join(self._job.outputs))
        self._returned(workload)
