"""`export`: a workload on its way to production."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from jupyter_runai.client import Client
from scheduler_core.model import TaskRequest
from scheduler_core.workload import Workload
from tests.helpers import outcome, spec
from tests.notebooks.conftest import RunCells
from tests.test_command_line import say

HORSE = "correct-horse"


def exported(*words: str) -> str:
    said = say("export", *words)
    assert said.returncode == 0, said.stderr
    return said.stdout


def documents(*words: str) -> list[Any]:
    return list(yaml.safe_load_all(exported(*words, "--format", "kubernetes")))


def shape(workload: Workload) -> tuple[object, ...]:
    return (workload.name, workload.request, workload.tasks, workload.min_tasks, workload.kind, workload.priority)


def test_a_script_submits_the_same_again(client: Client, tmp_path: Path) -> None:
    code = "print('a line\\'s end'); print('rm -rf /')\n# $HOME `id`\nprint(__import__('os').getcwd())"
    first = client.submit(
        spec(code, name="digits", cwd=str(tmp_path), env={"TOKEN": HORSE, "PATH": "/usr/bin:/bin"}, kind="interactive",
             request=TaskRequest(gpu_memory_mib=3000), tasks=3, min_tasks=2, retries=1, max_run_s=5400, priority=80)
    )  # fmt: skip
    outcome(client, first.id)
    script = exported("digits")
    assert HORSE not in script and "TOKEN" not in script
    assert "Its environment is left out: it may hold secrets." in script
    assert "--name digits --gpu-memory 3000M --elastic 2:3" in script
    assert "--kind interactive --priority medium --retries 1 --max-time 5400s" in script
    (tmp_path / "again.sh").write_text(script.replace("exec jupyter", f"exec {sys.executable} -m jupyter"))
    said = subprocess.run(["sh", "again.sh"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (said.returncode, said.stdout.count(f"{tmp_path}\n")) == (0, 3), said.stderr
    again = client.list()[-1]
    assert shape(again) == shape(client.get(first.id))
    assert client.specification(again.id).command == client.specification(first.id).command


def test_a_share_is_what_kai_calls_it(client: Client) -> None:
    outcome(client, client.submit(spec(gpu="0.5", name="digits", env={"TOKEN": HORSE}, max_run_s=60)).id)
    text = exported("digits", "--format", "kubernetes")
    assert HORSE not in text
    assert "Put the name of an image in the place of IMAGE" in text
    (job,) = documents("digits", "--image", "registry/train:1")
    template = job["spec"]["template"]
    assert (job["apiVersion"], job["kind"], job["metadata"]["name"]) == ("batch/v1", "Job", "digits")
    assert (job["spec"]["backoffLimit"], job["spec"]["activeDeadlineSeconds"]) == (0, 60)
    assert template["metadata"]["annotations"] == {"gpu-fraction": "0.5"}
    assert template["metadata"]["labels"] == {
        "kai.scheduler/queue": "default",
        "kai.scheduler/preemptibility": "preemptible",
        "priorityClassName": "low",
    }
    assert (template["spec"]["schedulerName"], template["spec"]["restartPolicy"]) == ("kai-scheduler", "Never")
    (container,) = template["spec"]["containers"]
    assert container["image"] == "registry/train:1"
    assert container["command"] == [Path(sys.executable).name, "-u", "-c", "print('hello')"]
    assert "resources" not in container and "env" not in container


def test_a_gang_is_an_indexed_job_whose_pods_find_each_other(client: Client) -> None:
    outcome(client, client.submit(spec(gpu=1, name="my_gang", tasks=2)).id)
    service, job = documents("my_gang")
    assert service["metadata"]["name"] == job["metadata"]["name"] == "my-gang"
    assert service["spec"]["selector"] == {"batch.kubernetes.io/job-name": "my-gang"}
    assert job["metadata"]["annotations"] == {"kai.scheduler/batch-min-member": "2"}
    assert (job["spec"]["completions"], job["spec"]["completionMode"]) == (2, "Indexed")
    pod = job["spec"]["template"]["spec"]
    assert pod["subdomain"] == "my-gang"
    assert pod["containers"][0]["resources"] == {"limits": {"nvidia.com/gpu": "1"}}
    variables = {one["name"]: one.get("value") for one in pod["containers"][0]["env"]}
    assert (variables["MASTER_ADDR"], variables["WORLD_SIZE"]) == ("my-gang-0.my-gang", "2")


def test_what_a_script_cannot_say_is_refused(client: Client) -> None:
    outcome(client, client.submit(spec(gpu="0.5", name="items", tasks=2, gang=False)).id)
    said = say("export", "items")
    assert said.returncode == 1
    assert "an array of independent tasks. Try: --format kubernetes" in said.stderr
    (job,) = documents("items")
    assert job["spec"]["parallelism"] == 2


def test_a_cell_is_refused_with_what_to_do(run: RunCells) -> None:
    _, refused = run("%%runai train --name digits\n1", "%runai export digits --format kubernetes")
    assert "digits is a cell or a function with values from its notebook" in refused.error
    assert "%%writefile train.py" in refused.error
