"""In which image work runs, and with which volumes: as it says, as its environment does, else as the notebook's pod."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import count

import pytest
from kubernetes import client

from jupyter_runai.client import Client
from jupyter_runai.submission.specification import Asked, specification
from jupyter_runai.submission.templates import with_template
from jupyter_runai.verbs.option_types import mount
from scheduler_core.errors import NotFound
from scheduler_core.kubernetes.engine import KubernetesEngine
from scheduler_core.workload import Mount
from tests.cluster.control_plane import ControlPlane
from tests.cluster.controlled import queues
from tests.engine_steps import RUNS, asked

_numbers = count()


@pytest.fixture
def namespace(installed: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"surrounded-{next(_numbers)}"
    monkeypatch.setenv("KUBECONFIG", str(installed.user_of(name)))
    monkeypatch.setenv("RUNAI_ENGINE", "kubernetes")
    return name


@pytest.fixture
def engine(namespace: str, jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[KubernetesEngine]:
    engine = jp_asyncio_loop.run_until_complete(KubernetesEngine.open())
    yield engine
    jp_asyncio_loop.run_until_complete(engine.close())


def test_an_environment_is_one_of_its_project_or_the_department(installed: ControlPlane, namespace: str) -> None:
    torch = {"name": "torch", "image": "registry/torch:2", "variables": {"A": "b"}, "folder": "/home/me"}
    own = {"name": "own", "image": "own:1", "mounts": [{"claim": "data", "path": "/data"}]}
    old = {"name": "torch", "image": "registry/torch:1"}
    department, other = {"environments": [old, own]}, {"namespaces": ["others"], "environments": [{"name": "theirs"}]}
    user = Client()
    with queues(installed, vision={"environments": [torch], "parent": "ml"}, ml=department, other=other):
        assert [one.name for one in user.catalog().environments] == ["own", "torch"]
        spec = specification(with_template(user, Asked(environment="torch", mount=[mount("home/a:/h:ro")])), "cell")
        assert (spec.image, spec.cwd, spec.env["A"]) == ("registry/torch:2", "/home/me", "b")
        assert spec.mounts == (Mount(claim="home", path="/h", sub_path="a", read_only=True),)
        with_volumes = specification(with_template(user, Asked(environment="own")), "cell")
        assert with_volumes.mounts == (Mount(claim="data", path="/data"),)
        with pytest.raises(NotFound, match="no environment 'theirs'"):
            with_template(user, Asked(environment="theirs"))
    user.close()


async def test_without_a_word_it_is_as_the_notebooks_own_pod(
    installed: ControlPlane, namespace: str, engine: KubernetesEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = client.CoreV1Api(installed.api())
    for name, modes in (("shared", ["ReadWriteMany"]), ("mine", ["ReadWriteOnce"])):
        room = {"requests": {"storage": "1Mi"}}
        spec = {"accessModes": modes, "storageClassName": "", "resources": room}
        core.create_namespaced_persistent_volume_claim(namespace, {"metadata": {"name": name}, "spec": spec})
    mounts = [
        {"name": "a", "mountPath": "/home/me", "subPath": "me"},
        {"name": "b", "mountPath": "/scratch"},
        {"name": "c", "mountPath": "/cache"},
    ]
    volumes = [{"name": name, "persistentVolumeClaim": {"claimName": claim}} for name, claim in _CLAIMS.items()]
    containers = [{"name": "proxy", "image": "proxy:1"}, {"name": "notebook", "image": "lab:1", "volumeMounts": mounts}]
    pod = {"containers": containers, "volumes": [*volumes, {"name": "c", "emptyDir": {}}]}
    core.create_namespaced_pod(namespace, {"metadata": {"name": "jupyter-me"}, "spec": pod})
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setattr("socket.gethostname", lambda: "jupyter-me")
    workload = await engine.submit(asked(RUNS))
    spec = await engine.specification(workload.id)
    assert spec.image == "lab:1"
    # One that a single node may have could keep its pod from ever starting.
    assert spec.mounts == (Mount(claim="shared", path="/home/me", sub_path="me"),)
    other = await engine.specification((await engine.submit(asked(RUNS, image="mine:1"))).id)
    assert (other.image, other.mounts) == ("mine:1", spec.mounts)


_CLAIMS = {"a": "shared", "b": "mine"}


@pytest.mark.parametrize("text", ["data", "data:relative", ":/data", "data:/data:rx"])
def test_a_mount_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(Exception, match="a claim and a path"):
        mount(text)
