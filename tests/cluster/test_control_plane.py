"""The cluster of the tests is one: it gives rights, keeps objects, and its nodes play what pods do."""

from __future__ import annotations

import pytest
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from tests.cluster.control_plane import ControlPlane, wait_until


@pytest.mark.parametrize(
    ("program", "phase"), [("/bin/echo", "Succeeded"), ("/bin/false", "Failed"), ("/bin/sleep", "Running")]
)
def test_a_pod_on_a_fake_node_plays_its_program(cluster: ControlPlane, program: str, phase: str) -> None:
    core = client.CoreV1Api(cluster.api())
    made = core.create_namespaced_pod("default", _pod(program))
    name = made.metadata.name
    target = {"apiVersion": "v1", "kind": "Node", "name": "node-0"}
    binding = {"metadata": {"name": name}, "target": target}
    core.create_namespaced_pod_binding(name, "default", binding, _preload_content=False)
    wait_until(f"it is {phase}", lambda: core.read_namespaced_pod(name, "default").status.phase == phase)
    core.delete_namespaced_pod(name, "default")
    wait_until(
        "it is gone", lambda: name not in {pod.metadata.name for pod in core.list_namespaced_pod("default").items}
    )


def test_a_user_of_one_namespace_has_no_rights_in_another(cluster: ControlPlane) -> None:
    user = client.CoreV1Api(config.new_client_from_config(str(cluster.user_of("of-a-user"))))
    user.create_namespaced_pod("of-a-user", _pod("/bin/sleep"))
    with pytest.raises(ApiException, match="forbidden"):
        user.create_namespaced_pod("default", _pod("/bin/sleep"))


def _pod(program: str) -> dict[str, object]:
    container = {"name": "main", "image": "any", "command": [program]}
    return {"metadata": {"generateName": "one-"}, "spec": {"containers": [container], "schedulerName": "nobody"}}
