"""A workload that calls a function, from the outside: what it does, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any, Generic, TypeVar

from jupyter_runai.client import Client, never_starts, shared_client
from jupyter_runai.functions.errors import Detached, door
from jupyter_runai.functions.options import of_another_amount
from jupyter_runai.functions.outcomes import Outcome, outcome_of
from jupyter_runai.pickling.shell import as_if_raised_outside
from jupyter_runai.verbs.options import scale_to
from jupyter_runai.words.figures import state_words
from scheduler_core.errors import RunaiError
from scheduler_core.workload import Resized, State, Workload

R = TypeVar("R")


class Handle(Generic[R]):
    """A function's workload. It goes on without its handle, and `runai.get` makes another one, in any kernel.

    `await handle` gives the result without blocking the kernel; `result()` blocks. Both raise what the function raised,
    or a `RemoteError` where that cannot be had here.
    """

    def __init__(self, client: Client, workload: Workload) -> None:
        self._client = client
        self._outcome: Outcome | None = None
        self.id = workload.id
        self.name = workload.name

    @property
    def workload(self) -> Workload:
        """All that the engine says of it now."""
        return self._client.get(self.id)

    @property
    def state(self) -> State:
        return self.workload.state

    def done(self) -> bool:
        """Whether it has ended."""
        return self.workload.has_ended

    @door
    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has ended; false where that takes more than `timeout` seconds.

        Raises:
            KeyboardInterrupt: somebody interrupted the waiting; the workload goes on.
        """
        try:
            self._wait(timeout)
        except TimeoutError:
            return False
        return True

    @door
    def result(self, timeout: float | None = None) -> R:
        """What the function returned, once it has.

        Raises:
            Exception: what the function raised, with the remote traceback as its cause.
            RemoteError: that cannot be had here, or the workload ended without raising anything.
            TimeoutError: it takes more than `timeout` seconds; it goes on.
            InvalidRequest: it can never start here, and is withdrawn.
            KeyboardInterrupt: somebody interrupted the waiting; the workload goes on.
        """
        outcome = self._ended(timeout)
        if outcome.error is not None:
            raise as_if_raised_outside(outcome.error)
        value: R = outcome.value
        return value

    @door
    def exception(self, timeout: float | None = None) -> Exception | None:
        """What `result()` would raise of the function; null where it returned. Waits as `result()` does."""
        return self._ended(timeout).error

    def __await__(self) -> Generator[Any, None, R]:
        return self._awaited().__await__()

    def logs(self, task: int = 0) -> str:
        """What a task has printed so far."""
        return b"".join(self._client.logs(self.id, task)).decode(errors="replace")

    @door
    def cancel(self) -> bool:
        """Stop it for good, as `%runai stop` does; false where it had ended already."""
        if self.done():
            return False
        self._client.stop(self.id)
        return True

    @door
    def resize(
        self,
        *,
        gpu: float | str | None = None,
        gpu_memory: str | None = None,
        gpu_limit: float | str | None = None,
        gpu_memory_limit: str | None = None,
    ) -> Resized:
        """Change what it asks for: now where that is possible, else from its next start on; the answer says which."""
        limits = {"gpu_limit": gpu_limit, "gpu_memory_limit": gpu_memory_limit}
        amount = {"gpu": gpu, "gpu_memory": gpu_memory, **limits}
        return self._client.resize(self.id, of_another_amount(self.workload.request, amount))

    @door
    def scale(self, *, workers: int | str) -> Resized:
        """Change how many tasks it has, "2:8" for an elastic number; the answer is as that of `resize`."""
        return self._client.scale(self.id, scale_to(workers))

    def __repr__(self) -> str:
        try:
            words = state_words(self.workload)
        except RunaiError as error:
            words = error.message
        return f"<{self.name} ({self.id}): {words}>"

    def _ended(self, timeout: float | None) -> Outcome:
        if self._outcome is None:
            self._outcome = outcome_of(self._client, self._wait(timeout))
        return self._outcome

    def _wait(self, timeout: float | None) -> Workload:
        settled = self._client.settled(self.id)
        try:
            workload = settled.result(timeout)
        except TimeoutError:
            settled.cancel()
            workload = self.workload
            if not workload.has_ended:
                late = f"After {timeout:g} s {self.name} is {state_words(workload)}; it goes on."
                raise TimeoutError(late) from None
        except KeyboardInterrupt:
            settled.cancel()
            raise Detached(f"{self.name} goes on. runai.get({self.name!r}).result() waits for it again.") from None
        return self._client.stop(self.id) if _is_to_be_withdrawn(workload) else workload

    async def _awaited(self) -> R:
        await asyncio.wrap_future(self._client.settled(self.id))
        return await asyncio.to_thread(self.result)


@door
def get(reference: str) -> Handle[Any]:
    """A handle of the workload of this id or name; of several with one name the live one, else the newest.

    Raises:
        NotFound: no workload is called so; the hint names the nearest.
        Conflict: several live ones are.
    """
    client = shared_client()
    return Handle(client, client.find(reference))


def _is_to_be_withdrawn(workload: Workload) -> bool:
    return not workload.has_ended and never_starts(workload)
