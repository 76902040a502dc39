"""The real definitions of other projects' kinds, from their Go modules; small ones of our own where there is none."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import yaml
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from tests.cluster.control_plane import wait_until

_MODULES = {
    "github.com/NVIDIA/KAI-scheduler@v0.12.0": "deployments/kai-scheduler/crds/scheduling.run.ai_*.yaml",
    "github.com/argoproj/argo-workflows/v3@v3.6.0": "manifests/base/crds/minimal/argoproj.io_workflows.yaml",
    "github.com/kubeflow/mpi-operator@v0.6.0": "manifests/base/kubeflow.org_mpijobs.yaml",
    "github.com/kubeflow/trainer/v2@v2.0.0": "manifests/base/crds/*_train*.yaml",
    "github.com/kubeflow/training-operator@v1.9.0": "manifests/base/crds/kubeflow.org_[jptx]*s.yaml",
    "github.com/ray-project/kuberay/ray-operator@v1.5.0": "config/crd/bases/*.yaml",
    "knative.dev/serving@v0.44.0": "config/core/300-resources/service.yaml",
    "sigs.k8s.io/jobset@v0.8.0": "config/components/crd/bases/*.yaml",
    "sigs.k8s.io/lws@v0.6.0": "config/crd/bases/*_leaderworkersets.yaml",
}
"""Of each module the files of its definitions; of MPIJob that of its own operator, which is the newer one."""
_OWNERS = tuple(module for module in _MODULES if "KAI" not in module)
_OURS = (
    ("kubeflow.org", "v1", "Notebook", "notebooks"),
    ("sparkoperator.k8s.io", "v1beta2", "SparkApplication", "sparkapplications"),
)
"""Kinds whose modules cannot be had: any fields are taken."""


def install(api: client.ApiClient, *modules: str) -> None:
    """Make the kinds of the modules with these words in their names known, or all that own pods.

    It returns once the API server serves them.
    """
    wanted = [(module, files) for module, files in _MODULES.items() if any(map(module.count, modules or _OWNERS))]
    made = [read for module, files in wanted for read in _definitions(module, files)]
    made += [] if modules else [_any_fields(*kind) for kind in _OURS]
    extensions = client.ApiextensionsV1Api(api)
    for body in made:
        try:
            extensions.create_custom_resource_definition(body)
        except ApiException as error:
            if error.status != 409:
                raise
    names = {body["metadata"]["name"] for body in made}
    wait_until("the kinds are served", lambda: names <= _served(extensions))


def _served(extensions: client.ApiextensionsV1Api) -> set[str]:
    return {
        found.metadata.name
        for found in extensions.list_custom_resource_definition().items
        if any(one.type == "Established" and one.status == "True" for one in found.status.conditions or ())
    }


def _definitions(module: str, files: str) -> list[dict[str, object]]:
    # Outside any module, so that nothing is added to one.
    with tempfile.TemporaryDirectory() as folder:
        command = ["go", "mod", "download", "-json", module]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    found = sorted(Path(json.loads(done.stdout)["Dir"]).glob(files))
    assert found, f"{module} has no {files}"
    read = [part for file in found for part in yaml.safe_load_all(file.read_text()) if part]
    for part in read:
        # Conversion needs their programs; these are not here.
        part["spec"].pop("conversion", None)
    return [part for part in read if part["kind"] == "CustomResourceDefinition"]


def _any_fields(group: str, version: str, kind: str, plural: str) -> dict[str, object]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    served = {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        # Names below k8s.io are taken with this alone.
        "metadata": {"name": f"{plural}.{group}", "annotations": {"api-approved.kubernetes.io": "unapproved, a test"}},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [served]},
    }
