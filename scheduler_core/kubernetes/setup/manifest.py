"""Everything that a cluster is given: our kinds, who may do what with their objects, and the controller."""

from __future__ import annotations

from scheduler_core.kubernetes.api.connection import Json
from scheduler_core.kubernetes.api.crds import definitions
from scheduler_core.kubernetes.api.history import ALL_SECRET
from scheduler_core.kubernetes.api.resources import GROUP, QUEUES, WORKLOADS
from scheduler_core.kubernetes.setup.deployment import controller_account, controller_deployment, history_rights

_READ = ["get", "list", "watch"]
_CHANGE = ["create", "update", "patch", "delete"]
_RBAC = "rbac.authorization.k8s.io"
_QUEUE_READERS = "jupyter-runai-queue-readers"


def manifest(image: str | None = None, claim: str | None = None) -> tuple[Json, ...]:
    """The objects, in the order in which they are made; the controller itself where there is an `image` for it.

    With a `claim` on a volume it keeps history there.
    """
    everyone = {"kind": "Group", "apiGroup": _RBAC, "name": "system:authenticated"}
    return (
        *definitions(),
        # Whoever may read, or change, what is in a namespace may do so with workloads too.
        _role("jupyter-runai-view", WORKLOADS.plural, _READ, aggregated_to=("view",)),
        _role("jupyter-runai-edit", WORKLOADS.plural, _CHANGE, aggregated_to=("edit", "admin")),
        # Queues belong to no namespace: everybody may see them, and those who run the cluster change them.
        _role(_QUEUE_READERS, QUEUES.plural, _READ),
        # Bound to nobody: whom it is given to is told positions, devices, what would let work start, and who used
        # what.
        _cluster_view(),
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": _QUEUE_READERS},
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": _QUEUE_READERS},
            "subjects": [everyone],
        },
        *controller_account(),
        *(() if claim is None else history_rights()),
        *(() if image is None else (controller_deployment(image, claim),)),
    )


def _cluster_view() -> Json:
    role = _role("jupyter-runai-cluster-view", WORKLOADS.plural, _READ)
    seen = {"apiGroups": [""], "resources": ["nodes", "pods"], "verbs": _READ}
    accounts = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [ALL_SECRET], "verbs": ["get"]}
    return {**role, "rules": [*role["rules"], seen, accounts]}


def _role(name: str, plural: str, verbs: list[str], aggregated_to: tuple[str, ...] = ()) -> Json:
    labels = {f"{_RBAC}/aggregate-to-{role}": "true" for role in aggregated_to}
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name, "labels": labels},
        "rules": [{"apiGroups": [GROUP], "resources": [plural], "verbs": verbs}],
    }
