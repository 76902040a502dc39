"""What a workload would ask for and get, as text."""

from __future__ import annotations

from jupyter_runai.words.figures import asked_for, ordinal
from jupyter_runai.words.tables import table
from scheduler_core.model import Verdict
from scheduler_core.workload import WorkloadSpec


def submission_text(specification: WorkloadSpec, verdict: Verdict) -> str:
    """What it asks for, and what the engine answers to that."""
    chosen = [("policy", sentence) for sentence in verdict.facts.get("policy", ())]
    return "\n\n".join([table(("", ""), [*_request(specification), *chosen]), _answer(verdict)])


def _request(specification: WorkloadSpec) -> list[tuple[str, str]]:
    preemptible = "preemptible" if specification.effective_preemptible else "not preemptible"
    return [
        ("asks for", asked_for(specification.request, specification.tasks)),
        ("as", f"{specification.kind}, priority {specification.effective_priority}, {preemptible}"),
        ("project", specification.queue),
    ]


def _answer(verdict: Verdict) -> str:
    if verdict.state in ("placed", "partly_placed"):
        return f"It {verdict.message}. Nothing was submitted."
    place = "" if verdict.queue_position is None else f"{ordinal(verdict.queue_position)} in its project; "
    return f"It waits: {place}{verdict.message}. Nothing was submitted."
