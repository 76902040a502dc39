"""`jupyter runai cluster`: nothing is done that was not shown, what was done is seen, and all of it goes again."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from kubernetes import client

from tests.cluster.control_plane import ControlPlane, wait_until
from tests.cluster.controlled import Team, controlled, set_up

GROUP, VERSION = "jupyter-runai.io", "v1alpha1"


@pytest.fixture
def bare() -> Iterator[ControlPlane]:
    """A cluster of its own, to which nothing was done."""
    made = ControlPlane(Path(tempfile.mkdtemp(prefix="runai-cluster-")))
    try:
        made.start()
        made.add_nodes(1, 4)
        yield made
    finally:
        made.remove()


def say(kubeconfig: Path | None, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "jupyter", "runai", "cluster", *words]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "KUBECONFIG": str(kubeconfig or "/nowhere"), "HOME": "/nowhere"},
    )


def workload(name: str, gpu: int | str = "0.5") -> dict[str, object]:
    spec = {"command": ["/bin/sleep", "1000"], "cwd": "/", "request": {"gpu": gpu}}
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "GpuWorkload",
        "metadata": {"name": name, "annotations": {f"{GROUP}/owner": "ada"}},
        "spec": spec,
    }


def table(api: client.ApiClient, plural: str) -> tuple[list[str], list[list[object]]]:
    """What `kubectl get` prints: headings, and the cells of each row."""
    path = f"/apis/{GROUP}/{VERSION}/namespaces/default/{plural}"
    headers = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    asked = api.param_serialize("GET", path, header_params=headers, auth_settings=["BearerToken"])
    found = api.call_api(*asked)
    content = yaml.safe_load(found.read())
    return [one["name"] for one in content["columnDefinitions"]], [row["cells"] for row in content["rows"]]


def test_it_is_shown_done_once_and_taken_away(bare: ControlPlane) -> None:
    before = say(bare.kubeconfig, "check")
    assert before.returncode == 1
    assert "✗ it does not know our workloads and queues" in before.stdout
    shown = say(bare.kubeconfig, "install")
    assert shown.returncode == 1
    assert "create  CustomResourceDefinition gpuworkloads.jupyter-runai.io" in shown.stdout
    assert "Nothing was changed. Add --yes to do it." in shown.stdout
    assert say(bare.kubeconfig, "install").stdout == shown.stdout

    done = say(bare.kubeconfig, "install", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    again = say(bare.kubeconfig, "install")
    assert (again.returncode, "Nothing is to do." in again.stdout, "create" in again.stdout) == (0, True, False)
    after = say(bare.kubeconfig, "check")
    assert after.returncode == 0, after.stdout
    assert "✓ you may create gpuworkloads in the namespace default" in after.stdout
    assert "✓ 4 devices on 1 of 1 nodes" in after.stdout
    assert "· no controller is at work: what is submitted waits" in after.stdout
    with controlled(bare) as controller:
        wait_until("it leads", lambda: "leads" in controller.said)
        assert "✓ the controller " in say(bare.kubeconfig, "check").stdout

    rules = client.RbacAuthorizationV1Api(bare.api())
    rules.delete_cluster_role("jupyter-runai-edit")
    assert "✗ not as this version has it: ClusterRole jupyter-runai-edit" in say(bare.kubeconfig, "check").stdout
    assert say(bare.kubeconfig, "install", "--yes").returncode == 0

    custom = client.CustomObjectsApi(bare.api())
    for name in ("one", "two"):
        custom.create_namespaced_custom_object(GROUP, VERSION, "default", "gpuworkloads", workload(name))
    assert "With them go 2 workloads, and what runs of them." in say(bare.kubeconfig, "uninstall").stdout
    assert custom.get_namespaced_custom_object(GROUP, VERSION, "default", "gpuworkloads", "one")
    assert say(bare.kubeconfig, "uninstall", "--yes").returncode == 0
    assert say(bare.kubeconfig, "uninstall").stdout == "Nothing of ours is there.\n"


def test_the_controller_is_deployed_from_the_image_that_is_named(bare: ControlPlane) -> None:
    assert "Without --image no controller is put there." in say(bare.kubeconfig, "install").stdout
    shown = say(bare.kubeconfig, "install", "--image", "example.com/runai:1", "--yes")
    assert "create  Deployment jupyter-runai-controller" in shown.stdout
    apps, core = client.AppsV1Api(bare.api()), client.CoreV1Api(bare.api())
    wait_until("its pod is there", lambda: core.list_namespaced_pod("jupyter-runai").items)
    (pod,) = core.list_namespaced_pod("jupyter-runai").items
    assert pod.spec.containers[0].image == "example.com/runai:1"
    assert pod.spec.service_account_name == "jupyter-runai-controller"
    changed = say(bare.kubeconfig, "install", "--image", "example.com/runai:2")
    assert "change  Deployment jupyter-runai-controller" in changed.stdout
    assert "delete  Deployment jupyter-runai-controller" in say(bare.kubeconfig, "uninstall", "--yes").stdout
    assert apps.list_namespaced_deployment("jupyter-runai").items == []


def test_history_is_kept_on_the_volume_that_is_named(bare: ControlPlane) -> None:
    assert say(bare.kubeconfig, "install", "--image", "example.com/runai:1", "--yes").returncode == 0
    checked = say(bare.kubeconfig, "check").stdout
    assert "who used what is not recorded\n  Whoever runs the cluster" in checked
    assert "✓ all that was installed is of this version" in checked
    shown = say(bare.kubeconfig, "install", "--image", "example.com/runai:1", "--history", "past", "--yes")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "create  ClusterRole jupyter-runai-history" in shown.stdout
    deployed = client.AppsV1Api(bare.api()).read_namespaced_deployment("jupyter-runai-controller", "jupyter-runai")
    pod = deployed.spec.template.spec
    (volume,) = (one for one in pod.volumes if one.persistent_volume_claim is not None)
    (mount,) = (one for one in pod.containers[0].volume_mounts if one.name == volume.name)
    assert volume.persistent_volume_claim.claim_name == "past"
    assert pod.containers[0].args[-2:] == ["--history", mount.mount_path]
    # A volume that one pod at a time can have is free before the next one comes.
    assert deployed.spec.strategy.rolling_update.max_surge == 0
    assert "✓ all that was installed is of this version" in say(bare.kubeconfig, "check").stdout
    back = say(bare.kubeconfig, "install", "--image", "example.com/runai:1", "--yes")
    assert back.returncode == 0, back.stdout + back.stderr
    core = client.CoreV1Api(bare.api())
    for name in ("jupyter-runai-history", "somebodys"):
        core.create_namespaced_secret("default", {"metadata": {"name": name}})
    removed = say(bare.kubeconfig, "uninstall", "--yes")
    assert removed.returncode == 0, removed.stdout + removed.stderr
    assert "delete  Secret default/jupyter-runai-history\n" in removed.stdout
    assert [secret.metadata.name for secret in core.list_namespaced_secret("default").items] == ["somebodys"]
    rules = client.RbacAuthorizationV1Api(bare.api())
    assert not [role for role in rules.list_cluster_role().items if role.metadata.name == "jupyter-runai-history"]


def test_a_controller_before_its_kinds_are_there_waits_for_them(bare: ControlPlane) -> None:
    core = client.CoreV1Api(bare.api())
    core.create_namespace({"metadata": {"name": "jupyter-runai"}})
    with controlled(bare, bare.kubeconfig) as controller:
        wait_until("it says so", lambda: "The cluster cannot be read" in controller.said)
        set_up(bare)
        team = Team(bare)
        team.until_bound(team.pod(1))


def test_a_listing_reads_well(installed: ControlPlane) -> None:
    custom = client.CustomObjectsApi(installed.api())
    for name, gpu in (("a-share", "0.5"), ("whole", 2)):
        custom.create_namespaced_custom_object(GROUP, VERSION, "default", "gpuworkloads", workload(name, gpu))
    headings, rows = table(installed.api(), "gpuworkloads")
    assert headings == ["Name", "State", "Queue", "GPU", "Tasks", "Owner", "Age", "Why"]
    seen = {row[0]: row[1:6] for row in rows}
    assert seen["a-share"] == ["pending", "default", "0.5", 1, "ada"]
    assert seen["whole"] == ["pending", "default", "2", 1, "ada"]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"command": []}, "should have at least 1 items"),
        ({"tasks": 0}, "should be greater than or equal to 1"),
        ({"kind": "nonsense"}, "Unsupported value"),
        ({"tasks": 2, "min_tasks": 3}, "min_tasks is at most tasks"),
        ({"max_run_s": 0}, "should be greater than 0"),
        ({"wanted": "nothing"}, "Unsupported value"),
        ({"request": {"gpu": [1]}}, "must be of type"),
        ({"request": {"gpu": "1.5"}}, "should match"),
        ({"request": {"gpu": "0.0001"}}, "should match"),
    ],
)
def test_what_makes_no_sense_the_api_server_refuses(
    installed: ControlPlane, fields: dict[str, object], sentence: str
) -> None:
    custom = client.CustomObjectsApi(installed.api())
    wrong = workload("wrong")
    wrong["spec"] |= fields  # type: ignore[operator]
    with pytest.raises(client.ApiException, match=sentence):
        custom.create_namespaced_custom_object(GROUP, VERSION, "default", "gpuworkloads", wrong)


def test_one_without_rights_is_told_so(installed: ControlPlane) -> None:
    user = installed.user_of("looks-on", "view")
    refused = say(user, "install", "--yes")
    assert refused.returncode == 1
    assert "forbidden" in refused.stderr
    seen = say(user, "check")
    assert seen.returncode == 1
    assert "✓ you may list gpuworkloads in the namespace looks-on" in seen.stdout
    assert "✗ you may not create gpuworkloads in the namespace looks-on" in seen.stdout


def test_no_cluster_is_a_sentence() -> None:
    refused = say(None, "check")
    assert refused.returncode == 1
    assert refused.stderr.startswith("There is no cluster to talk to: ")


def test_the_manifest_needs_no_cluster() -> None:
    printed = say(None, "install", "--manifest")
    kinds = [found["kind"] for found in yaml.safe_load_all(printed.stdout)]
    assert kinds[:2] == ["CustomResourceDefinition"] * 2
