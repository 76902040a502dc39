"""What holds for every plan, as a question to one seed; many at once: `python -m tests.planning.properties 100000`."""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections.abc import Iterator
from multiprocessing import Pool

from msgspec.structs import replace

from scheduler_core import Snapshot, check, plan, plan_to_json
from tests.planning.generate import describe, snapshot
from tests.planning.scenario import applied

MOST_CYCLES = 30
_SHUFFLED = 4
"""Every so many seeds the lists of the snapshot are shuffled too."""


def problem(seed: int) -> str | None:
    """The first thing that does not hold for the plans that start at the snapshot of the seed; None if all does.

    `check` finds nothing in any plan; the order of lists does not matter; plans applied one after the other come to an
    end and stay there.
    """
    state = snapshot(seed)
    for cycle in range(MOST_CYCLES):
        made = plan(state)
        violations = check(state, made)
        if violations:
            return f"seed {seed}, cycle {cycle}: {violations[0].rule}: {violations[0].message}"
        if cycle == 0 and seed % _SHUFFLED == 0 and plan_to_json(plan(shuffled(state, seed))) != plan_to_json(made):
            return f"seed {seed}: another order of the lists gives another plan"
        following = applied(state, made)
        if following == state:
            return None
        state = following
    return f"seed {seed}: plans still change something after {MOST_CYCLES} cycles"


def shuffled(start: Snapshot, seed: int) -> Snapshot:
    """The same snapshot with nodes, queues and workloads in another order."""
    deal = random.Random(seed)
    nodes, queues, workloads = (
        tuple(deal.sample(entries, len(entries))) for entries in (start.nodes, start.queues, start.workloads)
    )
    return replace(start, nodes=nodes, queues=queues, workloads=workloads)


def _problem_or_crash(seed: int) -> str | None:
    try:
        return problem(seed)
    except Exception as error:  # every seed is tried, whatever happens to one
        return f"seed {seed}: {error!r}"


def _many(count: int, first: int) -> Iterator[str]:
    started, shown = time.monotonic(), 0
    with Pool(os.cpu_count()) as pool:
        for done, found in enumerate(pool.imap_unordered(_problem_or_crash, range(first, first + count), 20), 1):
            if found is not None:
                yield found
            if done * 20 // count > shown:
                shown = done * 20 // count
                print(f"{done} of {count} seeds after {time.monotonic() - started:.0f} s", flush=True)


def main() -> int:
    """Try many seeds on all cores; 1 if something did not hold for one of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    print(describe(range(options.first, options.first + min(options.count, 2000))), flush=True)
    failed = 0
    for found in _many(options.count, options.first):
        failed += 1
        print(found, flush=True)
    print(f"{options.count - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
