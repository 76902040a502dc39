"""Each scenario of the data files: what one plan does, what people are told, and where plan after plan ends."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from scheduler_core import Plan, Snapshot, check, plan, plan_to_json
from tests.planning.scenario import FOLDER, Json, applied, mismatches, outcome, scenarios, snapshot_of

CYCLES = 25
ALL = [
    pytest.param(scenario, id=f"{file.stem}: {scenario['name']}")
    for file in sorted(FOLDER.glob("*.yaml"))
    for scenario in scenarios(file)
]


@pytest.mark.parametrize("scenario", ALL)
def test_scenario(scenario: Json) -> None:
    start = snapshot_of(scenario)
    made = plan(start)
    assert check(start, made) == []
    assert plan_to_json(plan(turned(start))) == plan_to_json(made), "the order of a list matters"
    wrong = [*differences(scenario, start, made), *broken_promises(start, made)]
    end = settled(start, made)
    if "settled" in scenario:
        wrong += [f"in the end {each}" for each in mismatches(start, scenario["settled"], outcome(end, Plan()))]
    assert wrong == [], scenario["intent"]


def differences(scenario: Json, start: Snapshot, made: Plan) -> list[str]:
    """One sentence for each thing that the plan does or says otherwise than the scenario."""
    # A scenario that tells only the end leaves open in how many plans it is reached.
    ends = "settled" in scenario and "expect" not in scenario
    wrong = [] if ends else mismatches(start, scenario.get("expect", {}), outcome(start, made))
    verdicts = {verdict.workload: verdict for verdict in made.verdicts}
    for name, code in scenario.get("codes", {}).items():
        verdict = verdicts.get(name)
        if (verdict and verdict.code) != code:
            wrong.append(f"{name}: wanted {code}; found {verdict and (verdict.code, verdict.message)}")
    for name, line in scenario.get("lines", {}).items():
        verdict = verdicts[name]
        found = [verdict.position, verdict.queue_position, *verdict.ahead]
        if found != ([None, None] if line is None else line):
            wrong.append(f"{name}: wanted the line {line}; found {found}")
    shares = {(share.queue, share.pool): share for share in made.shares if share.resource == "gpu"}
    for key, wanted in scenario.get("shares", {}).items():
        queue, _, pool = key.partition(" ")
        amounts: dict[str, Any] = {name: getattr(shares[queue, pool or "default"], name) for name in wanted}
        if amounts != wanted:
            wrong.append(f"queue {key}: wanted {wanted}; found {amounts}")
    return wrong


def broken_promises(start: Snapshot, made: Plan) -> list[str]:
    """Nominations that the next plan does not bind on their node, unless more has left than this plan's victims."""
    leaves = any(task.state == "releasing" for workload in start.workloads for task in workload.tasks)
    if leaves or "allocate" not in start.config.actions:
        return []
    nodes = {bind.task: bind.node for bind in plan(applied(start, made)).binds}
    return [
        f"{promised.task}: promised {promised.node}; the next plan binds it on {nodes.get(promised.task, 'no node')}"
        for promised in made.nominations
        if nodes.get(promised.task) != promised.node
    ]


def settled(start: Snapshot, made: Plan) -> Snapshot:
    """The snapshot that applying plan after plan leads to, and stays at."""
    for _ in range(CYCLES):
        following = applied(start, made)
        if following == start:
            assert made.evictions == made.binds == ()
            return start
        start, made = following, plan(following)
        assert check(start, made) == []
    pytest.fail(f"still changing after {CYCLES} plans")


def turned(start: Snapshot) -> Snapshot:
    """The same snapshot with its nodes, queues and workloads listed the other way round."""
    return replace(start, nodes=start.nodes[::-1], queues=start.queues[::-1], workloads=start.workloads[::-1])


def test_names_are_told_apart() -> None:
    names = [param.id for param in ALL]
    assert len(names) == len(set(names))
