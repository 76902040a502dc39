"""JSON in and out of the planner: strict on the way in, the same bytes for the same plan on the way out."""

from __future__ import annotations

import re

import msgspec

from scheduler_core.model import Plan, Snapshot
from scheduler_core.planning.errors import BadSnapshot
from scheduler_core.planning.validation import validate

_DECODER = msgspec.json.Decoder(Snapshot)
_PLAN_DECODER = msgspec.json.Decoder(Plan)
_ENCODER = msgspec.json.Encoder(order="deterministic")
_PATH = re.compile(r" - at `(?P<path>[^`]*)`\Z")


def snapshot_from_json(data: bytes) -> Snapshot:
    """Decode and validate a snapshot.

    Raises:
        BadSnapshot: not JSON, an unknown field, a value of the wrong type or range, or a snapshot that contradicts
            itself; the message names the field by its path.
    """
    try:
        snapshot = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        sentence = str(error) or "the snapshot is nested too deeply"
        found = _PATH.search(sentence)
        raise BadSnapshot(sentence[: found.start()] if found else sentence, found["path"] if found else "$") from None
    validate(snapshot)
    return snapshot


def plan_from_json(data: bytes) -> Plan:
    """Decode a plan that `plan_to_json` has encoded.

    Raises:
        msgspec.DecodeError: not JSON, an unknown field, or a value of the wrong type.
    """
    return _PLAN_DECODER.decode(data)


def plan_to_json(plan: Plan) -> bytes:
    """Encode a plan; fields that have their default stand there too, null is unlimited."""
    return _ENCODER.encode(plan)
