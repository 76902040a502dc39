"""Secrets that belong to a workload: there before it is, and deleted with it."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from contextlib import suppress

from scheduler_core.errors import Conflict, NotFound
from scheduler_core.kubernetes.api.connection import MERGE_PATCH, STRATEGIC_PATCH, Connection, Json
from scheduler_core.kubernetes.api.resources import API_VERSION, WORKLOADS


class AttachedSecrets:
    """Those of the workloads of one namespace."""

    def __init__(self, connection: Connection, namespace: str) -> None:
        self._connection = connection
        self._path = f"/api/v1/namespaces/{namespace}/secrets"

    async def keep(self, name: str, content: Mapping[str, bytes]) -> None:
        """Write it down before its workload is there: no workload is ever without."""
        data = {key: b64encode(value).decode() for key, value in content.items()}
        secret: Json = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}
        try:
            await self._connection.send("POST", self._path, secret)
        except Conflict:
            # Of a submission with the same key, which may just have said whose it is: that stays.
            change: Json = {"data": {"$patch": "replace", **data}}
            await self._connection.send("PATCH", f"{self._path}/{name}", change, STRATEGIC_PATCH)

    async def belongs(self, name: str, workload: str, uid: str) -> None:
        """From now on it is deleted with its workload."""
        owner = {"apiVersion": API_VERSION, "kind": WORKLOADS.kind, "name": workload, "uid": uid}
        change: Json = {"metadata": {"ownerReferences": [owner]}}
        await self._connection.send("PATCH", f"{self._path}/{name}", change, MERGE_PATCH)

    async def read(self, name: str) -> dict[str, bytes]:
        """Empty where it is gone."""
        try:
            secret: Json = await self._connection.get(f"{self._path}/{name}")
        except NotFound:
            return {}
        return {key: b64decode(value) for key, value in secret.get("data", {}).items()}

    async def forget(self, name: str) -> None:
        with suppress(NotFound):
            await self._connection.send("DELETE", f"{self._path}/{name}")
