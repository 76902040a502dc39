"""Why a workload is where it is, and what would let it start, as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from jupyter_runai.words.figures import held, ordinal, share, state_words
from jupyter_runai.words.tables import table
from scheduler_core.model import MILLI, TaskRequest
from scheduler_core.quantities import time_text
from scheduler_core.workload import PRIORITIES, Explanation, QueueStatus, SpecChange, Workload


def explanation_text(explanation: Explanation, prefix: str) -> str:
    """Why a workload is where it is: a sentence, the figures behind it, and lines of what would let it start.

    `prefix` is what people type before a verb.
    """
    workload, verdict = explanation.workload, explanation.verdict
    place = ""
    if workload.state != "pending" and workload.allocation is not None:
        place = f" on {held(workload.allocation, workload.simulated)}"
    figures = {"reason": workload.reason}
    if verdict is not None and workload.started is None:
        figures |= {"why": verdict.message, "code": verdict.code} | _facts(verdict.facts)
        if verdict.queue_position is not None:
            figures["position"] = f"{ordinal(verdict.queue_position)} in project {workload.queue}"
    if explanation.queue is not None and workload.state == "pending":
        figures |= _past_use(explanation.queue)
    rows = [(f"  {name}", text) for name, text in figures.items() if text]
    said = "\n".join([f"{workload.name} is {state_words(workload)}{place}.", table(("", ""), rows)]).rstrip()
    ways = [(f"  {one.change}", one.effect, _line(workload, one, prefix)) for one in explanation.remedies]
    return f"{said}\n\nAny of these would help:\n{table(('', '', ''), ways)}" if ways else said


def _past_use(queue: QueueStatus) -> dict[str, str]:
    """What the queue held lately, and what follows from it; nothing where the past does not count."""
    past = queue.past_use
    if past is None:
        return {}
    decay = "" if past.half_life_s is None else f", half of it after {time_text(past.half_life_s)}"
    counted = f"the last {time_text(past.window_s)}{decay}"
    fair = "" if queue.fair_share is None else f"; its fair share is {queue.fair_share:g} now"
    text = f"project {queue.name} held {past.part:.0%} of all devices over {counted}: weighs {past.k:g}{fair}"
    return {"past use": text}


def _line(workload: Workload, change: SpecChange, prefix: str) -> str:
    """The line that makes a change, as far as there is one."""
    if change.request is not None:
        words = _amount(change.request) if _is_of_amount(change.request, workload.request) else ""
        return f"{prefix} resize {workload.id} {words}" if words else ""
    if change.min_tasks is not None:
        most = workload.tasks
        count = f"{change.min_tasks}:{most}" if change.min_tasks < most else str(most)
        return f"{prefix} scale {workload.id} {count}"
    enough = [name for name, value in PRIORITIES.items() if change.priority is not None and value >= change.priority]
    return f"submitted again with --priority {enough[0]}" if enough else ""


def _is_of_amount(request: TaskRequest, before: TaskRequest) -> bool:
    """Whether nothing but the amount is another."""
    return replace(request, **_NO_AMOUNT) == replace(before, **_NO_AMOUNT)


def _amount(request: TaskRequest) -> str:
    """A request as the words of `resize`."""
    if request.gpu_memory_mib:
        limit = request.gpu_memory_limit_mib
        return f"--gpu-memory {request.gpu_memory_mib}M" + (f" --gpu-memory-limit {limit}M" if limit else "")
    amount = request.whole_devices * MILLI + request.portion_milli
    if not amount:
        return ""
    return f"--gpu {share(amount)}" + (f" --gpu-limit {share(request.limit_milli)}" if request.limit_milli else "")


def _facts(facts: Mapping[str, Any]) -> dict[str, str]:
    """The figures behind a verdict by their names; of cpu and memory only what is neither zero nor unlimited."""
    return {name.replace("_", " "): _fact(value) for name, value in facts.items() if name not in ("pool", "queue")}


def _fact(value: object) -> str:
    if isinstance(value, Mapping):
        parts = {name: part for name, part in value.items() if name == "gpu" or part}
        return ", ".join(f"{_fact(part)} {_UNITS.get(name, name)}" for name, part in parts.items())
    if value is None:
        return "unlimited"
    return f"{value:g}" if isinstance(value, float) else str(value)


_NO_AMOUNT: Mapping[str, int] = {"gpu": 0, "gpu_memory_mib": 0, "gpu_limit": 0, "gpu_memory_limit_mib": 0}
_UNITS = {"gpu": "GPU", "cpu_milli": "thousandths of a core", "memory_mib": "MiB"}
