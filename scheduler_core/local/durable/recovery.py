"""Finding all workloads again where the store was damaged."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from pathlib import Path

from msgspec.structs import replace

from scheduler_core.local.durable.store import Store
from scheduler_core.local.record.records import Record
from scheduler_core.local.record.runs import RunFolder
from scheduler_core.local.record.tasks import settled

_log = logging.getLogger(__name__)


def find_again(store: Store, folder: Path) -> str:
    """Where the store was damaged, fill it from the folders of the workloads; the sentence that tells people."""
    if store.damaged is None:
        return ""
    found, unknown = [], store.damaged.with_name(f"{store.damaged.name}.workloads")
    for path in sorted(folder.iterdir()):
        record = RunFolder(path).kept()
        if record is not None:
            found.append(record if record.workload.has_ended else settled(record, time.time()))
        else:
            # Nobody knows any more whose it is; what belongs to no workload would be cleared away.
            unknown.mkdir(mode=0o700, exist_ok=True)
            path.rename(unknown / path.name)
    store.restore(_with_keys_of_their_own(found))
    told = f"The engine's store was damaged and lies in {store.damaged}; {len(found)} workloads were found again."
    _log.error("%s", told)
    return told


def _with_keys_of_their_own(records: Iterable[Record]) -> list[Record]:
    """The records, a key only where it is the newest's: one that was just deleted may still claim it."""
    taken: set[str | None] = set()
    kept = []
    for record in sorted(records, key=lambda record: record.workload.created, reverse=True):
        key = None if record.spec.key in taken else record.spec.key
        taken.add(key)
        kept.append(replace(record, spec=replace(record.spec, key=key)))
    return kept
