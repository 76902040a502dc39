"""Put what a cluster needs in place, or take it away: first what would be done, then that."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import aclosing, suppress
from typing import Literal

import msgspec
from msgspec import Struct

from scheduler_core.errors import EngineUnavailable, NotAllowed, NotFound
from scheduler_core.kubernetes.api.connection import APPLY, Connection, Json
from scheduler_core.kubernetes.api.history import SECRET
from scheduler_core.kubernetes.api.resources import WORKLOADS
from scheduler_core.kubernetes.setup.manifest import manifest

_FIELD_MANAGER = "jupyter-runai"
_PLURALS = {
    "CustomResourceDefinition": "customresourcedefinitions",
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "Namespace": "namespaces",
    "PriorityClass": "priorityclasses",
    "Service": "services",
    "ServiceAccount": "serviceaccounts",
    "Role": "roles",
    "RoleBinding": "rolebindings",
    "Secret": "secrets",
    "Deployment": "deployments",
}
_ANY_IMAGE = "any"
_ANY_CLAIM = "any"
"""Which ones it has does not matter where the controller goes; the claim itself stays."""
_SERVED_WITHIN_S = 30


class Change(Struct, frozen=True, kw_only=True):
    """What is done with one object; `keep` where it is as it should be already.

    Those in namespaces of users are named NAMESPACE/NAME.
    """

    action: Literal["create", "change", "keep", "delete"]
    kind: str
    name: str


async def planned_installation(
    connection: Connection, image: str | None = None, claim: str | None = None
) -> tuple[Change, ...]:
    """What `install` would do. The API server works it out; nothing is changed."""
    objects = manifest(image, claim)
    namespaces = [wanted for wanted in objects if wanted["kind"] == "Namespace"]
    lacking = {wanted["metadata"]["name"] for wanted in namespaces if await _live(connection, wanted) is None}
    return tuple([await _planned(connection, wanted, lacking) for wanted in objects])


async def install(connection: Connection, image: str | None = None, claim: str | None = None) -> None:
    """Make every object as it should be, and wait until our kinds are served; without an image no controller."""
    for wanted in manifest(image, claim):
        await _apply(connection, wanted)
    for wanted in manifest(image):
        if wanted["kind"] == "CustomResourceDefinition":
            await _until_served(connection, wanted["metadata"]["name"])


async def planned_removal(connection: Connection) -> tuple[Change, ...]:
    """What `uninstall` would do, the last that was made first, then what the controller told namespaces."""
    return tuple(_change("delete", found) for found in (*await _installed(connection), *await _told(connection)))


async def uninstall(connection: Connection) -> None:
    """Delete every object; with our kinds go all workloads and queues."""
    for found in await _installed(connection):
        await _delete(connection, found)
    # By now the controller may not write any more of them.
    for found in await _told(connection):
        await _delete(connection, found)


async def workloads_there(connection: Connection) -> int:
    """How many workloads the cluster keeps, ended ones too."""
    try:
        listed: Json = await connection.get(WORKLOADS.path(), limit="1")
    except NotFound:
        return 0
    return len(listed["items"]) + int(listed["metadata"].get("remainingItemCount", 0))


async def _installed(connection: Connection) -> list[Json]:
    return [wanted for wanted in reversed(manifest(_ANY_IMAGE, _ANY_CLAIM)) if await _stays(connection, wanted)]


async def _told(connection: Connection) -> list[Json]:
    """The Secrets that open history; none of them for whoever may not see those of all namespaces."""
    try:
        listed: Json = await connection.get("/api/v1/secrets", fieldSelector=f"metadata.name={SECRET}")
    except NotAllowed:
        return []
    places = [one["metadata"]["namespace"] for one in listed["items"]]
    return [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET, "namespace": at}} for at in places]


async def _delete(connection: Connection, found: Json) -> None:
    with suppress(NotFound):
        await connection.send("DELETE", _path(found))


async def _planned(connection: Connection, wanted: Json, lacking: Collection[str]) -> Change:
    """`lacking` are namespaces that are to be made first: nothing can be in them."""
    live = None if wanted["metadata"].get("namespace") in lacking else await _live(connection, wanted)
    if live is None:
        return _change("create", wanted)
    after = await _apply(connection, wanted, dryRun="All")
    return _change("keep" if _content(after) == _content(live) else "change", wanted)


async def _live(connection: Connection, wanted: Json) -> Json | None:
    try:
        found: Json = await connection.get(_path(wanted))
    except NotFound:
        return None
    return found


async def _stays(connection: Connection, wanted: Json) -> bool:
    """Whether it is there and was not told to go."""
    live = await _live(connection, wanted)
    return live is not None and "deletionTimestamp" not in live["metadata"]


async def _apply(connection: Connection, wanted: Json, **options: str) -> Json:
    query = {"fieldManager": _FIELD_MANAGER, "force": "true", **options}
    made: Json = await connection.send("PATCH", _path(wanted), wanted, APPLY, **query)
    return made


async def _until_served(connection: Connection, name: str) -> None:
    """Wait until the API server serves a kind.

    Raises:
        EngineUnavailable: it does not within half a minute.
    """
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    query = {"watch": "true", "fieldSelector": f"metadata.name={name}", "timeoutSeconds": str(_SERVED_WITHIN_S)}
    async with aclosing(connection.lines(path, 2 * _SERVED_WITHIN_S, **query)) as events:
        async for line in events:
            definition = msgspec.json.decode(line)["object"]
            conditions: Sequence[Json] = definition.get("status", {}).get("conditions", ())
            if any(one["type"] == "Established" and one["status"] == "True" for one in conditions):
                return
    raise EngineUnavailable(f"The cluster has {name} and does not serve it.", f"kubectl describe crd {name} says why.")


def _change(action: Literal["create", "change", "keep", "delete"], wanted: Json) -> Change:
    name, namespace = wanted["metadata"]["name"], wanted["metadata"].get("namespace")
    told = f"{namespace}/{name}" if wanted["kind"] == "Secret" else name
    return Change(action=action, kind=wanted["kind"], name=told)


def _path(wanted: Json) -> str:
    metadata, version = wanted["metadata"], wanted["apiVersion"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    where = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"{root}{where}/{_PLURALS[wanted['kind']]}/{metadata['name']}"


def _content(found: Json) -> Json:
    """An object without what the API server counts and notes at each write."""
    kept = ("name", "labels", "annotations", "uid")
    metadata = {name: found["metadata"][name] for name in kept if name in found["metadata"]}
    return {**found, "metadata": metadata}
