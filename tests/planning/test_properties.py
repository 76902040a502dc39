"""What holds for every plan, on random snapshots: the check finds nothing, order does not matter, plans settle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler_core import Snapshot, plan
from scheduler_core.model import Placement
from tests.planning.build import gpu, node, planned, task, verdict, work
from tests.planning.generate import describe
from tests.planning.generate import snapshot as random_snapshot
from tests.planning.properties import problem

BLOCKS = [range(first, first + 50) for first in range(0, 2000, 50)]
ONCE_WRONG = (6769, 20527, 25001, 26697, 50389, 65999, 73860, 91195)
"""Seeds beyond the blocks for which something did not hold before it was mended."""

PLACEMENTS: tuple[Placement, ...] = ("binpack", "spread", "fgd", "fragmentation")


@pytest.mark.parametrize("seeds", BLOCKS, ids=lambda seeds: f"{seeds.start}-{seeds.stop - 1}")
def test_every_plan_is_valid_settles_and_does_not_depend_on_list_order(seeds: range) -> None:
    assert [found for seed in seeds if (found := problem(seed)) is not None] == []


@pytest.mark.parametrize("seed", ONCE_WRONG)
def test_what_was_once_wrong_is_right(seed: int) -> None:
    assert problem(seed) is None


def test_the_random_snapshots_are_really_spread() -> None:
    made = [random_snapshot(seed) for seed in range(2000)]
    print(describe(range(2000)))
    for count, least_most in ((lambda s: len(s.nodes), 40), (lambda s: len(s.queues), 8)):
        counts = Counter(map(count, made))
        assert max(counts) >= least_most
        assert len(counts) >= least_most * 3 // 4
    assert sum(len(s.workloads) > 40 for s in made) > 50
    depths = {_depth(s) for s in made}
    assert depths >= {1, 2, 3}
    evicting = [plan(s) for s in made[:150]]
    assert {e.action for p in evicting for e in p.evictions} == {"consolidate", "reclaim", "preempt", "stale_gang"}


def _depth(given: Snapshot) -> int:
    parents = {queue.name: queue.parent for queue in given.queues}

    def depth(name: str | None) -> int:
        return 0 if name is None else 1 + depth(parents.get(name))

    return max(map(depth, parents))


def fits_somehow(sizes: Sequence[int], devices: int) -> bool:
    """Whether shares of so many thousandths fit on empty devices; first fit in every order is exhaustive."""
    for order in set(permutations(sizes)):
        room = [1000] * devices
        for size in order:
            where = next((d for d, free in enumerate(room) if free >= size), None)
            if where is None:
                break
            room[where] -= size
        else:
            return True
    return False


@pytest.mark.parametrize("placement", PLACEMENTS)
@given(
    sizes=st.lists(st.sampled_from([100, 250, 300, 333, 400, 500, 600, 700, 999]), min_size=1, max_size=5),
    devices=st.integers(1, 3),
    nodes=st.integers(1, 2),
)
@settings(max_examples=120, deadline=None, derandomize=True, database=None)
def test_never_agrees_with_an_exhaustive_search(sizes: list[int], devices: int, nodes: int, placement: str) -> None:
    """A gang of shares on an empty cluster: a "no" is certain, and for equal shares "never" is found whenever true."""
    gang = work("w", *(task(f"t{k}", gpu(f"0.{size:03}")) for k, size in enumerate(sizes)))
    made = planned([node(f"n{k}", gpus=devices) for k in range(nodes)], [gang], config={"placement": placement})
    possible = fits_somehow(sizes, devices * nodes)
    code = verdict(made, "w").code
    assert code in ({"placed", "search_gave_up"} if possible else {"never_fits", "gang_does_not_fit", "search_gave_up"})
    if len(set(sizes)) == 1:
        assert code == ("placed" if possible else "never_fits")
