"""Which workload a pod belongs to, by the objects that own it: their kinds say what is one, and how much is a gang."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from scheduler_core.kubernetes.api.connection import Json
from scheduler_core.kubernetes.state.owner_kinds import OWNER_KINDS, Condition, Members, OwnerKind, Path
from scheduler_core.workload import Kind

LEAST_ANNOTATION = "kai.scheduler/batch-min-member"
"""On a workload's object, or on a pod without an owner: so many of its pods start together."""
UNKNOWN = OwnerKind(group="", kind="")
"""Kinds that nobody has told us of: each object is a workload whose pods start one by one."""


class OwnerReference(Struct, frozen=True, rename="camel"):
    """Whose an object is."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool = False

    @property
    def group(self) -> str:
        return self.api_version.rpartition("/")[0]


class ObjectMeta(Struct, frozen=True, rename="camel"):
    """What of an object's metadata says whose it is and what it wants."""

    name: str
    uid: str
    namespace: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owner_references: tuple[OwnerReference, ...] = ()

    @property
    def owner(self) -> OwnerReference | None:
        """The one that controls it, else the first."""
        controllers = (reference for reference in self.owner_references if reference.controller)
        return next(controllers, self.owner_references[0] if self.owner_references else None)


class Gang(Struct, frozen=True):
    """So many pods that start together, and how many of them are of each role where roles are told apart."""

    least: int
    roles: dict[str, int] = {}


class Owner(Struct, frozen=True, kw_only=True):
    """An object above pods: what of it makes them a workload."""

    api_version: str
    kind: str
    metadata: ObjectMeta
    gang: Gang = Gang(1)

    @property
    def rule(self) -> OwnerKind:
        return rule_of(self.api_version.rpartition("/")[0], self.kind, self.metadata.labels)


class Grouped(Struct, frozen=True, kw_only=True):
    """The workload of a pod: the object that it is (`part` of it), and what is made of it where nothing says otherwise.

    `role` is the pod's in the gang. `labels` and `annotations` are those of all owners and of the pod, the outermost
    first.
    """

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str
    workload: Kind
    gang: Gang
    rule: OwnerKind
    part: str = ""
    role: str = ""
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}

    @property
    def id(self) -> str:
        """The same for all pods of a workload, and of no other."""
        return f"{self.uid}.{self.part}" if self.part else self.uid


def rule_of(group: str, kind: str, labels: Mapping[str, str]) -> OwnerKind:
    """The entry of a kind of object with these labels."""
    for rule in OWNER_KINDS:
        if (rule.group, rule.kind) == (group, kind) and (rule.labelled is None or rule.labelled in labels):
            return rule
    return UNKNOWN


def read_owner(content: Json) -> Owner:
    """An object above pods from its JSON. Raises msgspec.ValidationError where it is no object."""
    metadata = msgspec.convert(content["metadata"], ObjectMeta)
    found = Owner(api_version=content["apiVersion"], kind=content["kind"], metadata=metadata)
    spec = content.get("spec")
    return msgspec.structs.replace(found, gang=gang_of(found.rule, spec if isinstance(spec, dict) else {}))


def unreadable(reference: OwnerReference, namespace: str) -> Owner:
    """An object that may not be read, or is gone: all that is known is what refers to it."""
    metadata = ObjectMeta(name=reference.name, uid=reference.uid, namespace=namespace)
    return Owner(api_version=reference.api_version, kind=reference.kind, metadata=metadata)


def grouped(pod: ObjectMeta, owners: tuple[Owner, ...]) -> Grouped:
    """The workload of a pod with these owners, the nearest first."""
    itself = Owner(api_version="v1", kind="Pod", metadata=pod)
    chain = [itself, *owners]
    while len(chain) > 1 and chain[-1].rule.is_outer:
        chain.pop()
    top = chain[-1]
    formed = chain[-2] if top.rule.is_wrapper and len(chain) > 1 else top
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    for owner in (itself, *owners):
        labels |= owner.metadata.labels
        annotations |= owner.metadata.annotations
    part = pod.labels.get(top.rule.parted_by, "") if top.rule.parted_by else ""
    is_bare = top is itself
    return Grouped(
        api_version=top.api_version,
        kind=top.kind,
        namespace=pod.namespace,
        name=(part or pod.name) if is_bare else top.metadata.name,
        # Pods that nothing but a label holds together have no object in common.
        uid=f"{pod.namespace}/{top.rule.parted_by}" if top.kind == "Pod" and part else top.metadata.uid,
        workload=top.rule.workload,
        gang=_asked(top.metadata.annotations.get(LEAST_ANNOTATION), formed.gang),
        rule=top.rule,
        part=part,
        role=pod.labels.get(formed.rule.role_label, "") if formed.rule.role_label else "",
        labels=labels,
        annotations=annotations,
    )


def gang_of(rule: OwnerKind, spec: Json) -> Gang:
    """The gang that an object of this kind asks for with its spec."""
    if rule.one_by_one is not None and _holds(rule.one_by_one, spec):
        return Gang(1)
    roles = {role: count for members in rule.members for role, count in _counted(members, spec) if count > 0}
    whole = max(1, sum(roles.values()))
    least = next((number for path in rule.least if (number := _number(_at(spec, path)))), whole)
    return Gang(least, _shared_out(roles, least) if rule.role_label else {})


def _asked(annotation: str | None, gang: Gang) -> Gang:
    if annotation is None or not annotation.isdecimal() or not int(annotation):
        return gang
    least = int(annotation)
    return Gang(least, _shared_out(gang.roles, least) if least <= sum(gang.roles.values()) else {})


def _shared_out(roles: Mapping[str, int], least: int) -> dict[str, int]:
    """The smaller roles first: without its leader no part of a gang gets anywhere."""
    found: dict[str, int] = {}
    for role in sorted(roles, key=lambda role: roles[role]):
        found[role] = min(roles[role], least - sum(found.values()))
    return {role: found[role] for role in roles if found[role]}


def _counted(members: Members, spec: Json) -> Iterator[tuple[str, int]]:
    parts = _at(spec, members.at)
    if parts is None:
        return
    for role, part in _parts(members, parts):
        if members.unless is None or not (_holds(members.unless, spec) or _holds(members.unless, part)):
            count = 1
            for names in members.counts:
                numbers = [number for name in names if (number := _number(_at(part, name))) is not None]
                count *= next(filter(None, numbers), 0) if numbers else 1
            yield role, count


def _parts(members: Members, parts: Any) -> Iterator[tuple[str, Any]]:
    if members.role:
        yield members.role, parts
    elif isinstance(parts, dict):
        yield from ((str(role).lower(), part) for role, part in parts.items())
    elif isinstance(parts, list):
        yield from ((str(_at(part, members.named_by)), part) for part in parts)


def _holds(condition: Condition, spec: Any) -> bool:
    return bool(_at(spec, condition.field) == condition.value)


def _number(found: Any) -> int | None:
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def _at(content: Any, path: Path) -> Any:
    for name in path.split(".") if path else ():
        content = content.get(name) if isinstance(content, dict) else None
    return content
