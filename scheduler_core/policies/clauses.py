"""A policy as the lines that people read: what holds, and because of whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from msgspec import Struct

from scheduler_core.policies.fields import FIELDS
from scheduler_core.policies.layers import warnings_of
from scheduler_core.policies.policy import IdlePolicy, Policy, Said
from scheduler_core.quantities import time_text
from scheduler_core.workload import Action, Kind

_WORDS = {"default": "by default", "min": "at least", "max": "at most", "options": "one of"}


class Clause(Struct, frozen=True, kw_only=True):
    """One thing that holds: of a `field` a `rule` (default, min, max, options, required; of idle after, warn, action).

    `value` is written as people write it, `source` says who says so, on which line of the file (0: nobody, by itself).
    """

    field: str
    rule: str
    value: str
    source: str
    line: int
    sentence: str


class PolicyClauses(Struct, frozen=True, kw_only=True):
    """All that holds for work of a kind in a project."""

    project: str
    kind: Kind
    clauses: tuple[Clause, ...]


class Hit(Struct, frozen=True, kw_only=True):
    """A workload that policies act on or warn of: what is said of it, and when (null: at once) the action follows.

    `is_new` where the present policies do not.
    """

    workload: str
    name: str
    owner: str
    project: str
    message: str
    action: Action
    acts_at: float | None
    is_new: bool


class PolicyCheck(Struct, frozen=True, kw_only=True):
    """Whom a file of policies would hit now; nothing is done to them."""

    hits: tuple[Hit, ...]


def clauses_of(policy: Policy) -> PolicyClauses:
    """A policy as its lines, in the order of the fields."""
    lines = tuple(clause for name in FIELDS for clause in _of_field(policy, name))
    return PolicyClauses(project=policy.project, kind=policy.kind, clauses=(*lines, *_of_idle(policy.idle)))


def _of_field(policy: Policy, name: str) -> Iterator[Clause]:
    holds = policy.fields.get(name)
    if holds is None:
        return
    text = FIELDS[name].unit.text
    for rule in ("default", "min", "max"):
        said: Said | None = getattr(holds, rule)
        if said is not None:
            bounded = f" because {said.source} says {said.bounded} {text(said.value)}" if said.bounded else ""
            sentence = f"{name}: {_WORDS[rule]} {text(said.value)}{bounded or _who(said)}"
            yield _clause(name, rule, text(said.value), said, sentence)
    for said in holds.options:
        value = ", ".join(text(one) for one in cast(tuple[str, ...], said.value))
        yield _clause(name, "options", value, said, f"{name}: {_WORDS['options']} {value}{_who(said)}")
    if holds.required is not None and holds.required.value:
        yield _clause(name, "required", "true", holds.required, f"{name}: has to be said{_who(holds.required)}")


def _of_idle(idle: IdlePolicy) -> Iterator[Clause]:
    if idle.after is None:
        return
    after = time_text(cast(float, idle.after.value))
    action = "suspend" if idle.action is None else str(idle.action.value)
    sentence = f"idle: {_ACTIONS[action]} after {after} without use of its GPU{_who(idle.after)}"
    yield _clause("idle", "after", after, idle.after, sentence)
    if idle.action is not None:
        yield _clause("idle", "action", action, idle.action, f"idle: {action}{_who(idle.action)}")
    times = ", ".join(time_text(seconds) for seconds in warnings_of(idle))
    said = idle.warn or idle.after
    yield _clause("idle", "warn", times, said, f"idle: warned after {times}{'' if idle.warn is None else _who(said)}")


_ACTIONS = {"release": "its devices are released", "suspend": "suspended", "stop": "stopped"}


def _who(said: Said) -> str:
    return f", says {said.source}"


def _clause(field: str, rule: str, value: str, said: Said, sentence: str) -> Clause:
    return Clause(
        field=field, rule=rule, value=value, source=str(said.source), line=said.source.line, sentence=sentence
    )
