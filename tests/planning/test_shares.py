"""Fair share: the recorded answers of the peer, and the quirks that are easy to lose."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from scheduler_core.planning.shares import Claim, divide, fair_shares

CASES = json.loads((Path(__file__).parent.parent / "data" / "fairshare.json").read_text())["cases"]


def exact(value: float | None) -> Fraction | None:
    return None if value is None else Fraction(str(value))


def claim(queue: dict[str, Any], resource: str, requested: float) -> Claim:
    terms = queue[resource]
    return Claim(
        name=queue["name"],
        parent=queue["parent"],
        priority=queue["priority"],
        created=queue["created"],
        quota=exact(terms["quota"]),
        limit=exact(terms["limit"]),
        weight=Fraction(str(terms["weight"])),
        requested=Fraction(str(requested)),
        usage=Fraction(str((queue["usage"] or {}).get(resource, 0))),
    )


def requested(queues: list[dict[str, Any]], name: str, resource: str) -> float:
    children = [queue["name"] for queue in queues if queue["parent"] == name]
    if children:
        return sum(requested(queues, child, resource) for child in children)
    own = next(queue for queue in queues if queue["name"] == name)
    return own["requested"][resource]


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_recorded_answers_are_reproduced(case: dict[str, Any]) -> None:
    for resource, total in case["total"].items():
        claims = [claim(q, resource, requested(case["queues"], q["name"], resource)) for q in case["queues"]]
        shares = fair_shares(Fraction(str(total)), claims, Fraction(case["k"]))
        expected = {name: amounts[resource] for name, amounts in case["fair_share"].items()}
        assert shares.keys() == expected.keys()
        for name, share in shares.items():
            assert float(share) == pytest.approx(expected[name], abs=1e-6), (resource, name)


def gpu(name: str, wants: float, **terms: Any) -> Claim:
    return Claim(
        name=name,
        parent=None,
        priority=terms.get("priority", 100),
        created=terms.get("created", 0.0),
        quota=exact(terms.get("quota", 0)),
        limit=exact(terms.get("limit")),
        weight=Fraction(terms.get("weight", 1)),
        requested=Fraction(str(wants)),
        usage=Fraction(str(terms.get("usage", 0))),
    )


def test_what_a_high_priority_rounds_off_can_go_to_a_lower_one() -> None:
    high = [gpu(name, 10, priority=200) for name in "ABC"]
    assert divide(Fraction(10), [*high, gpu("D", 10, priority=1)], Fraction(0)) == {"A": 3, "B": 3, "C": 3, "D": 1}


def test_twice_its_weight_share_in_past_usage_costs_a_queue_all_surplus() -> None:
    claims = [gpu("idle", 10), gpu("greedy", 10, usage=1.0)]
    assert divide(Fraction(10), claims, Fraction(1)) == {"idle": 10, "greedy": 0}
    assert divide(Fraction(10), claims, Fraction(0)) == {"idle": 5, "greedy": 5}
    assert divide(Fraction(10), claims, Fraction(-3)) == {"idle": 5, "greedy": 5}


def test_past_usage_shifts_the_surplus_in_proportion() -> None:
    claims = [gpu("a", 100, usage=0.25), gpu("b", 100, usage=0.5)]
    assert divide(Fraction(100), claims, Fraction(1)) == {"a": 60, "b": 40}


def test_thirds_are_exact_and_the_order_of_the_list_does_not_matter() -> None:
    claims = [gpu("a", "0.1"), gpu("b", "0.2"), gpu("c", 10)]  # type: ignore[arg-type]
    forward = divide(Fraction(1), claims, Fraction(0))
    assert forward == divide(Fraction(1), claims[::-1], Fraction(0))
    assert forward["a"] == Fraction(1, 10)
    assert sum(forward.values()) == 1
