"""Work that runs under a policy: what is due of it, decided from facts and a time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from msgspec import Struct

from scheduler_core.policies.admission import Breach
from scheduler_core.policies.layers import warnings_of
from scheduler_core.policies.policy import IdlePolicy, Policy, Said
from scheduler_core.quantities import time_text
from scheduler_core.workload import Action

IDLE, TIME = "idle", "max_time"
_LAST_TENTH = 0.9


class Standing(Struct, frozen=True, kw_only=True):
    """The facts about work that runs; times are seconds since the epoch.

    `idle_since` is when it last made use of what it holds, null where it does now or nobody knows; its owner put that
    off at `snoozed`. `ran_s` is how long it has run in all; `breaks` is what its policy does not allow, noticed at
    `broken_since`.
    """

    ran_s: float
    idle_since: float | None = None
    snoozed: float | None = None
    breaks: tuple[Breach, ...] = ()
    broken_since: float = 0.0


class Due(Struct, frozen=True, kw_only=True):
    """What a rule has to say now: `stage` counts its warnings, and `is_now` says that the action is to be taken."""

    rule: str
    message: str
    since: float
    action: Action
    acts_at: float
    stage: int
    is_now: bool


def due(policy: Policy, standing: Standing, grace_s: float, now: float) -> Due | None:
    """What is due first of all that holds for this work; null while nothing is to be said."""
    candidates = (_idle(policy.idle, standing, now), _time(policy, standing, now), _broken(standing, grace_s, now))
    return min((one for one in candidates if one is not None), key=lambda one: one.acts_at, default=None)


def run_limit(policy: Policy) -> Said | None:
    """For how long work may run in all, and who says so; null for ever."""
    field = policy.fields.get(TIME)
    return None if field is None else field.max


def counted_from(standing: Standing) -> float | None:
    """From when on a lack of use counts: from the last use, or from when its owner put it off."""
    if standing.idle_since is None:
        return None
    return max(standing.idle_since, standing.snoozed or 0.0)


def _idle(idle: IdlePolicy, standing: Standing, now: float) -> Due | None:
    since = counted_from(standing)
    if idle.after is None or since is None:
        return None
    after = cast(float, idle.after.value)
    stage = sum(now - since >= seconds for seconds in warnings_of(idle))
    if not stage and now - since < after:
        return None
    action = "suspend" if idle.action is None else cast(Action, idle.action.value)
    limit = f"{idle.after.source} allows {time_text(after)}"
    return _due(IDLE, f"no use of its GPU, of which {limit}", since, since + after, action, stage, now)


def _time(policy: Policy, standing: Standing, now: float) -> Due | None:
    said = run_limit(policy)
    if said is None:
        return None
    limit = cast(float, said.value)
    if standing.ran_s < limit * _LAST_TENTH:
        return None
    what = f"it runs as long as {said.source} allows: {time_text(limit)}"
    return _due(TIME, what, now - standing.ran_s, now - standing.ran_s + limit, "stop", 1, now)


def _broken(standing: Standing, grace_s: float, now: float) -> Due | None:
    if not standing.breaks:
        return None
    since = standing.broken_since
    first = standing.breaks[0]
    return _due(first.field, told(standing.breaks), since, since + grace_s, "suspend", 1, now)


def told(breaks: Iterable[Breach]) -> str:
    """The sentences of what is not allowed, as one."""
    return " ".join(breach.message for breach in breaks).removesuffix(".")


def _due(rule: str, message: str, since: float, acts_at: float, action: Action, stage: int, now: float) -> Due:
    return Due(
        rule=rule,
        message=message,
        since=since,
        action=action,
        acts_at=acts_at,
        stage=stage,
        is_now=now >= acts_at,
    )
