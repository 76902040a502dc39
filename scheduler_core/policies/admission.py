"""A submission under a policy: what it gets where it says nothing, and why it is refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import cast

from msgspec import Struct
from msgspec.structs import replace

from scheduler_core.errors import NotAllowed
from scheduler_core.policies.fields import FIELDS, MODELS, POOLS, Field, Offer
from scheduler_core.policies.layers import is_option
from scheduler_core.policies.policy import FieldPolicy, Policy, Said
from scheduler_core.workload import WorkloadSpec

_NOTHING = FieldPolicy()


class Breach(Struct, frozen=True, kw_only=True):
    """A field that is not as its policy says, in a sentence, and what to do; `is_missing` where it was not said."""

    field: str
    message: str
    hint: str
    is_missing: bool = False


class Admitted(Struct, frozen=True, kw_only=True):
    """A submission as it is taken, and in sentences what of it the policy has chosen."""

    spec: WorkloadSpec
    notes: tuple[str, ...] = ()


def admitted(spec: WorkloadSpec, policy: Policy, offer: Offer) -> Admitted:
    """The submission with what its policy adds.

    Raises:
        NotAllowed: the policy does not allow it; the message says who does not, the hint what would be allowed.
    """
    filled, notes = _filled(spec, policy, offer)
    found = tuple(breaches(filled, policy, offer))
    if found:
        raise refused(found)
    filled, models = on_allowed_models(filled, policy, offer)
    limit = policy.fields.get("max_time", _NOTHING).max
    if limit is not None and filled.max_run_s is None:
        notes = [*notes, f"stopped after {because('max_time', replace(limit, bounded='at most'))}"]
    return Admitted(spec=filled, notes=(*notes, *models))


def refused(found: Sequence[Breach]) -> NotAllowed:
    """The refusal of what breaks a policy."""
    hints = dict.fromkeys(breach.hint for breach in found if breach.hint)
    return NotAllowed(
        " ".join(breach.message for breach in found),
        " ".join([*hints, "All that holds: %runai policy explain"]),
    )


def breaches(spec: WorkloadSpec, policy: Policy, offer: Offer) -> Iterator[Breach]:
    """What of a submission its policy does not allow; what it leaves out breaks a policy that requires it."""
    for name, holds in policy.fields.items():
        field = FIELDS[name]
        value = field.of(spec, offer)
        if holds.required is not None and holds.required.value and not field.is_said(spec):
            yield Breach(
                field=name,
                message=f"{name} is missing: {holds.required.source} requires it.",
                hint=f"Say it: {_option(name)}.",
                is_missing=True,
            )
        elif value is not None:
            yield from _out_of_range(field, value, holds)
    yield from _wrong_device(spec, policy, offer)


def because(name: str, said: Said) -> str:
    """A value with who says it: "0.5 because project vision says at most 0.5"."""
    text = FIELDS[name].unit.text(said.value)
    if said.bounded:
        return f"{text} because {said.source} says {said.bounded} {text}"
    return f"{text} because {said.source} says so where nothing is asked for"


def matches(name: str, holds: FieldPolicy) -> bool:
    """Whether all who name patterns have one for this name."""
    return all(any(fnmatchcase(name, pattern) for pattern in cast(Sequence[str], said.value)) for said in holds.options)


def _filled(spec: WorkloadSpec, policy: Policy, offer: Offer) -> tuple[WorkloadSpec, list[str]]:
    """With the defaults where nothing was said, and inside the bounds where what its kind brings is outside."""
    notes: list[str] = []
    for name, holds in policy.fields.items():
        field = FIELDS[name]
        if field.put is None or field.is_said(spec):
            continue
        chosen = holds.default or _inside(field, field.of(spec, offer), holds)
        if chosen is not None:
            spec = field.put(spec, chosen.value)
            notes.append(f"{name} {because(name, chosen)}")
    return spec, notes


def _inside(field: Field, value: object, holds: FieldPolicy) -> Said | None:
    """The bound that the kind's own value is beyond; null where it may stay."""
    if value is None:
        return None
    if holds.max is not None and cast(float, value) > cast(float, holds.max.value):
        return replace(holds.max, bounded="at most")
    if holds.min is not None and cast(float, value) < cast(float, holds.min.value):
        return replace(holds.min, bounded="at least")
    if not is_option(value, holds):
        said = holds.options[-1]
        first = next((one for one in cast(Sequence[str], said.value) if is_option(one, holds)), None)
        return None if first is None else replace(said, value=first)
    return None


def _out_of_range(field: Field, value: object, holds: FieldPolicy) -> Iterator[Breach]:
    text = field.unit.text
    if holds.max is not None and cast(float, value) > cast(float, holds.max.value):
        yield _beyond(field, value, "at most", holds.max)
    if holds.min is not None and cast(float, value) < cast(float, holds.min.value):
        yield _beyond(field, value, "at least", holds.min)
    for said in holds.options:
        if value not in cast(Sequence[object], said.value):
            allowed = ", ".join(text(one) for one in cast(Sequence[str], said.value))
            yield Breach(
                field=field.name,
                message=f"{field.name} is {text(value)} and {said.source} allows {allowed}.",  # type: ignore[arg-type]
                hint=f"Choose one: {_option(field.name)}.",
            )


def _beyond(field: Field, value: object, side: str, bound: Said) -> Breach:
    asked, allowed = field.unit.text(value), field.unit.text(bound.value)  # type: ignore[arg-type]
    return Breach(
        field=field.name,
        message=f"{field.name} is {asked} and {bound.source} says {side} {allowed}.",
        hint=f"Ask for {allowed} or {'less' if side == 'at most' else 'more'}: {_option(field.name)}.",
    )


def _wrong_device(spec: WorkloadSpec, policy: Policy, offer: Offer) -> Iterator[Breach]:
    """Models and pools: of a submission that takes a device there has to be one of those that are allowed."""
    if not FIELDS["gpu"].of(spec, offer):
        return
    holds = policy.fields.get(MODELS, _NOTHING)
    wanted = spec.request.models if spec.request.models is not None else tuple(offer.models)
    if holds.options and wanted and not any(matches(model, holds) for model in wanted):
        yield _not_among(MODELS, ", ".join(wanted), holds)
    pools = policy.fields.get(POOLS, _NOTHING)
    if not matches(offer.pool, pools):
        yield _not_among(POOLS, offer.pool, pools)


def _not_among(name: str, given: str, holds: FieldPolicy) -> Breach:
    said = holds.options[-1]
    allowed = ", ".join(cast(Sequence[str], said.value))
    word = "devices" if name == MODELS else "node pools"
    return Breach(
        field=name,
        message=f"The {word} here are {given}, and {said.source} allows {allowed}.",
        hint="Submit it in another project, or elsewhere.",
    )


def on_allowed_models(spec: WorkloadSpec, policy: Policy, offer: Offer) -> tuple[WorkloadSpec, list[str]]:
    """A submission that any device would do for, kept off the models that its policy does not allow."""
    holds = policy.fields.get(MODELS, _NOTHING)
    wanted = spec.request.models if spec.request.models is not None else tuple(offer.models)
    allowed = tuple(model for model in wanted if matches(model, holds))
    if not holds.options or allowed == wanted or not FIELDS["gpu"].of(spec, offer):
        return spec, []
    note = f"on {', '.join(allowed)} because {holds.options[-1].source} allows no other devices"
    return replace(spec, request=replace(spec.request, models=allowed)), [note]


def _option(name: str) -> str:
    return {"devices": "--gpu, --workers", "preemptible": "preemptible"}.get(name, f"--{name.replace('_', '-')}")
