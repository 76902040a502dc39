"""Policies as an administrator would say them: each scenario is a sentence, a file, and what becomes of work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from scheduler_core.errors import NotAllowed
from scheduler_core.model import TaskRequest
from scheduler_core.policies.admission import admitted, breaches
from scheduler_core.policies.fields import Offer
from scheduler_core.policies.file import BadPolicies, Policies, parse_policies
from scheduler_core.policies.standing import Standing, due
from scheduler_core.workload import WorkloadSpec

SCENARIOS = Path(__file__).with_name("scenarios")
TREE = {"vision": "research", "speech": "research", "sales": None}
A100 = {"NVIDIA A100-SXM4-80GB": 81920}
REQUEST = ("gpu", "gpu_memory_mib", "models")


def scenarios(name: str) -> list[Any]:
    found: list[Any] = yaml.safe_load((SCENARIOS / f"{name}.yaml").read_text())
    return found


def submission(asked: dict[str, Any]) -> WorkloadSpec:
    gpu = asked.get("gpu", 0)
    models = tuple(asked["models"]) if "models" in asked else None
    request = TaskRequest(gpu=gpu, gpu_memory_mib=asked.get("gpu_memory_mib", 0), models=models)
    names = ("kind", "name", "priority", "preemptible", "retries", "max_run_s")
    fields = {name: asked[name] for name in names if name in asked}
    return WorkloadSpec(
        command=("true",), cwd="/", request=request, queue=asked["project"], tasks=asked.get("workers", 1), **fields
    )


def outcome(policies: Policies, offer: Offer, asked: dict[str, Any]) -> tuple[str, dict[str, Any], list[str]]:
    """The refusal, or what a submission gets and is told."""
    spec = submission(asked)
    policy = policies.of(spec.queue, TREE[spec.queue], spec.kind)
    try:
        found = admitted(spec, policy, offer)
    except NotAllowed as error:
        return str(error), {}, []
    parts = {name: getattr(found.spec.request if name in REQUEST else found.spec, name) for name in asked["gets"]}
    return "", {name: list(part) if isinstance(part, tuple) else part for name, part in parts.items()}, [*found.notes]


@pytest.mark.parametrize("scenario", scenarios("submissions"), ids=lambda scenario: scenario["says"])
def test_a_submission(scenario: dict[str, Any]) -> None:
    policies = parse_policies(scenario["file"], TREE)
    offer = Offer(models=scenario.get("models", A100))
    for asked in scenario["submissions"]:
        asked.setdefault("gets", {})
        refusal, gets, notes = outcome(policies, offer, asked)
        assert refusal.startswith(asked.get("refused", "")), refusal
        assert bool(refusal) == ("refused" in asked), refusal
        assert gets == ({} if refusal else asked["gets"])
        assert not set(asked.get("notes", [])) - set(notes), notes
        if asked.get("notes") == []:
            assert notes == []


@pytest.mark.parametrize("scenario", scenarios("files"), ids=lambda scenario: scenario["refused"])
def test_a_file_that_cannot_be_is_refused_with_its_line(scenario: dict[str, Any]) -> None:
    with pytest.raises(BadPolicies) as refused:
        parse_policies(scenario["file"], TREE)
    assert scenario["refused"] in refused.value.message


@pytest.mark.parametrize("scenario", scenarios("running"), ids=lambda scenario: scenario["says"])
def test_work_that_runs(scenario: dict[str, Any]) -> None:
    policies = parse_policies(scenario["file"], TREE)
    policy = policies.of("vision", "research", "workspace")
    given, start = scenario["standing"], 1_000_000.0
    broken = WorkloadSpec(command=("true",), cwd="/", request=TaskRequest(gpu=given.get("gpu", 0)))
    for moment in scenario["due"]:
        now = start + moment["after"]
        standing = Standing(
            ran_s=given["ran_s"] + moment["after"],
            idle_since=start - given["idle_for"] if "idle_for" in given else None,
            snoozed=start + given["snoozed_after"] if "snoozed_after" in given else None,
            breaks=tuple(breaches(broken, policy, Offer(models=A100))) if "gpu" in given else (),
            broken_since=start - given.get("broken_for", 0),
        )
        found = due(policy, standing, policies.grace_s, now)
        said = None if found is None else [found.rule, found.stage, found.is_now, found.action]
        assert said == moment["is"], moment
        assert found is None or moment.get("message", found.message) == found.message


def test_templates_and_environments_are_as_they_were_written() -> None:
    policies = parse_policies(
        """
        templates:
          quick: {kind: interactive, project: vision, gpu: 0.5, max_time: 2h, environment: torch}
          wide: {gpu: 2, workers: 4, retries: 3, priority: low}
          small: {gpu_memory: 20G}
        environments:
          torch:
            python: /opt/torch/bin/python
            packages: [torch==2.4]
            variables: {OMP_NUM_THREADS: 4}
            folder: /data
        """,
        TREE,
    )
    quick, wide, small = (policies.templates[name] for name in ("quick", "wide", "small"))
    assert (quick.kind, quick.project, quick.gpu, quick.max_time) == ("interactive", "vision", "0.5", 7200)
    assert (wide.gpu, wide.workers, wide.retries, wide.priority) == (2, 4, 3, "low")
    assert (small.gpu_memory, small.gpu) == (20480, None)
    torch = policies.environments["torch"]
    assert (torch.python, torch.packages) == ("/opt/torch/bin/python", ("torch==2.4",))
    assert (torch.variables, torch.folder) == ({"OMP_NUM_THREADS": "4"}, "/data")
