"""What the planner answers about evictions on small snapshots, held against a judge that tries everything.

`python -m tests.planning.test_exhaustive 0 10000` judges the snapshots of many more seeds and prints what it finds.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any, Literal, NamedTuple, TypeAlias

import pytest
from msgspec.structs import replace

from scheduler_core import Plan, Snapshot, Verdict, check, plan
from scheduler_core.model import RESOURCES, GpuQuota, Group, Queue
from tests.planning.exhaustive import Abstained, Found, Judge, Moving, grounds, placed_by_allocate
from tests.planning.ground import Ground, Quotas, Room, Wanted, can_place
from tests.planning.plans import node, on, snap, task, work
from tests.planning.small import case, gang_case

ACTIONS: tuple[Moving, ...] = ("consolidate", "reclaim", "preempt")
SEEDS = range(400)
GANG_SEEDS = range(1500)

Kind: TypeAlias = Literal[
    "invalid",  # the plan breaks a rule
    "false no",  # a certain "no", and there is a set of victims that is allowed
    "gave up",  # the planner says that it gave up, and there is such a set
    "waits its turn",  # the planner says that room would go to others, and there is such a set
    "needless",  # a workload among the victims that could have stayed where it is
    "false fit",  # a "never", or "does not fit", and there is a placement
]


_NO_FITS = ("never_fits", "gang_does_not_fit", "search_gave_up")


class Finding(NamedTuple):
    """Something worth a look in the plan of one snapshot."""

    kind: Kind
    workload: str
    text: str


class Case:
    """One snapshot, one action beside allocate, and the plan for it."""

    def __init__(self, snapshot: Snapshot, action: Moving) -> None:
        self.action = action
        self.snapshot = replace(snapshot, config=replace(snapshot.config, actions=("allocate", action)))
        self.quotas = Quotas(self.snapshot)
        self.made = plan(self.snapshot)
        self.causes = {e.task: e.beneficiary or "" for e in self.made.evictions}
        self.owners = {t.id: w.id for w in self.snapshot.workloads for t in w.tasks}
        self.placed = {spot.task for spot in self.made.nominations}

    def findings(self) -> Iterator[Finding]:
        yield from (Finding("invalid", v.subject, v.message) for v in check(self.snapshot, self.made))
        yield from (Finding("invalid", name, "fair share differs") for name in self._wrong_shares())
        for verdict in self.made.verdicts:
            if verdict.workload in self.causes.values():
                yield from self._of_gainer(verdict.workload)
            elif verdict.state == "pending" and self._took_its_turn(verdict.workload):
                yield from self._of_waiting(verdict)

    def _wrong_shares(self) -> Iterator[str]:
        for share in self.made.shares:
            if share.pool == "default":
                fair = self.quotas.fair[share.queue][RESOURCES.index(share.resource)]
                if float(fair) != share.fair_share:
                    yield share.queue

    def _took_its_turn(self, workload: str) -> bool:
        """Whoever has work evicted has no turn of its own in that plan."""
        return not any(self.owners[name] == workload for name in self.causes)

    def _of_gainer(self, workload: str) -> Iterator[Finding]:
        """Whether the victims are among those that are allowed, on some ground that the plan may have stood on."""
        taken = {name for name, cause in self.causes.items() if cause == workload}
        judges = [Judge(ground, workload, self.action) for ground in grounds(self.quotas, self.made, workload)]
        # What is placed again may have been lost at first, and have found its place in another's turn.
        objections = [self._objections(judge, taken, lost) for judge in judges for lost in (taken - self.placed, taken)]
        if all(objections):
            fewest = min(objections, key=len)
            yield Finding("invalid", workload, f"takes {sorted(taken)}: {'; '.join(fewest)}")
        elif workload not in placed_by_allocate(self.snapshot, self.causes):
            yield Finding("invalid", workload, "allocate alone would not place it")
        elif len(judges) == 1:
            yield from self._needless(judges[0], taken)

    def _needless(self, judge: Judge, taken: set[str]) -> Iterator[Finding]:
        workload = judge.workload.id
        for owner in sorted({self.owners[name] for name in taken}):
            rest = {name for name in taken if self.owners[name] != owner}
            if (
                rest
                and not self._objections(judge, rest, rest - self.placed)
                and workload in placed_by_allocate(self.snapshot, rest)
            ):
                yield Finding("needless", workload, f"takes {sorted(taken)}: {owner} could stay")

    def _objections(self, judge: Judge, taken: set[str], lost: set[str]) -> list[str]:
        step = [t for t in judge.workload.tasks if t.state == "pending" and t.id in self.placed]
        return list(judge.objections(step, taken, lost))

    def _of_waiting(self, verdict: Verdict) -> Iterator[Finding]:
        """Whether there are victims after all: on each ground, so on whichever the plan stood."""
        found = self._sets(verdict.workload)
        if found:
            yield Finding(_kind(verdict), verdict.workload, _told(verdict, found[0]))
        yield from _false_fits(self.quotas, self.made, verdict)

    def _sets(self, workload: str) -> list[Found]:
        """One set of victims for each ground; none where some ground has none, or asks for none."""
        judges = [Judge(ground, workload, self.action) for ground in grounds(self.quotas, self.made, workload)]
        if any(judge.needs_nobody() for judge in judges):
            return []
        try:
            found = [judge.find() for judge in judges]
        except Abstained:
            return []
        sets = [each for each in found if each is not None]
        return sets if len(sets) == len(found) else []


def _kind(verdict: Verdict) -> Kind:
    """What a set of victims makes of a verdict: only a certain "no" is false."""
    refusals = verdict.facts.get("making_room", [])
    if verdict.code == "search_gave_up" or any(refusal["gave_up"] for refusal in refusals):
        return "gave up"
    if verdict.code == "waiting_turn":
        return "waits its turn"
    return "false no"


def _told(verdict: Verdict, found: Found) -> str:
    return f"{verdict.code} ({verdict.message}), but may take {sorted(found.taken)} and lose {sorted(found.lost)}"


def _false_fits(quotas: Quotas, made: Plan, verdict: Verdict) -> Iterator[Finding]:
    """Whether "never" and "does not fit" are right, where every placement is tried."""
    ground = Ground(quotas, [e.task for e in made.evictions], [*made.binds, *made.nominations])
    for step in ground.steps(ground.workloads[verdict.workload])[:1]:
        rooms = ground.rooms(releasing=True)
        if verdict.code == "never_fits":
            rooms = [Room(replace(node, ready=True)) for node in quotas.snapshot.nodes]
        if verdict.code in _NO_FITS and can_place(rooms, [Wanted(t) for t in step]):
            kind: Kind = "gave up" if verdict.code == "search_gave_up" else "false fit"
            yield Finding(kind, verdict.workload, f"{verdict.code} ({verdict.message}), but there is a placement")


@cache
def examined(action: Moving) -> tuple[list[str], Counter[str]]:
    """The findings over all seeds, a line each, and how often what was judged."""
    lines, counts = [], Counter[str]()
    for seed in SEEDS:
        judged = Case(case(seed), action)
        lines += [f"{each.kind}: seed {seed}, {each.workload} {each.text}" for each in judged.findings()]
        counts["evict"] += len(set(judged.causes.values()))
        counts["pending"] += sum(v.state == "pending" for v in judged.made.verdicts)
    return lines, counts


def of_kind(lines: list[str], *kinds: Kind) -> list[str]:
    return [line for line in lines if line.startswith(tuple(f"{kind}:" for kind in kinds))]


@pytest.mark.parametrize("action", ACTIONS)
def test_all_that_is_evicted_may_be(action: Moving) -> None:
    lines, counts = examined(action)
    assert counts["evict"] > 4
    assert of_kind(lines, "invalid") == []


@pytest.mark.parametrize("action", ACTIONS)
def test_no_victims_are_to_be_had_where_the_answer_is_a_certain_no(action: Moving) -> None:
    assert of_kind(examined(action)[0], "false no") == []


@pytest.mark.parametrize("action", ACTIONS)
def test_how_often_victims_are_missed(action: Moving) -> None:
    """Figures, not judged: `pytest -rP` shows them."""
    lines, counts = examined(action)
    kinds: tuple[Kind, ...] = ("gave up", "waits its turn", "needless")
    missed = ", ".join(f"{len(of_kind(lines, kind))} {kind}" for kind in kinds)
    print(f"{action}: evicts for {counts['evict']}, {counts['pending']} stay pending; victims missed: {missed}")


@cache
def misjudged_gangs() -> tuple[list[str], Counter[str]]:
    """Gangs of which a "no" is said though there is a placement, and how often which verdict was judged."""
    lines, counts = [], Counter[str]()
    for seed in GANG_SEEDS:
        snapshot = gang_case(seed)
        made = plan(snapshot)
        for verdict in made.verdicts:
            counts[verdict.code] += 1
            lines += [f"{f.kind}: seed {seed}, {f.text}" for f in _false_fits(Quotas(snapshot), made, verdict)]
    return lines, counts


@pytest.mark.parametrize("code", ["never_fits", "gang_does_not_fit"])
def test_a_gang_of_which_it_is_certain_that_it_does_not_fit_has_no_placement(code: str) -> None:
    lines, counts = misjudged_gangs()
    assert counts[code] > 40
    assert [line for line in of_kind(lines, "false fit") if code in line] == []


def test_how_often_it_is_uncertain_whether_a_gang_fits() -> None:
    """Figures, not judged."""
    lines, counts = misjudged_gangs()
    print(f"{counts['search_gave_up']} gave up, {len(of_kind(lines, 'gave up'))} of them have a placement; {counts}")


def queue(name: str, quota: float, limit: float | None = None, weight: float = 1.0, **fields: Any) -> Queue:
    return Queue(name=name, gpu=GpuQuota(quota=quota, limit=limit, weight=weight), **fields)


def at_least(count: int) -> tuple[Group, ...]:
    return (Group(name="default", min_members=count),)


def test_reclaim_leaves_shares_in_their_order() -> None:
    """A gang of 4 devices would go for 2: p would then hold 3 for its share of 2, and c, which lost them, none."""
    start = snap(
        node("n0", 5),
        queue("p", 2, weight=0),
        queue("a", 2, parent="p"),
        queue("b", 1, parent="p"),
        queue("c", 2, weight=0),
        work("b", on("n0.0", task("b0")), queue="b"),
        work("c", *(on(f"n0.{k}", task(f"c{k}")) for k in range(1, 5)), queue="c"),
        work("x", task("x0", 2), queue="a"),
    )
    judged = Case(start, "reclaim")
    assert (judged.made.evictions, list(judged.findings())) == ((), [])
    judge = Judge(Ground(judged.quotas), "x", "reclaim")
    victims = {"c1", "c2", "c3", "c4"}
    assert list(judge.objections(judge.workload.tasks, victims, victims)) == ["the share tests do not hold"]
    assert judge.keeps_promise(frozenset(victims))


class Mended(NamedTuple):
    """A finding that was once made: what the planner did, which kind of finding that was, of which action, where."""

    what: str
    kind: Kind
    action: Moving
    snapshot: Snapshot


MENDED = (
    Mended(
        "a gang is torn apart where the next plan would not place again what moves of it",
        "invalid",
        "preempt",
        snap(
            node("n0", 2),
            node("n1", 2),
            node("n2", 2),
            work("w", on("n0.0", task("w0")), on("n1.1", task("w1"))),
            work("u", on("n2.1", task("u0"))),
            work("v", on("n2.0", task("v0")), created=-6.0),
            work("x", task("x0", 2), task("x1"), groups=at_least(1), priority=75),
        ),
    ),
    Mended(
        "a limit is given as the cause where the search for victims below it gave up",
        "false no",
        "preempt",
        snap(
            node("n0"),
            node("n1"),
            node("n2"),
            queue("p", 0, limit=3),
            queue("a", 0, parent="p"),
            queue("b", 0),
            work("u", on("n1.0", task("u0", "0.5")), queue="a"),
            work("v", on("n0.0", task("v0")), queue="a"),
            work("w", on("n2.0", task("w0")), queue="a"),
            work("x", task("x0"), queue="a", priority=90),
            work("y", task("y0"), queue="b"),
        ),
    ),
    Mended(
        "victims that go before the work they make room for return to where they were",
        "gave up",
        "consolidate",
        snap(
            node("n0", 2),
            node("n1", 1),
            work("w", on("n0.0", task("w0", "0.5")), on("n0.1", task("w1", "0.5"))),
            work("x", task("x0", 2)),
        ),
    ),
    Mended(
        "of an elastic workload no more than the minimum, or one task, is placed again",
        "gave up",
        "consolidate",
        snap(
            node("n0", 2),
            node("n1", 1),
            work("w", on("n0.0", task("w0", "0.5")), on("n0.1", task("w1", "0.5")), groups=at_least(1), created=1.0),
            work("x", task("x0", 2)),
        ),
    ),
    Mended(
        "moves are looked for where room is enough in all, and what that search says is not told",
        "false no",
        "reclaim",
        snap(
            node("n0", 2),
            node("n1", 1),
            queue("a", 2),
            queue("b", 2),
            work("w", on("n0.0", task("w0", "0.5")), on("n0.1", task("w1", "0.5")), groups=at_least(1), queue="a"),
            work("x", task("x0", 2), queue="b"),
        ),
    ),
    Mended(
        "a loss in one queue with a move in another is not looked for",
        "false no",
        "reclaim",
        snap(
            node("n0"),
            node("n1"),
            queue("a", 2),
            queue("b", 1),
            queue("c", 0),
            work("f", on("n0.0", task("f0", "0.5")), queue="a", priority=100),
            work("g", on("n1.0", task("g0", "0.3")), queue="a", priority=100),
            work("u", on("n1.0", task("u0", "0.5")), queue="a"),
            work("v", on("n0.0", task("v0", "0.3")), queue="c"),
            work("x", task("x0", "0.6"), queue="b"),
        ),
    ),
    Mended(
        "whether a gang of unequal tasks has room without the victims is tried beside them, in two orders",
        "false no",
        "reclaim",
        snap(
            node("n0", 3),
            node("n1", 2, cpu_milli=2000),
            queue("a", 0),
            queue("b", 1),
            queue("c", 1),
            work("u", on("n1.1", task("u0", "0.5", cpu_milli=1000)), on("n0.0", task("u1", "0.5")), queue="c"),
            work("v", on("n0.1", task("v0", "0.7")), queue="c"),
            work("w", on("n0.2", task("w0")), on("n1.0", task("w1")), queue="a"),
            work("x", task("x0", "0.3"), task("x1"), task("x2", "0.7", cpu_milli=2000), queue="b"),
            placement="spread",
            allow_consolidating_reclaim=False,
        ),
    ),
    Mended(
        "the rest of a gang that has given its surplus is left alone in this plan, and that is called certain",
        "false no",
        "reclaim",
        snap(
            node("n0", 3),
            queue("a", 0),
            queue("b", 2),
            work("w", *(on(f"n0.{k}", task(f"w{k}")) for k in range(3)), groups=at_least(2), queue="a"),
            work("x", task("x0"), queue="b"),
            work("y", task("y0"), queue="b", created=1.0),
            allow_consolidating_reclaim=False,
        ),
    ),
    Mended(
        "who was taken and put back where it was is no victim for the next",
        "false no",
        "preempt",
        snap(
            node("n0", 2),
            node("n1", 1),
            node("n2", 2),
            work("w", on("n0.0+n0.1", task("w0", 2)), on("n1.0", task("w1")), priority=25, created=1.0),
            work("v", on("n2.0+n2.1", task("v0", 2)), priority=25, created=2.0),
            work("x", task("x0"), task("x1"), task("x2"), priority=90),
            work("y", task("y0"), priority=90, created=1.0),
        ),
    ),
    Mended(
        "a limit is given as the cause where victims would make room below it",
        "false no",
        "preempt",
        snap(
            node("n0"),
            node("n1"),
            queue("a", 1),
            queue("b", 2, limit=2),
            work("w", on("n0.0", task("w0")), on("n1.0", task("w1")), groups=at_least(0), queue="b"),
            work("x", task("x0"), queue="b", priority=75),
            work("y", task("y0"), queue="a"),
        ),
    ),
    Mended(
        "a victim moves though the work that it makes room for could go where the victim goes",
        "needless",
        "reclaim",
        snap(
            node("n0", 2),
            node("n1", 2),
            queue("a", 0),
            queue("b", 0),
            work("u", on("n0.1", task("u0")), queue="a", priority=75),
            work("v", on("n1.1", task("v0")), on("n0.0", task("v1")), queue="a", created=1.0),
            work("w", on("n1.0", task("w0")), queue="a", created=2.0),
            work("x", task("x0"), task("x1"), queue="b"),
        ),
    ),
    Mended(
        "unequal tasks are placed in two orders only",
        "false fit",
        "preempt",
        snap(
            node("n0"),
            node("n1"),
            work("r", on("n0.0", task("r0", "0.3"))),
            work("x", task("x0", "0.7"), task("x1", "0.6"), task("x2", "0.4")),
            placement="spread",
        ),
    ),
    Mended(
        "shares of several devices are placed on the fullest that fit",
        "false fit",
        "preempt",
        snap(
            node("n0", 3),
            work("r", on("n0.1", task("r0", "0.5"))),
            work("s", on("n0.2", task("s0", "0.5"))),
            work("x", task("x0", "0.5", gpu_devices=2), task("x1", "0.5", gpu_devices=2)),
        ),
    ),
)


@pytest.mark.parametrize("mended", [pytest.param(mended, id=mended.what) for mended in MENDED])
def test_what_is_mended_is_not_found_again(mended: Mended) -> None:
    assert mended.kind not in {found.kind for found in Case(mended.snapshot, mended.action).findings()}


def test_what_one_action_spares_another_may_take() -> None:
    start = snap(
        node("n0"),
        node("n1"),
        queue("a", 0, reclaim_min_runtime_s=3600.0),
        queue("b", 1),
        work(
            "w",
            on("n0.0", task("w0")),
            on("n1.0", task("w1")),
            groups=at_least(1),
            queue="a",
            started=999.0,
            priority=25,
        ),
        work("x", task("x0"), queue="a", priority=75),
        work("y", task("y0"), queue="b"),
    )
    assert check(start, plan(start)) == []


def main(first: int, end: int) -> None:
    """Judge many seeds and print each finding, then how often what was found."""
    counts = Counter[str]()
    for seed in range(first, end):
        for action in ACTIONS:
            judged = Case(case(seed), action)
            counts[f"{action}, evicts for"] += len(set(judged.causes.values()))
            for finding in judged.findings():
                counts[f"{action}, {finding.kind}"] += 1
                print(seed, action, *finding, flush=True)
    for what, count in sorted(counts.items()):
        print(f"{what}: {count}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
