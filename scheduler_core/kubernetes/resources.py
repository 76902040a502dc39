"""Our kinds in the Kubernetes API, by what they are called and where they are found."""

from __future__ import annotations

from msgspec import Struct

GROUP = "jupyter-runai.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

KEY_LABEL = f"{GROUP}/key"
"""A digest of the key that made submitting idempotent."""
DELETED_LABEL = f"{GROUP}/deleted"
"""Set on what is deleted and can be had back."""
OWNER_ANNOTATION = f"{GROUP}/owner"
DELETED_AT_ANNOTATION = f"{GROUP}/deleted-at"
RESTORED_AT_ANNOTATION = f"{GROUP}/restored-at"


class Kind(Struct, frozen=True):
    """A kind of object."""

    kind: str
    plural: str
    namespaced: bool

    def path(self, namespace: str = "", name: str = "", part: str = "") -> str:
        """Where its objects are, or one of them, or a part of it such as `status`; all namespaces without one."""
        where = ["", "apis", GROUP, VERSION]
        where += ["namespaces", namespace] if namespace else []
        return "/".join([*where, *filter(None, (self.plural, name, part))])


WORKLOADS = Kind("GpuWorkload", "gpuworkloads", True)
QUEUES = Kind("GpuQueue", "gpuqueues", False)
