"""Which nodes a pod may be on, as its required node affinity says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

Operator: TypeAlias = Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]

_NAME = "metadata.name"


class Requirement(Struct, frozen=True, gc=False):
    """What a label, or a field, has to be."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def holds(self, found: str | None) -> bool:
        """Whether it holds for this value; null where there is no such label."""
        match self.operator:
            case "In":
                return found in self.values
            case "NotIn":
                return found not in self.values
            case "Exists":
                return found is not None
            case "DoesNotExist":
                return found is None
            case "Gt":
                return _is_above(found, self.values[0])
            case "Lt":
                return _is_above(self.values[0], found)


class NodeTerm(Struct, frozen=True, rename="camel", gc=False):
    """All of this has to hold; a term that requires nothing matches no node."""

    match_expressions: tuple[Requirement, ...] = ()
    match_fields: tuple[Requirement, ...] = ()

    def admits(self, name: str, labels: Mapping[str, str]) -> bool:
        """Whether it holds for the node of this name and these labels."""
        if not self.match_expressions and not self.match_fields:
            return False
        fields = {_NAME: name}
        return all(one.holds(labels.get(one.key)) for one in self.match_expressions) and all(
            one.holds(fields.get(one.key)) for one in self.match_fields
        )


def _is_above(one: str | None, other: str | None) -> bool:
    try:
        return one is not None and other is not None and int(one) > int(other)
    except ValueError:
        return False
