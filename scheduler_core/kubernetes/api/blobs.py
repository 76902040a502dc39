"""Large parts of workloads' inputs: the controller keeps them, each under its SHA-256, as long as they are needed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from msgspec import Struct

from scheduler_core.kubernetes.api.connection import Connection
from scheduler_core.kubernetes.api.resources import SYSTEM_NAMESPACE

SERVICE = "jupyter-runai-blobs"
PORT = 8095
PORT_NAME = "blobs"
TOKEN_HEADER = "X-Runai-Token"  # noqa: S105 (its name)
PROXIED = f"http:{SERVICE}:{PORT_NAME}"
"""How the API server calls it."""

PROXY = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/services/{PROXIED}/proxy"


class Blob(Struct, frozen=True):
    """A file among a workload's inputs, of so many bytes, by its SHA-256."""

    path: str
    digest: str
    size: int


def token_digest(token: str) -> str:
    """What a workload says of its token."""
    return hashlib.sha256(token.encode()).hexdigest()


def url_in_cluster(namespace: str, workload: str) -> str:
    """Where pods find those of a workload."""
    return f"http://{SERVICE}.{SYSTEM_NAMESPACE}.svc:{PORT}/blobs/{namespace}/{workload}"


async def send_blob(connection: Connection, namespace: str, workload: str, token: str, blob: Blob, file: Path) -> None:
    """Bring one to the controller, by way of the API server."""
    path = f"{PROXY}/blobs/{namespace}/{workload}/{blob.digest}"
    await connection.upload(path, file.read_bytes(), {TOKEN_HEADER: token})
