"""Plans as people read them: plain text tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from scheduler_core.model import Plan, Queue, QueueShare, Remedy, Resource, Snapshot, Verdict
from scheduler_core.planning.wording import number, plural

_NUMBERS = {"position", "quota", "fair share", "allocated", "requested", "limit"}
"""Columns whose values stand to the right."""

_UNITS: Mapping[Resource, str] = {"gpu": "devices", "cpu_milli": "millicores", "memory_mib": "MiB"}


def verdicts(snapshot: Snapshot, plan: Plan) -> str:
    """What happens to each workload that has a pending task, the next to start first, and a count by code."""
    if not plan.verdicts:
        return "Nothing is pending."
    queues = {workload.id: workload.queue for workload in snapshot.workloads}
    ordered = sorted(plan.verdicts, key=lambda v: (v.position is None, v.position or 0, v.workload))
    rows = [
        (v.workload, queues[v.workload], v.state, v.code, _or_dash(v.position), _sentence(v.message)) for v in ordered
    ]
    counts = Counter(v.code for v in plan.verdicts)
    summary = ", ".join(f"{count} {code}" for code, count in sorted(counts.items(), key=lambda c: (-c[1], c[0])))
    head = ("workload", "queue", "state", "code", "position", "why")
    return f"{_table(head, rows)}\n\n{plural(len(rows), 'workload')}: {summary}"


def verdict(found: Verdict, remedies: Sequence[Remedy]) -> str:
    """All about one workload: the sentence, its place in line, the numbers behind it, and what would help."""
    lines = [f"{found.workload}: {found.state} ({found.code})", _sentence(found.message) + "."]
    if found.position is not None:
        lines.append(f"Position {found.position}, {found.queue_position} in its queue.")
    if found.ahead:
        lines.append(f"Ahead of it: {', '.join(found.ahead)}.")
    lines += ["", *(f"  {key.replace('_', ' ')}: {_plain(value)}" for key, value in found.facts.items())]
    if remedies:
        lines += ["", "What would help:", *(f"  {each.change}: {each.effect}" for each in remedies)]
    elif found.state == "pending":
        lines += ["", "No single change to its request would let it start now."]
    return "\n".join(lines)


def shares(snapshot: Snapshot, plan: Plan) -> str:
    """A table for each pool and resource, queues below their parents; resources that nobody uses are left out."""
    tree = _in_tree_order(snapshot.queues)
    found = {(s.pool, s.resource, s.queue): s for s in plan.shares}
    blocks = []
    for pool in sorted({s.pool for s in plan.shares}):
        for resource, unit in _UNITS.items():
            rows = [(depth, found[pool, resource, name]) for depth, name in tree]
            if any(share.requested or share.quota for _, share in rows):
                blocks.append(f"{resource} in pool {pool} ({unit})\n{_shares_table(rows)}")
    return "\n\n".join(blocks) or "No queue has a quota, and nothing is asked for."


def _shares_table(rows: Iterable[tuple[int, QueueShare]]) -> str:
    head = ("queue", "quota", "fair share", "allocated", "requested", "limit")
    return _table(
        head,
        [
            (
                "  " * depth + s.queue,
                _or_dash(s.quota, "unlimited"),
                _or_dash(s.fair_share),
                number(s.allocated),
                number(s.requested),
                _or_dash(s.limit),
            )
            for depth, s in rows
        ],
    )


def _in_tree_order(queues: Sequence[Queue]) -> list[tuple[int, str]]:
    """Each queue with its depth, below its parent; queues with a missing parent stand at the top."""
    known = {queue.name for queue in queues}
    children: dict[str | None, list[str]] = {}
    for queue in sorted(queues, key=lambda q: q.name):
        children.setdefault(queue.parent if queue.parent in known else None, []).append(queue.name)
    result: list[tuple[int, str]] = []
    stack = [(0, name) for name in reversed(children.get(None, []))]
    while stack:
        depth, name = stack.pop()
        result.append((depth, name))
        stack += [(depth + 1, child) for child in reversed(children.get(name, []))]
    return result


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[c]) for row in (head, *rows)) for c in range(len(head))]
    lines = []
    for row in (head, *rows):
        cells = (
            cell.rjust(width) if name in _NUMBERS else cell.ljust(width)
            for cell, width, name in zip(row, widths, head, strict=True)
        )
        lines.append("  ".join(cells).rstrip())
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _sentence(message: str) -> str:
    return message[:1].upper() + message[1:]


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(each)}" for key, each in value.items()) or "none"
    if isinstance(value, list):
        return "; ".join(map(_plain, value)) or "none"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "unlimited"}[value]
    return number(value) if isinstance(value, int | float) else str(value)


def _or_dash(value: float | None, missing: str = "-") -> str:
    return missing if value is None else number(value)
