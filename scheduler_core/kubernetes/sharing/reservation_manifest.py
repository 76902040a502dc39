"""What reservations of devices need in a cluster: a namespace of their own, a priority, and readers."""

from __future__ import annotations

from scheduler_core.kubernetes.api.connection import Json
from scheduler_core.kubernetes.api.resources import RESERVATIONS
from scheduler_core.kubernetes.sharing.reservation_pods import PRIORITY_CLASS

_RBAC = "rbac.authorization.k8s.io"
_READERS = "jupyter-runai-reservation-readers"
_HIGHEST = 1_000_000_000
"""Of what is not Kubernetes' own: no other pod may take a device that somebody shares."""


def reservation_objects() -> tuple[Json, ...]:
    """The objects, in the order in which they are made."""
    everyone = {"kind": "Group", "apiGroup": _RBAC, "name": "system:authenticated"}
    return (
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": RESERVATIONS}},
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": PRIORITY_CLASS},
            "value": _HIGHEST,
            "globalDefault": False,
            "description": "Pods that hold a device for those who share it.",
        },
        # How devices are used is no secret: reservations say nothing else.
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "Role",
            "metadata": {"name": _READERS, "namespace": RESERVATIONS},
            "rules": [
                {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
                {"apiGroups": [""], "resources": ["pods/log", "configmaps"], "verbs": ["get"]},
            ],
        },
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": _READERS, "namespace": RESERVATIONS},
            "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": _READERS},
            "subjects": [everyone],
        },
    )
