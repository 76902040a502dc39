"""Transitions of workloads as events of the Jupyter server: for its log, and for whoever subscribes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_runai.server.board import Transition

if TYPE_CHECKING:
    from jupyter_events import EventLogger

SCHEMA_ID = "https://events.jupyter-runai.io/workload_transition/v1"
_SCHEMA = Path(__file__).parent / "events" / "workload_transition.yaml"


class Transitions:
    """Emits through one server's event logger; nobody listening costs nothing."""

    def __init__(self, logger: EventLogger) -> None:
        self._logger = logger
        logger.register_event_schema(_SCHEMA)

    def emit(self, transition: Transition) -> None:
        """Say that a workload has come into another state."""
        workload = transition.workload
        verdict = workload.verdict
        data = {
            "workload": workload.id,
            "name": workload.name,
            "owner": workload.owner,
            "kind": workload.kind,
            "queue": workload.queue,
            "before": transition.before,
            "state": workload.state,
            "reason": workload.reason,
            "code": None if verdict is None else verdict.code,
            "message": "" if verdict is None else verdict.message,
            "exit_code": workload.exit_code,
            "restarts": workload.restarts,
            "simulated": workload.simulated,
        }
        self._logger.emit(schema_id=SCHEMA_ID, data=data)
