"""What holds for every plan, on random snapshots: the check finds nothing, order does not matter, plans settle."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from scheduler_core import Plan, Snapshot, check, plan, plan_to_json
from scheduler_core.model import Placement, Task
from tests.planning.build import gpu, node, planned, task, verdict, work
from tests.planning.generate import snapshot as random_snapshot

SEEDS = range(240)
PLACEMENTS: tuple[Placement, ...] = ("binpack", "spread")


def snapshot_of(seed: int) -> Snapshot:
    made = random_snapshot(seed)
    return replace(made, config=replace(made.config, placement=PLACEMENTS[seed % 2], actions=("allocate",)))


def shuffled(start: Snapshot, seed: int) -> Snapshot:
    deal = random.Random(seed)
    nodes, queues, workloads = (
        tuple(deal.sample(entries, len(entries))) for entries in (start.nodes, start.queues, start.workloads)
    )
    return replace(start, nodes=nodes, queues=queues, workloads=workloads)


def applied(start: Snapshot, made: Plan) -> Snapshot:
    """The snapshot after the binds have started."""
    binds = {bind.task: bind for bind in made.binds}

    def after(task: Task) -> Task:
        bind = binds.get(task.id)
        if bind is None:
            return task
        return replace(task, state="running", node=bind.node, gpu_ids=bind.gpu_ids, mig_slices=bind.mig_slices)

    workloads = tuple(replace(w, tasks=tuple(after(t) for t in w.tasks)) for w in start.workloads)
    return replace(start, workloads=workloads)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_plan_is_valid_settles_and_does_not_depend_on_list_order(seed: int) -> None:
    start = snapshot_of(seed)
    made = plan(start)
    assert check(start, made) == []
    assert plan_to_json(plan(shuffled(start, seed))) == plan_to_json(made)
    for _ in range(3):
        start = applied(start, made)
        made = plan(start)
        assert check(start, made) == []
    assert made.binds == ()


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
    """A gang of shares on an empty cluster: "never" is certain, and for equal shares it is found whenever true."""
    gang = work("w", *(task(f"t{k}", gpu(f"0.{size:03}")) for k, size in enumerate(sizes)))
    made = planned([node(f"n{k}", gpus=devices) for k in range(nodes)], [gang], config={"placement": placement})
    possible = fits_somehow(sizes, devices * nodes)
    code = verdict(made, "w").code
    assert possible or code in {"never_fits", "gang_does_not_fit"}
    assert code != "never_fits" or not possible
    if len(set(sizes)) == 1:
        assert code == ("placed" if possible else "never_fits")
