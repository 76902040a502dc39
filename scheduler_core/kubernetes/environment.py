"""A workload's environment as a Secret: whoever may read workloads need not read what is in it."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from contextlib import suppress

from scheduler_core.errors import Conflict, InvalidRequest, NotFound
from scheduler_core.kubernetes.connection import MERGE_PATCH, STRATEGIC_PATCH, Connection, Json
from scheduler_core.kubernetes.resources import API_VERSION, WORKLOADS

_VARIABLE = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_SHELL_FUNCTION = re.compile(r"BASH_FUNC_.*(%%|\(\))")
"""A function that a shell exports: no shell stands between a pod and its program."""


class Environments:
    """The environments of the workloads of one namespace, each in the Secret of its workload's name."""

    def __init__(self, connection: Connection, namespace: str) -> None:
        self._connection = connection
        self._path = f"/api/v1/namespaces/{namespace}/secrets"

    async def keep(self, name: str, env: Mapping[str, str]) -> None:
        """Write it down before its workload is there: no workload is ever without.

        Raises:
            InvalidRequest: a variable has a name that no pod can be given.
        """
        content = {variable: b64encode(value.encode()).decode() for variable, value in _handed_on(env).items()}
        secret: Json = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": content}
        try:
            await self._connection.send("POST", self._path, secret)
        except Conflict:
            # Of a submission with the same key, which may just have said whose it is: that stays.
            change: Json = {"data": {"$patch": "replace", **content}}
            await self._connection.send("PATCH", f"{self._path}/{name}", change, STRATEGIC_PATCH)

    async def belongs(self, name: str, uid: str) -> None:
        """From now on it is deleted with its workload."""
        owner = {"apiVersion": API_VERSION, "kind": WORKLOADS.kind, "name": name, "uid": uid}
        change: Json = {"metadata": {"ownerReferences": [owner]}}
        await self._connection.send("PATCH", f"{self._path}/{name}", change, MERGE_PATCH)

    async def read(self, name: str) -> dict[str, str]:
        """Empty where it is gone."""
        try:
            secret: Json = await self._connection.get(f"{self._path}/{name}")
        except NotFound:
            return {}
        return {variable: b64decode(value).decode() for variable, value in secret.get("data", {}).items()}

    async def forget(self, name: str) -> None:
        with suppress(NotFound):
            await self._connection.send("DELETE", f"{self._path}/{name}")


def _handed_on(env: Mapping[str, str]) -> dict[str, str]:
    found = {variable: value for variable, value in env.items() if not _SHELL_FUNCTION.fullmatch(variable)}
    for variable in found:
        if not _VARIABLE.fullmatch(variable):
            raise InvalidRequest(f"A pod cannot be given a variable of the name {variable!r}.", "Submit without it.")
    return found
