"""Whether a device can be shared in a cluster: what was found when it was tried, kept where everybody can read it."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from scheduler_core.errors import NotAllowed, NotFound
from scheduler_core.kubernetes.api.connection import APPLY, Connection, Json
from scheduler_core.kubernetes.api.resources import GROUP, RESERVATIONS

PROOF_LABEL = f"{GROUP}/proof"
PROOFS = f"/api/v1/namespaces/{RESERVATIONS}/configmaps"

_NAME = "sharing"
_PATH = f"{PROOFS}/{_NAME}"
_FIELD_MANAGER = "jupyter-runai"
_ASKED_BY = "jupyter-runai-check"


class Proof(Struct, frozen=True, kw_only=True):
    """What is known of sharing devices.

    `works` is null where it could not be tried, `reason` says why not, or why it does not. `asked` is the mark of the
    one who asked last that it be tried, `answered` that of the last who was answered.
    """

    works: bool | None = None
    reason: str = ""
    asked: str = ""
    answered: str = ""

    @property
    def is_due(self) -> bool:
        return self.asked != self.answered

    @property
    def refusal(self) -> str:
        """The sentence with which requests for shares are refused; empty where they are not."""
        return f"No device of this cluster can be shared: {self.reason}." if self.works is False else ""


class _ConfigMap(Struct, frozen=True):
    data: dict[str, str] = {}


_read = msgspec.json.Decoder(_ConfigMap).decode
_WORKS = {"yes": True, "no": False}


def read_proof(content: bytes) -> Proof:
    """A proof from the JSON of its ConfigMap. Raises msgspec.MsgspecError where it is none."""
    said = _read(content).data
    return Proof(
        works=_WORKS.get(said.get("works", "")),
        reason=said.get("reason", ""),
        asked=said.get("asked", ""),
        answered=said.get("answered", ""),
    )


async def known_proof(connection: Connection) -> Proof | None:
    """What is known now; null where it was never tried, or may not be read."""
    try:
        return read_proof(await connection.raw(_PATH))
    except (NotFound, NotAllowed):
        return None


async def ask(connection: Connection, mark: str) -> None:
    """Ask the controller to try it, and to answer to this mark.

    Raises:
        NotAllowed: this user may not.
    """
    await _apply(connection, {"asked": mark}, _ASKED_BY)


async def tell(connection: Connection, proof: Proof) -> None:
    """Write down what was found."""
    works = {True: "yes", False: "no", None: "unknown"}[proof.works]
    await _apply(connection, {"works": works, "reason": proof.reason, "answered": proof.answered}, _FIELD_MANAGER)


async def _apply(connection: Connection, data: dict[str, str], manager: str) -> None:
    metadata = {"name": _NAME, "namespace": RESERVATIONS, "labels": {PROOF_LABEL: "true"}}
    body: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    await connection.send("PATCH", _PATH, body, APPLY, fieldManager=manager, force="true")
