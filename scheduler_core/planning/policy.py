"""What a placement policy decides: which node, and which devices of it, are taken before others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from scheduler_core.planning.columns import Indices
from scheduler_core.planning.demand import Demand

Scores: TypeAlias = NDArray[np.int64]

DeviceKey: TypeAlias = Callable[[int], Any]
"""Orders the devices of one node: the smallest is taken first, then the first in list order."""

FEW_NODES = 16
"""Up to so many nodes it is faster to look at one by one than with numpy."""


class Policy(Protocol):
    """Orders what fits; that something fits is not its concern.

    `spread`: several slices of a partitioned device are taken from different devices.
    """

    spread: bool

    def epoch(self) -> int:
        """Take over what has changed on the nodes; scores of an earlier epoch than the one returned are void."""
        ...

    def restart(self) -> None:
        """Forget what this plan has led to so far: go on from the nodes as they are, as a new plan would."""
        ...

    def scores(self, demand: Demand, later: bool, nodes: Indices) -> Scores:
        """The score of each of these nodes, on all of which the demand fits; lower is better.

        Depends on the node's own state within an epoch, so that it is kept until the node changes.
        """
        ...

    def device_key(self, i: int, demand: Demand, later: bool) -> DeviceKey:
        """In which order the demand takes the devices of node i."""
        ...
