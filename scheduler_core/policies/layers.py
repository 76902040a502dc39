"""From what the cluster, a department and a project say to what holds: each may only tighten what is above it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from msgspec.structs import replace

from scheduler_core.policies.policy import ACTIONS, FieldPolicy, IdlePolicy, Layer, Policy, Said
from scheduler_core.workload import Action, Kind

_NOTHING = FieldPolicy()


def policy_of(project: str, kind: Kind, layers: Iterable[Layer]) -> Policy:
    """What holds in a project for a kind; `layers` from the widest to the narrowest."""
    policy = Policy(project=project, kind=kind)
    for layer in layers:
        policy = with_layer(policy, layer)
    fields = {name: replace(field, default=_bounded(field)) for name, field in policy.fields.items()}
    return replace(policy, fields=fields)


def with_layer(policy: Policy, layer: Layer) -> Policy:
    """What holds once this layer has spoken as well."""
    names = dict.fromkeys([*policy.fields, *layer.fields])
    fields = {name: _tightened(policy.fields.get(name, _NOTHING), layer.fields.get(name, _NOTHING)) for name in names}
    return replace(policy, fields=fields, idle=_idle(policy.idle, layer.idle))


def loosened(above: Policy, layer: Layer) -> tuple[str, str, Said] | None:
    """The field and rule with which a layer says less than what is above it, and what that is; null for none."""
    for name, field in layer.fields.items():
        known = above.fields.get(name, _NOTHING)
        for rule in ("min", "max", "required"):
            ours, theirs = getattr(field, rule), getattr(known, rule)
            if ours is not None and theirs is not None and _stricter(rule, ours, theirs) is not ours:
                return name, rule, theirs
    for rule in ("after", "action"):
        ours, theirs = getattr(layer.idle, rule), getattr(above.idle, rule)
        if ours is not None and theirs is not None and _stricter(rule, ours, theirs) is not ours:
            return "idle", rule, theirs
    return None


def warnings_of(idle: IdlePolicy) -> tuple[float, ...]:
    """The seconds without use at which a warning is due; where nobody says, at half of the time and at nine tenths."""
    if idle.after is None:
        return ()
    after = cast(float, idle.after.value)
    said = (after / 2, after * 0.9) if idle.warn is None else cast(tuple[float, ...], idle.warn.value)
    return tuple(sorted(seconds for seconds in said if seconds < after))


def _tightened(above: FieldPolicy, ours: FieldPolicy) -> FieldPolicy:
    return FieldPolicy(
        default=ours.default or above.default,
        min=_strictest("min", above.min, ours.min),
        max=_strictest("max", above.max, ours.max),
        options=(*above.options, *ours.options),
        required=_strictest("required", above.required, ours.required),
    )


def _idle(above: IdlePolicy, ours: IdlePolicy) -> IdlePolicy:
    return IdlePolicy(
        after=_strictest("after", above.after, ours.after),
        warn=ours.warn or above.warn,
        action=_strictest("action", above.action, ours.action),
    )


def _strictest(rule: str, above: Said | None, ours: Said | None) -> Said | None:
    if above is None or ours is None:
        return ours or above
    return _stricter(rule, ours, above)


def _stricter(rule: str, ours: Said, above: Said) -> Said:
    """Of two values the one that allows less; the narrower scope's where they are the same."""
    one, other = ours.value, above.value
    if rule == "action":
        one, other = ACTIONS.index(cast(Action, one)), ACTIONS.index(cast(Action, other))
    if rule in ("max", "after"):
        return ours if cast(float, one) <= cast(float, other) else above
    return ours if cast(float, one) >= cast(float, other) else above


def _bounded(field: FieldPolicy) -> Said | None:
    """The default, moved to the bound where one is tighter; none where it is no option any more."""
    default = field.default
    if default is None or not is_option(default.value, field):
        return None
    value = cast(float, default.value)
    if field.max is not None and value > cast(float, field.max.value):
        return replace(field.max, bounded="at most")
    if field.min is not None and value < cast(float, field.min.value):
        return replace(field.min, bounded="at least")
    return default


def is_option(value: object, field: FieldPolicy) -> bool:
    """Whether all who name options name this one."""
    return all(value in cast(tuple[object, ...], said.value) for said in field.options)
