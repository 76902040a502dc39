"""What holds for the work of one project and kind, and who says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

from scheduler_core.workload import Action, Kind

ACTIONS: tuple[Action, ...] = ("release", "suspend", "stop")
"""From the mildest to the one that nothing comes back from."""

Scope: TypeAlias = Literal["cluster", "department", "project"]
Value: TypeAlias = bool | int | float | str | tuple[str, ...] | tuple[float, ...]
"""Devices are in thousandths, times in seconds, priorities are numbers."""


class _Part(Struct, frozen=True, kw_only=True, gc=False):
    pass


class Source(_Part, frozen=True, kw_only=True):
    """Who says something: the cluster, a department or a project, for one kind or (null) all, on which line."""

    scope: Scope
    name: str = ""
    kind: Kind | None = None
    line: int = 0

    def __str__(self) -> str:
        whose = "the cluster" if self.scope == "cluster" else f"{self.scope} {self.name}"
        return whose if self.kind is None else f"{whose} (for {self.kind})"


class Said(_Part, frozen=True, kw_only=True):
    """A value and who says so. A default that others bound is the bound, and `bounded` says on which side."""

    value: Value
    source: Source
    bounded: Literal["", "at most", "at least"] = ""


class FieldPolicy(_Part, frozen=True, kw_only=True):
    """What holds for one field of a submission; a value has to be among all of the `options`."""

    default: Said | None = None
    min: Said | None = None
    max: Said | None = None
    options: tuple[Said, ...] = ()
    required: Said | None = None


class IdlePolicy(_Part, frozen=True, kw_only=True):
    """What becomes of work that makes no use of its devices.

    It is warned at each of the `warn` seconds without use and acted on `after` so many. As part of a layer it may say
    no more than one of these.
    """

    after: Said | None = None
    warn: Said | None = None
    action: Said | None = None


class Policy(_Part, frozen=True, kw_only=True):
    """What holds for work of this kind in this project, all layers taken together."""

    project: str
    kind: Kind
    fields: Mapping[str, FieldPolicy] = {}
    idle: IdlePolicy = IdlePolicy()


class Layer(_Part, frozen=True, kw_only=True):
    """What one scope says, for one kind or for all."""

    source: Source
    fields: Mapping[str, FieldPolicy] = {}
    idle: IdlePolicy = IdlePolicy()
