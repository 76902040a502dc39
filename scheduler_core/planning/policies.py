"""The placement policies by name."""

from __future__ import annotations

from scheduler_core.model import Snapshot
from scheduler_core.planning.columns import Columns
from scheduler_core.planning.displacement import Displacement
from scheduler_core.planning.fragments import Fragments
from scheduler_core.planning.fullness import Fullness
from scheduler_core.planning.policy import Policy
from scheduler_core.planning.typical import Classes, typical_kinds


def policy_of(snapshot: Snapshot, columns: Columns) -> Policy:
    """The policy that `config.placement` names."""
    placement = snapshot.config.placement
    if placement in ("binpack", "spread"):
        return Fullness(columns, spread=placement == "spread")
    classes = Classes(columns.occupancy.cluster)
    kinds = typical_kinds(snapshot, classes)
    return Fragments(columns, classes, kinds) if placement == "fgd" else Displacement(columns, classes, kinds)
