"""What queues deserved, got and held, and why work waited in them, as people and programs ask for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from scheduler_core.accounting.usage import UsageStep


class QueueStep(Struct, frozen=True, kw_only=True, gc=False):
    """A queue in one step, which begins at `at` (seconds since the epoch), as far as the engine looked: `observed` ms.

    In thousandths of a device times milliseconds `quota` and `fair_share` (null where unlimited in some of it),
    `allocated` and `requested`; these over `observed` are the mean. `waits` are the milliseconds that workloads of a
    project waited, by the code of the verdict that said why.
    """

    at: float
    queue: str
    parent: str | None = None
    observed: int = 0
    quota: int | None = 0
    fair_share: int | None = 0
    allocated: int = 0
    requested: int = 0
    waits: Mapping[str, int] = {}

    def devices(self, amount: int | None) -> float | None:
        """One of the sums above as the mean number of devices; null for none, and where nobody looked."""
        return None if amount is None or not self.observed else amount / self.observed / 1000


class QueueHistory(Struct, frozen=True, kw_only=True):
    """Queues in [since, until), in seconds since the epoch, oldest step first and in it by name.

    Steps are as fine as asked for as far as that is kept: minutes for a day, hours for 35 days, days for ever.
    """

    step: UsageStep
    since: float
    until: float
    rows: tuple[QueueStep, ...]
    simulated: bool = False


def added(steps: Iterable[QueueStep]) -> tuple[QueueStep, ...]:
    """The sums of what is of one queue and begins at one time, in the order of a history."""
    sums: dict[tuple[float, str], QueueStep] = {}
    for step in steps:
        key = (step.at, step.queue)
        known = sums.get(key)
        sums[key] = step if known is None else _sum(known, step)
    return tuple(sums[key] for key in sorted(sums))


def together(history: QueueHistory) -> tuple[QueueStep, ...]:
    """Each queue over all steps of a history."""
    return added(replace(step, at=history.since) for step in history.rows)


def _sum(one: QueueStep, other: QueueStep) -> QueueStep:
    waits = dict(one.waits)
    for code, waited in other.waits.items():
        waits[code] = waits.get(code, 0) + waited
    return QueueStep(
        at=one.at,
        queue=one.queue,
        parent=other.parent or one.parent,
        observed=one.observed + other.observed,
        quota=_plus(one.quota, other.quota),
        fair_share=_plus(one.fair_share, other.fair_share),
        allocated=one.allocated + other.allocated,
        requested=one.requested + other.requested,
        waits=waits,
    )


def _plus(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
