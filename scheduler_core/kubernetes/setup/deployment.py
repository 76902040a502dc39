"""The controller as a cluster runs it: its account, the least that it has to be allowed, and its Deployment."""

from __future__ import annotations

from collections import defaultdict

from scheduler_core.kubernetes.api.blobs import PORT, PORT_NAME, PROXIED, SERVICE
from scheduler_core.kubernetes.api.connection import Json
from scheduler_core.kubernetes.api.history import ALL_SECRET, SECRET
from scheduler_core.kubernetes.api.resources import GROUP, QUEUES, RESERVATIONS, SYSTEM_NAMESPACE, WORKLOADS
from scheduler_core.kubernetes.running.job_kinds import JOB_KINDS
from scheduler_core.kubernetes.scheduling.kai import KAI_GROUP
from scheduler_core.kubernetes.sharing.reservation_manifest import reservation_objects
from scheduler_core.kubernetes.state.owner_kinds import OWNER_KINDS

CONTROLLER = "jupyter-runai-controller"
IMAGE_VARIABLE = "RUNAI_IMAGE"
"""In the controller's environment: the image that it is of, for the pods that hold devices."""

_READ = ["get", "list", "watch"]
_RBAC = "rbac.authorization.k8s.io"
_ACCOUNT = {"kind": "ServiceAccount", "name": CONTROLLER, "namespace": SYSTEM_NAMESPACE}
_NOBODY = 65534
_LABELS = {"app.kubernetes.io/name": CONTROLLER}
_VALUES = "/var/lib/runai/values"
_HISTORY = "/var/lib/runai/history"
_HISTORY_ROLE = "jupyter-runai-history"
_ROLE = {"kind": "Role", "apiGroup": _RBAC}


def controller_account() -> tuple[Json, ...]:
    """The controller's namespace, account and rights."""
    return (
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM_NAMESPACE}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _metadata()},
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": CONTROLLER},
            "rules": [
                _rule("", ["nodes"], _READ),
                _rule("", ["pods"], [*_READ, "delete"]),
                _rule("", ["pods/status"], ["patch"]),
                _rule("", ["pods/binding", "events", "services"], ["create"]),
                *(_rule(group, kinds, [*_READ, "create", "patch", "delete"]) for group, kinds in _made_kinds().items()),
                # Whose a pod is, and how many of them start together, the objects above it say.
                {"apiGroups": _owner_groups(), "resources": ["*"], "verbs": ["get"]},
                # Where KAI places the work, what it says of it.
                _rule(KAI_GROUP, ["podgroups"], _READ),
                _rule(GROUP, [WORKLOADS.plural, QUEUES.plural], _READ),
                _rule(GROUP, [WORKLOADS.plural], ["patch", "delete"]),
                _rule(GROUP, [f"{WORKLOADS.plural}/status", f"{QUEUES.plural}/status"], ["patch"]),
            ],
        },
        _bound("ClusterRole", {"name": CONTROLLER}),
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "Role",
            "metadata": _metadata(),
            "rules": [_rule("coordination.k8s.io", ["leases"], ["get", "create", "update"])],
        },
        _bound("Role", _metadata()),
        *reservation_objects(),
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "Role",
            "metadata": _reserving(),
            "rules": [
                _rule("", ["pods"], [*_READ, "create", "patch", "delete"]),
                _rule("", ["pods/log"], ["get"]),
                _rule("", ["configmaps"], [*_READ, "create", "patch"]),
            ],
        },
        _bound("Role", _reserving()),
        *_values(),
    )


def _values() -> tuple[Json, ...]:
    """By what everybody sends large values to the controller, and asks for history; both for who has the token."""
    everyone = {"kind": "Group", "apiGroup": _RBAC, "name": "system:authenticated"}
    metadata = {"name": SERVICE, "namespace": SYSTEM_NAMESPACE}
    rule = {"apiGroups": [""], "resources": ["services/proxy"], "resourceNames": [PROXIED], "verbs": ["get", "update"]}
    return (
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {
                # Of a controller outside of the cluster whoever runs it says where that is.
                "clusterIP": "None",
                "selector": _LABELS,
                "ports": [{"name": PORT_NAME, "port": PORT, "targetPort": PORT}],
            },
        },
        {"apiVersion": f"{_RBAC}/v1", "kind": "Role", "metadata": metadata, "rules": [rule]},
        {**_bound("Role", metadata), "subjects": [everyone], "roleRef": {**_ROLE, "name": SERVICE}},
    )


def history_rights() -> tuple[Json, ...]:
    """What the controller has to be allowed where it keeps history: to read what pods say, and to tell its tokens."""
    metadata = {"name": _HISTORY_ROLE}
    # What may be created cannot be told by its name. It reads no Secret.
    rules = [
        _rule("", ["pods/log"], ["get"]),
        _rule("", ["secrets"], ["create"]),
        {**_rule("", ["secrets"], ["patch"]), "resourceNames": [SECRET, ALL_SECRET]},
    ]
    reference = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": _HISTORY_ROLE}
    return (
        {"apiVersion": f"{_RBAC}/v1", "kind": "ClusterRole", "metadata": metadata, "rules": rules},
        {**_bound("ClusterRole", metadata), "roleRef": reference},
    )


def controller_deployment(image: str, claim: str | None = None) -> Json:
    """The controller, from an image that has Python and this package; it keeps history on the volume of a claim."""
    container: Json = {
        "name": "controller",
        "image": image,
        "command": ["python", "-m", "scheduler_core.kubernetes.controller"],
        "env": [{"name": IMAGE_VARIABLE, "value": image}],
        "args": ["--values", _VALUES],
        "ports": [{"name": PORT_NAME, "containerPort": PORT}],
        "volumeMounts": [{"name": "values", "mountPath": _VALUES}],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    pod: Json = {
        "volumes": [{"name": "values", "emptyDir": {}}],
        "serviceAccountName": CONTROLLER,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _NOBODY,
            "fsGroup": _NOBODY,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }
    more: Json = {}
    if claim is not None:
        container["args"] += ["--history", _HISTORY]
        container["volumeMounts"].append({"name": "history", "mountPath": _HISTORY})
        pod["volumes"].append({"name": "history", "persistentVolumeClaim": {"claimName": claim}})
        # Most volumes the next one could not have before the last one has gone.
        more["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(),
        "spec": {
            "replicas": 1,
            **more,
            "selector": {"matchLabels": _LABELS},
            "template": {"metadata": {"labels": _LABELS}, "spec": pod},
        },
    }


def _metadata() -> Json:
    return {"name": CONTROLLER, "namespace": SYSTEM_NAMESPACE}


def _reserving() -> Json:
    return {"name": CONTROLLER, "namespace": RESERVATIONS}


def _made_kinds() -> dict[str, list[str]]:
    """What makes pods of workloads, by its group: of most kinds the operator may come after us."""
    found: dict[str, set[str]] = defaultdict(set)
    for kind in JOB_KINDS.values():
        found[kind.group] |= {kind.plural, *kind.needs}
    return {group: sorted(found[group]) for group in sorted(found)}


def _owner_groups() -> list[str]:
    return sorted({known.group for known in OWNER_KINDS if known.group not in ("", GROUP)})


def _rule(group: str, resources: list[str], verbs: list[str]) -> Json:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def _bound(kind: str, metadata: Json) -> Json:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": f"{kind}Binding",
        "metadata": metadata,
        "roleRef": {"apiGroup": _RBAC, "kind": kind, "name": CONTROLLER},
        "subjects": [_ACCOUNT],
    }
